"""Damaged files of every kind, through every operation."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from services.worker.processors import (
    ImageError,
    Outcome,
    OutsideImage,
    catalogue,
    inspect,
    parse_operations,
    process,
)
from test_images.generate_sample import CORRUPT, corrupt, photo
from tests.unit.processors.pictures import in_lab, opened, quarters, run, saved, swapped_profile

MAX_PIXELS = 1_000_000
SIZE = (64, 48)
MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB"),
}
USAGES = [example for kind in catalogue().values() for example in kind.usage.split(" or ")]
# A number, a length or an offset at its limits, in either byte order.
EDGES = [
    bytes(4),
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\1",
    b"\1\0\0\0",
    b"\xff",
    b"\0",
]


def drawn(mode: str) -> Image.Image:
    if mode == "LAB":
        return in_lab(quarters(*SIZE))
    return Image.new(mode, SIZE, 3000) if mode == "I;16" else quarters(*SIZE, mode)


def files(name: str) -> list[bytes]:
    """Return good files of a format: each mode, with notes and profile, of frames, in each compression."""
    picture = drawn("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Acme"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 12.5)
    noted = {"exif": exif.tobytes(), "icc_profile": swapped_profile()}
    made = [saved(drawn(mode), name) for mode in MODES[name]]
    if name not in ("GIF", "BMP"):
        made.append(saved(picture, name, **noted))
    if name == "JPEG":
        made += [
            saved(picture, name, progressive=True),
            saved(picture, "MPO", save_all=True, append_images=[picture]),
        ]
    elif name != "BMP":
        made.append(saved(picture, name, save_all=True, append_images=[picture.rotate(180)]))
    if name == "TIFF":
        made += [saved(picture, name, compression=each) for each in ("tiff_lzw", "jpeg", "packbits")]
        made += [
            saved(drawn("1"), name, compression="group4"),
            saved(picture, name, big_tiff=True),
        ]
    return made


GOOD = {name: files(name) for name in MODES}
GOOD["samples"] = [photo(64, 48), *(corrupt(kind) for kind in CORRUPT)]


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Overwrite, insert, repeat or cut off parts of a file, mostly near its start, where the lengths are."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = int(draw(st.floats(0, 1, exclude_max=True)) ** draw(st.integers(1, 3)) * len(data))
        piece = draw(st.one_of(st.sampled_from(EDGES), st.binary(max_size=4)))
        how = draw(st.sampled_from(["over", "over", "over", "insert", "repeat", "cut"]))
        if how == "over":
            data[at : at + len(piece)] = piece
        elif how == "insert":
            data[at:at] = piece
        elif how == "repeat":
            data[at:at] = data[at : at + 40]
        else:
            del data[max(at, len(data) // 2) :]
    return bytes(data)


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=150, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_is_a_typed_error(name: str, data: st.DataObject) -> None:
    """Whatever is damaged, a file becomes good results or fails with a permanent error that has a code."""
    file = data.draw(damaged(GOOD[name]))
    operations = parse_operations(
        ";".join(data.draw(st.lists(st.sampled_from(USAGES), min_size=1, max_size=3)))
    )
    with contextlib.suppress(ImageError):
        inspect(io.BytesIO(file), max_pixels=MAX_PIXELS)
    with contextlib.suppress(ImageError, OutsideImage):
        check(process(file, operations, max_pixels=MAX_PIXELS, sleep=lambda _seconds: None), file)


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("usage", USAGES)
def test_every_operation_takes_every_file(name: str, usage: str) -> None:
    """Each kind of file that is whole goes through each operation, and what comes out can be opened."""
    for file in GOOD[name]:
        check(run(file, usage), file)


def check(outcome: Outcome, original: bytes) -> None:
    """Open all results that were written."""
    for output in outcome.outputs:
        if output.width and output.data is not original:
            opened(output)
