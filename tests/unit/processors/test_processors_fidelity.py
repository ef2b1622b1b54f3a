"""Results look like what a viewer shows of the original."""

from __future__ import annotations

import io
import random
import struct

import pytest
from PIL import Image

from services.worker.processors import UnwritableImage
from services.worker.processors.codec import encode
from services.worker.processors.formats import Encoding
from test_images import generate_sample
from test_images.generate_sample import corrupt
from tests.unit.processors.pictures import (
    BLUE,
    GREEN,
    INKS,
    RED,
    WHITE,
    colour,
    corners,
    in_lab,
    opened,
    press_profile,
    psnr,
    quarters,
    result,
    run,
    saved,
    shown,
    soft_disc,
    swapped_profile,
)

UPRIGHT = [RED, GREEN, BLUE, WHITE]
FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff")


def on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def expected(kind: str, seed: int) -> Image.Image:
    """Return what an unusual sample shows, without the way through its file where there is another one."""
    rng = random.Random(seed)
    if kind == "cmyk":
        return generate_sample._card(640, 480, rng)
    if kind == "rotated":
        return generate_sample._landscape(640, 480, rng)
    if kind == "sixteen-bit":
        curve = rng.uniform(0.7, 1.4)
        return Image.frombytes(
            "L", (320, 1), bytes(round(255 * (x / 319) ** curve) for x in range(320))
        ).resize((320, 240))
    return on_white(Image.open(io.BytesIO(corrupt(kind, seed))))


@pytest.mark.parametrize("kind", ["animated", "cmyk", "sixteen-bit", "rotated", "rgba"])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", FORMATS)
def test_unusual_samples_come_out_right(kind: str, seed: int, name: str) -> None:
    """In every format an unusual sample looks as it should: above 30 dB, in the colours of a GIF above 24."""
    outcome = run(corrupt(kind, seed), f"flip;flip;convert,{name}")
    image, right = opened(outcome.result), expected(kind, seed)
    assert image.size == right.size
    assert not image.getexif().get(0x0112)
    assert psnr(on_white(image), right) > (24 if name == "gif" else 30)


@pytest.mark.parametrize("kind", ["animated", "cmyk", "sixteen-bit", "rotated", "rgba"])
def test_unusual_samples_shrink_right(kind: str) -> None:
    """Resized, an unusual sample looks as its right picture does when that is resized."""
    image = opened(run(corrupt(kind), "resize,160").result)
    right = expected(kind, 1).convert("RGB").resize(image.size, Image.Resampling.BICUBIC)
    assert psnr(on_white(image), right) > 30


