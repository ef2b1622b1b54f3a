"""Each operation against a picture whose pixels are known."""

from __future__ import annotations

import pytest
from PIL import Image

from services.worker.processors import catalogue, parse_operations
from tests.unit.processors.pictures import (
    BLUE,
    GREEN,
    MAGIC,
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


@pytest.mark.parametrize(
    ("operations", "size", "expected"),
    [
        ("resize", (1600, 1000), (800, 500)),
        ("resize", (1000, 1600), (375, 600)),
        ("resize", (40, 20), (40, 20)),
        ("resize,30", (40, 20), (30, 15)),
        ("resize,30x", (40, 20), (30, 15)),
        ("resize,x5", (40, 20), (10, 5)),
        ("resize,x50", (40, 20), (40, 20)),
        ("resize,10x10", (2000, 3), (10, 1)),
        ("resize,10x10,cover", (40, 20), (10, 10)),
        ("resize,80x80,cover", (40, 20), (80, 80)),
        ("resize,7x5,cover", (13, 11), (7, 5)),
        ("force_resize,7x31", (40, 20), (7, 31)),
        ("force_resize,80x60", (40, 20), (80, 60)),
    ],
)
def test_resize_gives_the_size(operations: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Resize fits and never enlarges, cover and force_resize are exact."""
    assert result(quarters(*size), operations).size == expected


@pytest.mark.parametrize("operations", ["resize,20x10", "force_resize,20x30", "resize,20x10,cover"])
def test_resize_keeps_the_picture(operations: str) -> None:
    """Resizing keeps what is where."""
    assert corners(result(quarters(), operations)) == UPRIGHT


def test_cover_crops_both_ends() -> None:
    """Cover takes the middle: of three stripes, the outer ones are gone."""
    stripes = Image.new("RGB", (60, 20), RED)
    stripes.paste(GREEN, (20, 0, 40, 20))
    covered = result(stripes, "resize,10x10,cover")
    assert {colour(covered, x, 0.5) for x in (0.15, 0.5, 0.85)} == {GREEN}


@pytest.mark.parametrize(
    ("degrees", "size", "expected"),
    [
        (0, (40, 20), UPRIGHT),
        (90, (20, 40), [BLUE, RED, WHITE, GREEN]),
        (180, (40, 20), [WHITE, BLUE, GREEN, RED]),
        (270, (20, 40), [GREEN, WHITE, RED, BLUE]),
        (-90, (20, 40), [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_quarter_turns_only_move_pixels(
    degrees: int, size: tuple[int, int], expected: list[tuple[int, ...]]
) -> None:
    """A quarter turn is clockwise, and no new colour appears."""
    turned = result(quarters(), f"rotate,{degrees}")
    assert turned.size == size
    assert corners(turned) == expected
    assert len(turned.convert("RGB").getcolors() or ()) == 4


def test_other_angles_expand() -> None:
    """At 45 degrees the box grows to hold all corners; what opens is white, or transparent with alpha."""
    turned = result(Image.new("RGB", (40, 20), RED), "rotate,45")
    assert turned.size == (44, 44)
    assert colour(turned, 0, 0) == WHITE
    assert colour(turned, 0.5, 0.5) == RED
    assert result(Image.new("RGBA", (40, 20), (*RED, 255)), "rotate,45").getpixel((0, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("degrees", [0, 0.001, 1, 30, 44.9, 90, 135, 269.5, 270, 359.999])
def test_rotate_knows_its_size(degrees: float) -> None:
    """The size that is held against the pixel limit is the size that comes out, give or take a pixel."""
    (rotate,) = parse_operations(f"rotate,{degrees}")
    image = quarters(41, 23)
    for is_side, told in zip(rotate.apply(image).size, rotate.output_size(image.size), strict=True):
        assert abs(is_side - told) <= 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("jpeg", "JPEG"),
        ("jpg", "JPEG"),
        ("png", "PNG"),
        ("webp", "WEBP"),
        ("gif", "GIF"),
        ("bmp", "BMP"),
        ("tiff", "TIFF"),
    ],
)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_convert_writes_the_format(name: str, kept: str, mode: str) -> None:
    """Every format is written from every mode, and its first bytes say so."""
    output = run(saved(quarters(mode=mode)), f"convert,{name}").result
    assert output.data.startswith(MAGIC[kept])
    assert opened(output).format == kept


def test_convert_uses_quality_95() -> None:
    """A JPEG made by convert has finer quantization than one made by resize."""
    picture = saved(quarters(400, 200))
    converted = opened(run(picture, "convert,jpeg").result)
    assert converted.quantization == opened_jpeg(95).quantization  # type: ignore[attr-defined]
    resized = opened(run(saved(quarters(400, 200), "JPEG"), "resize,100").result)
    assert resized.quantization == opened_jpeg(85).quantization  # type: ignore[attr-defined]


def opened_jpeg(quality: int) -> Image.Image:
    return opened(run(saved(quarters(), "JPEG", quality=quality), "sleep,0").result)


def test_convert_puts_transparency_on_white() -> None:
    """JPEG and BMP show white where nothing was, not what was hidden there."""
    for name in ("jpeg", "bmp"):
        flat = result(soft_disc(), f"convert,{name}")
        assert min(colour(flat, 0.05, 0.05)) > 250
        red, green, blue = colour(flat, 0.5, 0.5)
        assert (red < 10, green > 245, blue < 10) == (True, True, True)


@pytest.mark.parametrize("name", ["png", "webp", "tiff", "gif"])
def test_convert_keeps_transparency(name: str) -> None:
    """Formats with transparency keep it; GIF knows only all or nothing."""
    kept = result(soft_disc(), f"convert,{name}").convert("RGBA")
    alphas = [kept.getpixel((x, y)) for x, y in ((2, 2), (32, 18), (32, 32))]
    assert [pixel[3] for pixel in alphas if isinstance(pixel, tuple)] == [
        0,
        255 if name == "gif" else 128,
        255,
    ]


def test_blur_mixes_neighbours() -> None:
    """Blur is the default filter: the border between black and white becomes grey, and more with a radius."""
    halves = Image.new("L", (40, 20))
    halves.paste(255, (20, 0, 40, 20))
    assert colour(result(halves, "filter"), 0.49, 0.5)[0] in range(80, 128)
    assert colour(result(halves, "filter,blur,0"), 0.49, 0.5) == (0, 0, 0)
    assert colour(result(halves, "filter,blur,10"), 0.3, 0.5) > colour(result(halves, "filter"), 0.3, 0.5)


@pytest.mark.parametrize(
    ("kind", "flat"), [("sharpen", 100), ("smooth", 100), ("contour", 255), ("emboss", 128), ("edge", 0)]
)
def test_filters_on_a_flat_picture(kind: str, flat: int) -> None:
    """Without any edge, sharpen and smooth change nothing, and the others show their ground."""
    filtered = result(Image.new("L", (20, 20), 100), f"filter,{kind}")
    assert filtered.getpixel((10, 10)) == flat


@pytest.mark.parametrize("kind", ["blur", "contour", "emboss", "edge"])
def test_filters_leave_transparency(kind: str) -> None:
    """A filter works on colours: the alpha channel is as before."""
    filtered = result(soft_disc(), f"filter,{kind}")
    assert filtered.getchannel("A").tobytes() == soft_disc().getchannel("A").tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("shade", [0, 120, 255])
def test_watermark_is_at_the_bottom_right(mode: str, shade: int) -> None:
    """The text changes pixels at the bottom right only, on black, grey and white, and shows what is below."""
    ground = Image.new("L", (300, 200), shade).convert(mode)
    marked = result(ground, "watermark").convert("L")
    changed = Image.eval(marked, lambda value: 255 if value != shade else 0).getbbox()
    assert changed is not None
    left, top, right, bottom = changed
    assert left > 150
    assert top > 150
    assert right < 300
    assert bottom < 200
    assert min(marked.tobytes()) >= shade // 2 - 1
    assert max(marked.tobytes()) <= shade + (255 - shade) // 2 + 2


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 200), (200, 1), (3, 3), (16, 16), (30, 9), (40, 12), (60, 40), (5000, 12)]
)
def test_watermark_never_overflows(size: tuple[int, int]) -> None:
    """Small images keep their size; where no letter would be legible, they stay as they are."""
    assert (
        result(Image.new("RGB", size, BLUE), "watermark,A rather long text for so small an image").size
        == size
    )


def test_watermark_grows_with_the_image() -> None:
    """The text is about a twentieth of the shorter side high."""
    heights = []
    for side in (400, 1200):
        marked = result(Image.new("L", (side, side)), "watermark,H")
        box = marked.getbbox()
        assert box is not None
        heights.append(box[3] - box[1])
    assert 2.5 < heights[1] / heights[0] < 3.5


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("name", sorted(catalogue()))
def test_apply_is_pure(name: str, mode: str) -> None:
    """The image given stays as it is, the same comes out twice, in a mode that others can use, alpha kept."""
    for example in catalogue()[name].usage.split(" or "):
        (operation,) = parse_operations(example)
        image = quarters(200, 100, mode)
        before = image.tobytes()
        first, second = operation.apply(image), operation.apply(image)
        assert (image.tobytes(), image.size, image.mode) == (before, (200, 100), mode)
        assert first.tobytes() == second.tobytes()
        assert first.size == operation.output_size(image.size)
        assert first.mode in ("L", "LA", "RGB", "RGBA")
        assert first.has_transparency_data == image.has_transparency_data
