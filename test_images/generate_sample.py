"""Draw the pictures of every workload: the same bytes for the same seed.

    python test_images/generate_sample.py --kind photo --seed 7 --count 3
    python test_images/generate_sample.py --corrupt truncated

From Python each picture is a function that returns the bytes of a file: `photo(1200, 1600, seed=1)`.
"""

from __future__ import annotations

import argparse
import colorsys
import io
import math
import random
import struct
import sys
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter, ImageFont
except ImportError as missing:
    problem = "Pillow is missing. Run this with the Python of the kit: .venv/bin/python"
    raise SystemExit(problem) from missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

JPEG_QUALITY = 85
MAX_PIXELS = 50_000_000
PAPER, INK = (241, 241, 241), (105, 111)
VOCABULARY = (
    "a an and are at before broker by calm channel consumer counts every exchange first for from half "
    "holds in is it keeps last later long message never next of on once one order other publisher queue "
    "rate retry returns second service slow small steady that the then third time to two until wait when "
    "worker acknowledgement backlog delivery latency throughput utilisation"
)
WORDS = VOCABULARY.split()


def photo(width: int = 1200, height: int = 1600, seed: int = 1) -> bytes:
    """Draw a smooth dark landscape with a little noise, as a JPEG."""
    return _jpeg(_landscape(width, height, random.Random(seed)))


def text(width: int = 1403, height: int = 1662, seed: int = 1) -> bytes:
    """Draw a page of grey text on light paper, as a PNG."""
    return _png(_page(width, height, random.Random(seed)))


def grid(width: int = 1920, height: int = 1080, seed: int = 1) -> bytes:
    """Draw a test card of numbered tiles, as a JPEG."""
    return _jpeg(_card(width, height, random.Random(seed)))


def noise(width: int = 1920, height: int = 1080, seed: int = 1) -> bytes:
    """Draw what no codec can compress, as a PNG."""
    return _png(Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3)))


def corrupt(kind: str, seed: int = 1) -> bytes:
    """Make one file of `CORRUPT`; an unknown kind is a KeyError."""
    return CORRUPT[kind].make(seed)


def _landscape(width: int, height: int, rng: random.Random) -> Image.Image:
    horizon = rng.uniform(0.5, 0.62)
    hue = rng.uniform(0.52, 0.72)
    scene = _sky(width, height, horizon, hue)
    _light_moon(scene, rng, horizon)
    for layer in range(5):
        _raise_hills(scene, rng, horizon + layer * (1 - horizon) / 6, _rgb(hue, 0.5, 0.2 - layer * 0.038))
    return _add_grain(scene, rng, amplitude=13)


def _sky(width: int, height: int, horizon: float, hue: float) -> Image.Image:
    """Fade from night above to a warm glow at the horizon: one column, stretched."""
    column = Image.new("RGB", (1, 64))
    for y in range(64):
        depth = min(1.0, y / 64 / horizon)
        night, glow = _rgb(hue, 0.75, 0.1 + 0.18 * depth), _rgb(0.06, 0.55, 0.62)
        column.putpixel((0, y), _between(night, glow, depth**5))
    return column.resize((width, height), Image.Resampling.BICUBIC)