@pytest.mark.parametrize("name", ["png", "webp", "tiff", "gif"])
@pytest.mark.parametrize("operations", ["flip", "resize,32", "grayscale", "crop,60x60", "filter"])
def test_transparency_survives(name: str, operations: str) -> None:
    """What was transparent is so after every operation, in every format that can say it."""
    image = result(soft_disc(), f"{operations};convert,{name}").convert("RGBA")
    alphas = [image.getpixel(point) for point in ((0, 0), (image.width // 2, image.height // 2))]
    assert [pixel[3] for pixel in alphas if isinstance(pixel, tuple)] == [0, 255]


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparency_becomes_white(name: str, mode: str) -> None:
    """Where a format knows no transparency, what was transparent is white, and half of it half white."""
    flat = result(soft_disc().convert(mode), f"convert,{name}")
    assert psnr(flat, on_white(soft_disc().convert(mode))) > 28
    assert colour(flat, 0, 0) == WHITE


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_one_transparent_colour(mode: str) -> None:
    """A PNG that names one colour as transparent is transparent there, with any kind of pixels."""
    image = quarters(40, 20, "RGB" if mode == "I;16" else mode)
    key: object = image.getpixel((0, 0))
    if mode == "I;16":
        image, key = Image.new("I;16", (40, 20), 3000), 65535
        image.paste(65535, (0, 0, 20, 10))
    seen = opened(run(saved(image, transparency=key), "flip").result).convert("RGBA")
    assert seen.getpixel((39, 0))[3] == 0  # type: ignore[index]
    assert seen.getpixel((10, 19))[3] == 255  # type: ignore[index]


def test_palette_colours_are_exact() -> None:
    """The colours of a palette come out unchanged, however few there are."""
    for colours in (2, 16, 256):
        image = quarters(80, 40).quantize(colours)
        for name in ("png", "bmp", "tiff"):
            assert psnr(result(image, f"convert,{name}"), image) == float("inf")


@pytest.mark.parametrize("order", ["I;16", "I;16B"])
def test_sixteen_bit_tiff(order: str) -> None:
    """16-bit grey is scaled and rounded in a TIFF of either byte order too."""
    levels = [0, 128, 129, 257 * 99, 65535]
    layout = f"{'>' if order.endswith('B') else '<'}5H"
    image = Image.frombytes(order, (5, 1), struct.pack(layout, *levels))
    made = opened(run(saved(image, "TIFF"), "convert,png").result)
    assert list(made.tobytes()) == [0, 0, 1, 99, 255]


@pytest.mark.parametrize(("mode", "levels"), [("I", (-70_000, 0, 70_000)), ("F", (0.25, 0.5, 0.75))])
def test_measured_values_are_stretched(mode: str, levels: tuple[float, ...]) -> None:
    """32-bit and float pixels reach from black to white, since no level is white by itself."""
    image = Image.new(mode, (3, 1))
    for x, level in enumerate(levels):
        image.putpixel((x, 0), level)
    assert list(opened(run(saved(image, "TIFF"), "convert,png").result).tobytes()) == [0, 128, 255]


def test_sixteen_bits_stay_where_nothing_changes() -> None:
    """A 16-bit image that no operation changes keeps all its levels."""
    assert run(corrupt("sixteen-bit"), "sleep,0;convert,png").result.data == corrupt("sixteen-bit")


def test_flat_and_boundless_values() -> None:
    """A float image without contrast, or with infinite values, still comes out."""
    for level in (7.5, float("inf"), float("nan")):
        image = Image.new("F", (3, 2), level)
        assert opened(run(saved(image, "TIFF"), "convert,png").result).size == (3, 2)


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_printing_colours_follow_their_profile(name: str) -> None:
    """CMYK comes out as its profile describes the press, not in the bright colours of a screen."""
    for ink, lab in INKS.items():
        image = Image.new("CMYK", (16, 16), ink)
        options = {"quality": 95} if name == "JPEG" else {}
        made = opened(run(saved(image, name, icc_profile=press_profile(), **options), "convert,png").result)
        assert "icc_profile" not in made.info
        for got, wanted in zip(colour(made, 0.5, 0.5), shown(lab), strict=True):
            assert abs(got - wanted) <= 5


@pytest.mark.parametrize("profile", [b"", b"nonsense", press_profile()[:300], swapped_profile()])
def test_printing_colours_without_a_good_profile(profile: bytes) -> None:
    """Without a profile that can be used, inks are taken for pure colours."""
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert (
        colour(opened(run(saved(image, "TIFF", icc_profile=profile), "convert,png").result), 0.5, 0.5) == RED
    )


def test_lab_colours() -> None:
    """A TIFF in L*a*b* comes out in RGB."""
    lab = in_lab(quarters())
    assert psnr(opened(run(saved(lab, "TIFF"), "convert,png").result), quarters()) > 28


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_profile_is_kept(name: str, mode: str) -> None:
    """Where the format can carry a profile, the result has it and the numbers of its pixels stay."""
    original = saved(quarters(80, 40).convert(mode), icc_profile=swapped_profile())
    outcome = run(original, f"flip;convert,{name}")
    for output in outcome.outputs:
        assert opened(output).info["icc_profile"] == swapped_profile()
    assert psnr(opened(outcome.result), result(quarters(80, 40), "flip")) > 25


@pytest.mark.parametrize("name", ["gif", "bmp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profile_is_applied(name: str, mode: str) -> None:
    """Where the format cannot carry a profile, the pixels become what it means: here red and green change."""
    original = saved(quarters(80, 40, mode), icc_profile=swapped_profile())
    made = opened(run(original, f"flip,vertical;convert,{name}").result)
    close = zip(corners(made), [BLUE, WHITE, GREEN, RED], strict=True)
    assert all(abs(a - b) <= 3 for got, wanted in close for a, b in zip(got, wanted, strict=True))


def test_grey_minds_the_profile() -> None:
    """Grayscale makes each colour as bright as the profile shows it, and then there is none left."""
    original = saved(Image.new("RGB", (8, 8), RED), icc_profile=swapped_profile())
    made = opened(run(original, "grayscale").result)
    assert (made.mode, "icc_profile" in made.info) == ("L", False)
    assert abs(int(made.tobytes()[0]) - 150) <= 1


def test_foreign_profile_is_dropped() -> None:
    """A profile for other colours than those of the pixels would only mislead a viewer."""
    for mode, profile in (("L", swapped_profile()), ("RGB", press_profile()), ("RGB", b"x" * 2_000_000)):
        made = opened(run(saved(quarters(80, 40, mode), "TIFF", icc_profile=profile), "flip").result)
        assert "icc_profile" not in made.info


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize("operations", ["sleep,0", "flip;flip", "metadata", "convert,png"])
def test_first_frame_alone(name: str, operations: str) -> None:
    """Of every animation, and of a file of pages, the result is the first picture."""
    more = [Image.new("RGB", (80, 40), BLUE), Image.new("RGB", (80, 40), GREEN)]
    options = {"lossless": True} if name == "WEBP" else {}
    original = saved(quarters(80, 40), name, save_all=True, append_images=more, **options)
    image = opened(run(original, operations).result)
    assert getattr(image, "n_frames", 1) == 1
    assert psnr(image, quarters(80, 40)) > 25


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("operations", ["sleep,0", "metadata", "resize"])
def test_orientation_is_gone(name: str, operations: str) -> None:
    """A picture stored on its side comes out upright, whatever else is done, and nobody turns it twice."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = quarters(64, 32).transpose(Image.Transpose.ROTATE_90)
    image = opened(run(saved(stored, name, exif=exif), operations).result)
    assert image.size == (64, 32)
    assert 0x0112 not in image.getexif()
    assert [tuple(value > 128 for value in each) for each in corners(image)] == [
        tuple(value > 128 for value in each) for each in UPRIGHT
    ]


def test_compress_makes_smaller_files() -> None:
    """The lower the quality, the smaller the file; and even at 60 a photo stays close to its original."""
    photo = generate_sample.photo(600, 800)
    sizes = [len(run(photo, f"compress,{quality}").result.data) for quality in (95, 60, 20)]
    assert sizes == sorted(sizes, reverse=True)
    assert psnr(opened(run(photo, "compress").result), Image.open(io.BytesIO(photo))) > 34
    webp = saved(Image.open(io.BytesIO(photo)), "WEBP", quality=90)
    assert len(run(webp, "compress").result.data) < len(webp) / 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_compress_reduces_the_colours_of_a_png(mode: str) -> None:
    """A compressed PNG has 256 colours at most, alpha included; with quality 95 it has them all."""
    photo = Image.open(io.BytesIO(generate_sample.photo(300, 400))).convert(mode)
    if mode == "RGBA":
        photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    small, full = (run(saved(photo), f"compress,{quality}").result for quality in (94, 95))
    assert opened(small).mode == "P"
    assert len(small.data) < len(full.data) * 0.7
    assert psnr(on_white(opened(small)), on_white(photo)) > 28
    assert psnr(opened(full).convert("RGB"), photo.convert("RGB")) == float("inf")


@pytest.mark.parametrize("operations", ["compress,30;convert,webp", "convert,webp;compress,30"])
def test_compress_and_convert_in_any_order(operations: str) -> None:
    """The quality that was asked for holds, whether the format changes before or after."""
    photo = generate_sample.photo(300, 400)
    wanted = saved(Image.open(io.BytesIO(photo)), "WEBP", quality=30)
    assert run(photo, operations).result.data == wanted


def test_encoder_that_gives_up() -> None:
    """Pixels that an encoder refuses are a permanent error with a code of its own."""
    with pytest.raises(UnwritableImage, match="cannot be written in this format") as caught:
        encode(Image.new("HSV", (4, 4)), Encoding("PNG"))
    assert caught.value.code == "unwritable_image"
