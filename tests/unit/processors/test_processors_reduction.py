"""Decoding a JPEG smaller must not show."""

from __future__ import annotations

import functools
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.worker.processors import Operation, parse_operations
from services.worker.processors.codec import decode
from services.worker.processors.reduction import reduction
from test_images import generate_sample
from tests.unit.processors.pictures import psnr, saved

GRID = (1920, 1080)
MANY_PIXELS = 50_000_000


@functools.cache
def picture(kind: str) -> bytes:
    if kind == "text":
        return saved(Image.open(io.BytesIO(generate_sample.text(1920, 1600))), "JPEG", quality=85)
    return generate_sample.KINDS[kind].draw(1920, 1600, 1)


def applied(data: bytes, operations: tuple[Operation, ...], scale: int) -> Image.Image:
    image = decode(data, max_pixels=MANY_PIXELS, reduction=lambda _size: scale).image
    return functools.reduce(lambda current, operation: operation.apply(current), operations, image)


@pytest.mark.parametrize(
    ("operations", "size", "expected"),
    [
        ("resize", GRID, 2),
        ("resize,watermark", GRID, 2),
        ("watermark,resize", GRID, 1),
        ("rotate,90;resize", GRID, 2),
        ("rotate,90;resize,450", GRID, 2),
        ("rotate,90;resize,451", GRID, 1),
        ("rotate,45;resize,100", GRID, 1),
        ("filter;resize,100", GRID, 1),
        ("sleep,1;thumbnail,64;convert,png;resize,320", GRID, 4),
        ("convert,png", GRID, 1),
        ("sleep,1", GRID, 1),
        ("rotate,90", GRID, 1),
        ("resize,800x600,cover", (1200, 1600), 1),
        ("resize,400x100,cover", (1200, 1600), 2),
        ("resize,401x400,cover", (960, 9600), 1),
        ("force_resize,700x700", (1200, 1600), 1),
        ("force_resize,100x500", (2400, 1200), 2),
        ("resize,160", GRID, 4),
        ("resize,160", (3840, 3840), 8),
        ("resize,160;resize,3000x3000,cover", (3840, 3840), 8),
        ("thumbnail,512;resize,160", (3840, 3840), 4),
        ("resize,100", (1921, 1080), 1),
        ("resize,100", (1924, 1082), 2),
        ("resize,20", (300, 200), 1),
    ],
)
def test_reduction_looks_at_the_whole_chain(operations: str, size: tuple[int, int], expected: int) -> None:
    """It depends on the first operation that looks at pixels, on the thumbnails, and on even division."""
    chain = parse_operations(operations)
    largest = max((128, *(side for operation in chain for side in operation.thumbnails)))
    assert reduction(size, chain, largest) == expected


@settings(derandomize=True)
@given(
    size=st.tuples(st.integers(1, 700), st.integers(1, 700)).map(lambda half: (half[0] * 8, half[1] * 8)),
    turn=st.sampled_from(["", "rotate,90;", "rotate,180;sleep,1;"]),
    shrink=st.sampled_from(
        ["resize,{0}x{1}", "resize,{0}", "resize,x{1}", "force_resize,{0}x{1}", "resize,{0}x{1},cover"]
    ),
    sides=st.tuples(st.integers(1, 400), st.integers(1, 400)),
)
def test_reduction_keeps_every_size(
    size: tuple[int, int], turn: str, shrink: str, sides: tuple[int, int]
) -> None:
    """A smaller decode leads to results of exactly the same size."""
    chain = parse_operations(turn + shrink.format(*sides))
    scale = reduction(size, chain, 1)
    sizes = [size, (size[0] // scale, size[1] // scale)]
    for operation in chain:
        sizes = [operation.output_size(each) for each in sizes]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("kind", ["photo", "text", "grid"])
@pytest.mark.parametrize(
    ("operations", "scale"),
    [
        ("resize,800", 2),
        ("rotate,90;resize,600x800", 2),
        ("resize,320", 4),
        ("resize,160", 8),
        ("resize,400x600,cover", 2),
        ("force_resize,300x260", 4),
    ],
)
def test_reduction_looks_the_same(kind: str, operations: str, scale: int) -> None:
    """Against a full decode the result differs by a signal-to-noise ratio of 36 dB at least."""
    chain = parse_operations(operations)
    assert reduction((1920, 1600), chain, 60) == scale
    full, reduced = (applied(picture(kind), chain, divisor) for divisor in (1, scale))
    assert full.size == reduced.size
    assert psnr(full, reduced) > 36


def test_decode_reduces() -> None:
    """A JPEG is decoded at the part of its size that was asked for; other formats in full."""
    image = Image.effect_noise((64, 32), 50)
    for name, expected in (("JPEG", (16, 8)), ("PNG", (64, 32))):
        made = decode(saved(image, name), max_pixels=MANY_PIXELS, reduction=lambda _size: 4)
        assert made.image.size == expected


def test_reduction_gets_the_upright_size() -> None:
    """A photo that is stored sideways is planned as it will be seen."""
    seen: list[tuple[int, int]] = []

    def note(size: tuple[int, int]) -> int:
        seen.append(size)
        return 1

    decode(
        generate_sample.corrupt("rotated"),
        max_pixels=MANY_PIXELS,
        reduction=note,
    )
    assert seen == [(640, 480)]
