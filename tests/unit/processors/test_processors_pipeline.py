"""The whole way of an image: outputs, thumbnails, formats and limits."""

from __future__ import annotations

import pytest
from PIL import Image, ImageCms

from services.worker.processors import (
    BrokenImage,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
    parse_operations,
    process,
)
from test_images.generate_sample import CORRUPT, corrupt
from tests.unit.processors.pictures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    colour,
    corners,
    opened,
    quarters,
    result,
    run,
    saved,
    soft_disc,
)

UPRIGHT = [RED, GREEN, BLUE, WHITE]
FAILURES = {
    "truncated": TruncatedImage,
    "text": NotAnImage,
    "broken-chunk": BrokenImage,
    "bomb": TooManyPixels,
    "empty": NotAnImage,
}


def test_every_job_yields_a_thumbnail() -> None:
    """Beside the result there is a square thumbnail of 128, cut from the middle of the original."""
    outcome = run(saved(quarters(400, 200)), "rotate,90")
    assert [output.name for output in outcome.outputs] == ["result", "thumbnail"]
    thumbnail = opened(outcome.thumbnails[0])
    assert (thumbnail.size, thumbnail.format) == ((128, 128), "JPEG")
    for expected, got in zip(UPRIGHT, corners(thumbnail), strict=True):
        assert max(abs(a - b) for a, b in zip(expected, got, strict=True)) < 30


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (127, 129)])
def test_thumbnail_of_any_size(size: tuple[int, int]) -> None:
    """All thumbnails have one size, however small or long the image is."""
    assert opened(run(saved(Image.new("RGB", size, RED)), "rotate,90").thumbnails[0]).size == (128, 128)


def test_more_thumbnails_on_request() -> None:
    """`thumbnail` adds sizes, each once, and leaves the result alone."""
    original = saved(quarters())
    outcome = run(original, "thumbnail,64,256,64;thumbnail,128,16")
    assert [(each.name, each.width, each.height) for each in outcome.thumbnails] == [
        ("thumbnail", 128, 128),
        ("thumbnail-64", 64, 64),
        ("thumbnail-256", 256, 256),
        ("thumbnail-16", 16, 16),
    ]
    assert outcome.result.data == original


def test_thumbnail_keeps_transparency() -> None:
    """A transparent image has a PNG as its thumbnail."""
    thumbnail = opened(run(saved(soft_disc()), "resize").thumbnails[0])
    assert thumbnail.format == "PNG"
    assert thumbnail.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_result_keeps_the_format(name: str) -> None:
    """Without convert a file keeps its format."""
    outcome = run(saved(quarters(80, 40), name), "resize,40")
    assert (outcome.source.format, outcome.source.width, outcome.source.height) == (name, 80, 40)
    assert outcome.source.content_type == outcome.result.content_type
    assert opened(outcome.result).format == name


def test_operations_run_in_their_order() -> None:
    """Turn then fit is not fit then turn."""
    original = saved(quarters(400, 200))
    assert opened(run(original, "rotate,90;resize,100x100").result).size == (50, 100)
    assert opened(run(original, "resize,x100;rotate,90;convert,gif").result).size == (100, 200)


@pytest.mark.parametrize("operations", ["sleep,1", "resize", "rotate,0", "convert,jpeg", "thumbnail,64"])
def test_nothing_to_do_returns_the_original(operations: str) -> None:
    """An image that no operation changes comes back byte for byte: no quality is lost."""
    original = saved(quarters(), "JPEG")
    assert run(original, operations).result.data == original


def test_pauses_are_injected() -> None:
    """Sleep waits through the function given, in the order of the operations."""
    waited: list[float] = []
    process(saved(quarters()), parse_operations("sleep,3;rotate;sleep,0.5"), sleep=waited.append)
    assert waited == [3, 0.5]


def test_too_many_pixels_are_refused_before_decoding() -> None:
    """The limit counts the pixels in the header, exactly."""
    original = saved(quarters(100, 50))
    assert process(original, (), max_pixels=5000)
    with pytest.raises(TooManyPixels, match=r"100x50 is more than the 4,999 pixels"):
        process(original, (), max_pixels=4999)


@pytest.mark.parametrize("operations", ["rotate,45", "force_resize,70x80", "resize,80x70,cover"])
def test_too_many_pixels_are_refused_before_they_are_made(operations: str) -> None:
    """An operation whose result would not fit is not even tried."""
    with pytest.raises(TooManyPixels):
        process(saved(quarters(100, 50)), parse_operations(operations), max_pixels=5000)


def test_side_too_long_for_the_format() -> None:
    """A side that the format cannot hold is a permanent error, not a crash."""
    with pytest.raises(TooManyPixels, match="WEBP holds 16,383 pixels a side"):
        result(Image.new("L", (17_000, 1)), "convert,webp")


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("operations", ["resize,100", "sleep,0", "convert,png"])
def test_broken_files_fail_cleanly(kind: str, operations: str) -> None:
    """Each broken sample ends in its own permanent error, whose message says what to do."""
    with pytest.raises(FAILURES[kind]) as caught:
        run(corrupt(kind), operations)
    assert type(caught.value) is FAILURES[kind]
    assert str(caught.value).endswith(".")
    assert FAILURES.keys() == {name for name, made in CORRUPT.items() if made.fails}