def _light_moon(scene: Image.Image, rng: random.Random, horizon: float) -> None:
    """Blur a halo in a small picture and blow that up: a blur of the whole scene costs ten times as much."""
    radius = max(2, min(scene.size) // 14)
    side, centre = 512, (256, 256)
    halo = Image.new("L", (side, side))
    ImageDraw.Draw(halo).circle(centre, 72, fill=150)
    halo = halo.filter(ImageFilter.GaussianBlur(56))
    ImageDraw.Draw(halo).circle(centre, 64, fill=235)
    halo = halo.resize((radius * 8, radius * 8), Image.Resampling.BICUBIC)
    left = int(rng.uniform(0.2, 0.8) * scene.width) - radius * 4
    top = int(rng.uniform(0.2, 0.6) * horizon * scene.height) - radius * 4
    scene.paste((240, 228, 196), (left, top), halo)


def _raise_hills(scene: Image.Image, rng: random.Random, base: float, colour: Colour) -> None:
    width, height = scene.size
    waves = [
        (rng.uniform(0.5, 1) / k, rng.uniform(1, 2) * k, rng.uniform(0, math.tau)) for k in (1, 2, 5, 11)
    ]
    ridge = []
    for step in range(121):
        x = step / 120
        lift = sum(size * math.sin(speed * x * math.tau / 2 + phase) for size, speed, phase in waves)
        ridge.append((x * width, (base + lift * 0.035) * height))
    ImageDraw.Draw(scene).polygon([(0, height), *ridge, (width, height)], fill=colour)


def _add_grain(scene: Image.Image, rng: random.Random, amplitude: int) -> Image.Image:
    pixels = scene.width * scene.height
    grain = Image.frombytes("L", scene.size, rng.randbytes(pixels)).point(lambda v: v * amplitude // 255)
    return ImageChops.add(scene, Image.merge("RGB", (grain, grain, grain)), offset=-(amplitude // 2))


def _page(width: int, height: int, rng: random.Random) -> Image.Image:
    page = Image.new("RGB", (width, height), PAPER)
    body = max(8.0, width / 64)
    title, font = ImageFont.load_default(body * 1.5), ImageFont.load_default(body)
    margin, y = width / 14, height / 18
    while y < height - margin:
        _print_line(page, (margin, y), " ".join(rng.choices(WORDS, k=4)).capitalize(), title, rng)
        y += body * 2.4
        for line in _wrap(_sentences(rng), font, width - 2 * margin):
            if y > height - margin:
                break
            _print_line(page, (margin, y), line, font, rng)
            y += body * 1.35
        y += body
    return page


def _print_line(
    page: Image.Image, at: tuple[float, float], line: str, font: Font, rng: random.Random
) -> None:
    """Print each word a shade lighter or darker, as a tired ribbon does."""
    x, y = at
    draw = ImageDraw.Draw(page)
    for word in line.split():
        shade = rng.randint(*INK)
        draw.text((x, y), word, (shade, shade, shade), font)
        x += font.getlength(word + " ")


def _sentences(rng: random.Random) -> str:
    lengths = (rng.randint(6, 16) for _ in range(rng.randint(5, 12)))
    return " ".join(" ".join(rng.choices(WORDS, k=length)).capitalize() + "." for length in lengths)


def _wrap(paragraph: str, font: Font, width: float) -> list[str]:
    lines = [""]
    for word in paragraph.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _card(width: int, height: int, rng: random.Random) -> Image.Image:
    card = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(card)
    start, tile = rng.random(), max(8, width // 16)
    font = ImageFont.load_default(max(6.0, tile / 4))
    for number, (left, top) in enumerate(
        (left, top) for top in range(0, height, tile) for left in range(0, width, tile)
    ):
        colour = _rgb(start + left / width * 0.6, 0.55, 0.35 + 0.5 * top / height)
        draw.rectangle((left, top, left + tile - 3, top + tile - 3), fill=colour)
        draw.text((left + tile / 2, top + tile / 2), str(number + 1), (255, 255, 255), font, anchor="mm")
    radius = min(width, height) * 0.42
    draw.circle((width / 2, height / 2), radius, outline=(255, 255, 255), width=max(1, tile // 40))
    return _add_grain(card, rng, amplitude=6)


def _truncated(seed: int) -> bytes:
    whole = photo(640, 480, seed)
    return whole[: len(whole) * 6 // 10]


def _renamed(seed: int) -> bytes:
    return f"This is a text file, whatever its name says ({seed}).\n".encode()


def _broken_chunk(seed: int) -> bytes:
    """Spoil the first bytes of the pixel data: the header stays good, no decoder can start."""
    whole = bytearray(_png(_card(320, 240, random.Random(seed))))
    start = whole.index(b"IDAT") + 4
    whole[start : start + 16] = bytes(16)
    return bytes(whole)


def _bomb(seed: int) -> bytes:
    """Announce 900 million pixels in a file of under a hundred bytes."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([seed % 256]) * 64)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _empty(_seed: int) -> bytes:
    return b""


def _animated(seed: int) -> bytes:
    """Eight frames of a ball on its way to the right; the first one has it at the left."""
    colour = _rgb(random.Random(seed).random(), 0.7, 0.9)
    frames = []
    for step in range(8):
        frame = Image.new("RGB", (160, 120), (24, 26, 32))
        ImageDraw.Draw(frame).circle((20 + step * 17, 60), 14, fill=colour)
        frames.append(frame)
    return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=90, loop=0)


def _cmyk(seed: int) -> bytes:
    return _jpeg(_card(640, 480, random.Random(seed)).convert("CMYK"))


def _sixteen_bit(seed: int) -> bytes:
    """Fade grey from black at the left to white at the right in 65,536 steps, with a random curve."""
    curve = random.Random(seed).uniform(0.7, 1.4)
    row = array("H", (round(65535 * (x / 319) ** curve) for x in range(320)))
    if sys.byteorder == "big":
        row.byteswap()
    return _png(Image.frombytes("I;16", (320, 240), row.tobytes() * 240))


def _rotated(seed: int) -> bytes:
    """Store a landscape as a camera held sideways does: turned, with a note how to turn it back."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    upright = _landscape(640, 480, random.Random(seed))
    return _saved(
        upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=JPEG_QUALITY, exif=exif.tobytes()
    )


def _rgba(seed: int) -> bytes:
    """Draw a soft disc of colour on nothing: transparent corners, half transparent rim."""
    disc = Image.new("RGBA", (320, 240), (*_rgb(random.Random(seed).random(), 0.6, 0.9), 255))
    mask = Image.new("L", disc.size)
    ImageDraw.Draw(mask).circle((160, 120), 90, fill=255)
    disc.putalpha(mask.filter(ImageFilter.GaussianBlur(8)))
    return _png(disc)


def _jpeg(image: Image.Image) -> bytes:
    return _saved(image, "JPEG", quality=JPEG_QUALITY)


def _png(image: Image.Image) -> bytes:
    return _saved(image, "PNG")


def _saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _between(start: Colour, end: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Kind:
    """A picture that draws itself at a size in pixels."""

    draw: Callable[[int, int, int], bytes]
    size: tuple[int, int]
    suffix: str


@dataclass(frozen=True, slots=True)
class Corruption:
    """A file with a twist; the name it gets says what it pretends to be."""

    make: Callable[[int], bytes]
    suffix: str
    fails: bool = True


KINDS: Mapping[str, Kind] = {
    "photo": Kind(photo, (1200, 1600), ".jpg"),
    "text": Kind(text, (1403, 1662), ".png"),
    "grid": Kind(grid, (1920, 1080), ".jpg"),
    "noise": Kind(noise, (1920, 1080), ".png"),
}

CORRUPT: Mapping[str, Corruption] = {
    "truncated": Corruption(_truncated, ".jpg"),
    "text": Corruption(_renamed, ".jpg"),
    "broken-chunk": Corruption(_broken_chunk, ".png"),
    "bomb": Corruption(_bomb, ".png"),
    "empty": Corruption(_empty, ".jpg"),
    "animated": Corruption(_animated, ".gif", fails=False),
    "cmyk": Corruption(_cmyk, ".jpg", fails=False),
    "sixteen-bit": Corruption(_sixteen_bit, ".png", fails=False),
    "rotated": Corruption(_rotated, ".jpg", fails=False),
    "rgba": Corruption(_rgba, ".png", fails=False),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files that were asked for and print their paths, one a line."""
    options = _options(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seed, options.seed + options.count):
        name, data = _make(options, seed)
        path = options.out / name
        path.write_bytes(data)
        sys.stdout.write(f"{path}\n")
    return 0


def _make(options: argparse.Namespace, seed: int) -> tuple[str, bytes]:
    if options.corrupt:
        return f"{options.corrupt}-{seed}{CORRUPT[options.corrupt].suffix}", corrupt(options.corrupt, seed)
    kind = KINDS[options.kind]
    width, height = options.size or kind.size
    return f"{options.kind}-{seed}{kind.suffix}", kind.draw(width, height, seed)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw sample pictures: the same bytes for the same seed.")
    parser.add_argument("--kind", choices=KINDS, default="photo", help="what to draw (default: photo)")
    parser.add_argument("--size", type=_size, help="WIDTHxHEIGHT in pixels (default: as in the workloads)")
    parser.add_argument("--seed", type=int, default=1, help="number of the first picture (default: 1)")
    parser.add_argument(
        "--count", type=int, default=1, help="how many, with seeds that count up (default: 1)"
    )
    parser.add_argument("--corrupt", choices=CORRUPT, help="make a broken or unusual file instead")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    return parser.parse_args(argv)


def _size(text_size: str) -> tuple[int, int]:
    width, _, height = text_size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) * int(height) <= MAX_PIXELS):
        message = f"{text_size!r} is not a size like 1920x1080 of at most {MAX_PIXELS:,} pixels"
        raise argparse.ArgumentTypeError(message)
    return int(width), int(height)


if __name__ == "__main__":
    raise SystemExit(main())
