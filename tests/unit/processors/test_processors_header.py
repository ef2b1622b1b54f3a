"""What the API learns from a file before it accepts it."""

from __future__ import annotations

import io
import random
import warnings

import pytest
from PIL import Image

from services.worker.processors import ImageError, ImageInfo, NotAnImage, TooManyPixels, inspect
from test_images.generate_sample import corrupt
from tests.unit.processors.pictures import quarters, run, saved

FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}
FILES = [saved(quarters(48, 24), name) for name in FORMATS]


class Meter(io.BytesIO):
    """A file that counts the bytes read from it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count."""
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize(("name", "content_type"), FORMATS.items())
@pytest.mark.parametrize("size", [(1, 1), (48, 24), (4000, 3)])
def test_inspect_reads_every_format(name: str, content_type: str, size: tuple[int, int]) -> None:
    """Format, size and media type come from the content; the stream is back at its start."""
    stream = io.BytesIO(saved(quarters(*size), name))
    stream.seek(7)
    info = inspect(stream)
    assert info == ImageInfo(name, *size)
    assert info.content_type == content_type
    assert stream.tell() == 0


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"save_all": True, "append_images": [quarters(333, 77)]}]
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_inspect_reads_every_webp(options: dict[str, object], mode: str) -> None:
    """All three layouts of a WebP header are understood."""
    assert inspect(io.BytesIO(saved(quarters(333, 77, mode), "WEBP", **options))) == ImageInfo(
        "WEBP", 333, 77
    )


@pytest.mark.parametrize("name", FORMATS)
def test_inspect_passes_truncated_files(name: str) -> None:
    """A file that ends behind its header passes; decoding it fails with a permanent error."""
    noise = Image.frombytes("RGB", (200, 100), random.Random(1).randbytes(60_000))
    options = {"compression": "raw"} if name == "TIFF" else {}
    whole = saved(noise, name, **options)
    cut = whole[: len(whole) * 6 // 10]
    assert inspect(io.BytesIO(cut)) == ImageInfo(name, 200, 100)
    with pytest.raises(ImageError) as caught:
        run(cut, "resize,50")
    assert caught.value.code in {"truncated_image", "broken_image"}


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_inspect_reads_little(name: str) -> None:
    """However large a file is, some kilobytes of it tell."""
    noise = Image.frombytes("RGB", (300, 200), random.Random(1).randbytes(300 * 200 * 3))
    meter = Meter(saved(noise, name))
    inspect(meter)
    assert meter.taken < 10_000 < len(meter.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"just text",
        b"<svg/>",
        b"%PDF-1.7",
        b"RIFF\0\0\0\0WEBPVP8 ",
        saved(quarters(), "PPM"),
        saved(quarters(), "ICO"),
    ],
)
def test_inspect_refuses_everything_else(data: bytes) -> None:
    """Only the six formats count, whatever else Pillow could open."""
    with pytest.raises(NotAnImage, match="JPEG, PNG, WebP, GIF, BMP or TIFF"):
        inspect(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["text", "empty"])
def test_inspect_refuses_samples(kind: str) -> None:
    """Text named .jpg and an empty file are no images."""
    with pytest.raises(NotAnImage):
        inspect(io.BytesIO(corrupt(kind)))


@pytest.mark.parametrize("limit", [50_000_000, 100, 2_000_000_000])
def test_inspect_refuses_the_bomb(limit: int) -> None:
    """The sample with 900 million pixels is refused, at the latest by Pillow's own limit."""
    with pytest.raises(TooManyPixels):
        inspect(io.BytesIO(corrupt("bomb")), max_pixels=limit)


def test_inspect_counts_exactly() -> None:
    """As many pixels as the limit are allowed, one more is not; Pillow's warning stays inside."""
    for size in ((10_000, 5_000), (10_000, 9_500)):
        header = io.BytesIO(saved(Image.new("1", size), "PNG"))
        pixels = size[0] * size[1]
        assert inspect(header, max_pixels=pixels).width == 10_000
        with pytest.raises(TooManyPixels, match=f"{size[0]}x{size[1]}"):
            inspect(header, max_pixels=pixels - 1)


def test_large_webp_is_refused_unread() -> None:
    """A WebP canvas is checked before Pillow sees it, which would allocate it twice."""
    head = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (16_382).to_bytes(3, "little") * 2
    with pytest.raises(TooManyPixels, match="16383x16383"):
        inspect(io.BytesIO(head))


def test_no_warning_escapes() -> None:
    """Pillow's warnings about odd files do not reach the log."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for data in (*FILES, saved(Image.new("P", (9, 9)), transparency=b"\0\x80\xff")):
            run(data, "resize,5")
    assert seen == []