def test_error_codes_differ() -> None:
    """Each error has a short code of its own."""
    assert [error.code for error in FAILURES.values()] == [
        "truncated_image",
        "not_an_image",
        "broken_image",
        "too_many_pixels",
        "not_an_image",
    ]


def test_animated_gif_shows_its_first_frame() -> None:
    """Of an animation only the first frame is left, also when nothing else changes."""
    for operations in ("resize,80", "sleep,0"):
        image = opened(run(corrupt("animated"), operations).result)
        assert (image.format, getattr(image, "n_frames", 1)) == ("GIF", 1)
        ball, ground = colour(image, 0.12, 0.5), colour(image, 0.9, 0.5)
        assert max(ball) > 200
        assert max(ground) < 60


def test_cmyk_becomes_rgb() -> None:
    """A JPEG in printing colours looks the same in RGB."""
    image = opened(run(corrupt("cmyk"), "resize,320").result)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (320, 240))
    first, last = colour(image, 0.01, 0.02), colour(image, 0.99, 0.98)
    assert sum(last) > sum(first) + 100
    printed = Image.merge("CMYK", [Image.new("L", (64, 64), ink) for ink in (0, 255, 255, 0)])
    red, green, blue = colour(opened(run(saved(printed, "JPEG"), "convert,png").result), 0.5, 0.5)
    assert (red > 250, green < 5, blue < 5) == (True, True, True)


def test_sixteen_bits_are_scaled() -> None:
    """16-bit grey keeps its levels instead of turning white above 255."""
    levels = [0, 257 * 64, 257 * 128, 65535]
    image = Image.frombytes("I;16", (4, 1), b"".join(level.to_bytes(2, "little") for level in levels))
    assert [colour(result(image, "convert,bmp"), x / 4, 0)[0] for x in range(4)] == [0, 64, 128, 255]
    ramp = opened(run(corrupt("sixteen-bit"), "resize,160").result)
    assert (ramp.format, ramp.mode, ramp.size) == ("PNG", "L", (160, 120))
    assert min(ramp.tobytes()) < 3
    assert max(ramp.tobytes()) > 252


def test_rotated_photo_comes_out_upright() -> None:
    """The EXIF orientation is applied, and gone: sky above, ground below, also in the thumbnail."""
    outcome = run(corrupt("rotated"), "resize,320")
    for output, size in ((outcome.result, (320, 240)), (outcome.thumbnails[0], (128, 128))):
        image = opened(output)
        assert image.size == size
        assert not image.getexif()
        assert max(colour(image, 0.5, 0.97)) < 30 < max(colour(image, 0.5, 0.03)) + 20
        assert colour(image, 0.03, 0.4)[2] > 20


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_applied(orientation: int, name: str) -> None:
    """Whatever the camera noted, the picture comes out as it should be seen."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = quarters(320, 160)
    stored = picture.transpose(back[orientation]) if orientation > 1 else picture
    upright = opened(run(saved(stored, name, exif=exif), "convert,bmp").result)
    assert upright.size == (320, 160)
    assert [tuple(value > 128 for value in each) for each in corners(upright)] == [
        tuple(value > 128 for value in each) for each in UPRIGHT
    ]


def test_rgba_keeps_its_corners() -> None:
    """A transparent PNG stays transparent when it is resized and marked."""
    image = opened(run(corrupt("rgba"), "resize,160;watermark").result)
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (160, 120))
    assert image.getpixel((0, 0)) == (0, 0, 0, 0)
    middle = image.getpixel((80, 60))
    assert isinstance(middle, tuple)
    assert middle[3] == 255


def test_palette_and_one_bit_images_are_resampled() -> None:
    """Palette and black-and-white images become smooth: resizing makes colours between theirs."""
    for mode in ("P", "1"):
        dots = quarters(400, 400, "L").convert(mode)
        assert len(set(opened(run(saved(dots), "resize,37").result).convert("L").tobytes())) > 2


def test_colour_profile_is_kept() -> None:
    """The result carries the colour profile of the original, through operations and formats."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    original = saved(quarters(80, 40, "RGBA"), icc_profile=profile)
    for name in ("png", "jpeg", "webp", "tiff"):
        image = opened(run(original, f"resize,40;watermark,Hi;filter;rotate,90;convert,{name}").result)
        assert image.info["icc_profile"] == profile


def test_camera_files_with_two_pictures() -> None:
    """MPO, which some cameras write, counts as JPEG; the result is its first picture alone."""
    first, second = quarters(80, 40), Image.new("RGB", (80, 40))
    original = saved(first, "MPO", save_all=True, append_images=[second])
    outcome = run(original, "sleep,0")
    assert outcome.source.format == "JPEG"
    assert opened(outcome.result).format == "JPEG"
    assert len(outcome.result.data) < len(original)
