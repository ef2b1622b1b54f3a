"""However a file is made, reading it stays within bounds of memory and time."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

from services.worker.processors import BrokenImage, ImageInfo, NotAnImage, TooManyPixels, inspect
from services.worker.processors.limits import check_directories, check_scans, rationed
from tests.unit.processors.bombs import BOMBS, jpeg, segment, strip, tag, tiff
from tests.unit.processors.pictures import opened, quarters, run, saved

MEMORY_MB = 150
PIXELS_MB = 600

# Runs in a process of its own: the peak of a process never falls again. The limits only end what runs away.
METER = """
import io, json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from PIL import Image, TiffImagePlugin
from services.common.errors import PermanentError
from services.worker.processors import catalogue, inspect, parse_operations, process

def peak_mb():
    # Not ru_maxrss: that begins with what the parent had.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

with open(sys.argv[1], "rb") as file:
    data = file.read()
operations = parse_operations("flip;metadata")
small = io.BytesIO()
Image.new("RGB", (8, 8)).save(small, "PNG")
process(small.getvalue(), operations)
before = peak_mb()
try:
    inspect(io.BytesIO(data))
    code = "ok"
except PermanentError as error:
    code = error.code
header = peak_mb() - before
try:
    process(data, operations)
    end = "ok"
except PermanentError as error:
    end = error.code
print(json.dumps({"inspected": code, "ends": end, "header_mb": header, "peak_mb": peak_mb() - before}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its peak")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name: str, tmp_path: Path) -> None:
    """A hostile file ends as it should, within a bound of memory, and at the door when its header tells."""
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name].make())
    assert path.stat().st_size < 21_000_000
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", METER, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    found = json.loads(done.stdout)
    assert found["ends"] == BOMBS[name].ends
    assert found["inspected"] == ("ok" if found["ends"] == "broken_image" else found["ends"])
    assert found["header_mb"] < 100
    assert found["peak_mb"] < (PIXELS_MB if name == "PNG of pixels" else MEMORY_MB)


def test_bigger_tiff_is_read_alike() -> None:
    """BigTIFF and both byte orders are checked, and good ones pass."""
    for options in ({"big_tiff": True}, {"big_tiff": False}):
        data = saved(quarters(), "TIFF", **options)
        check_directories(io.BytesIO(data), 1000)
        assert inspect(io.BytesIO(data)) == ImageInfo("TIFF", 40, 20)
    swapped = b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 322, 4, 1, 9000, 0)
    check_directories(io.BytesIO(swapped), 1000)
    swapped = b"MM\0*" + struct.pack(">IHHHIIHHIII", 8, 2, 322, 4, 1, 9000, 323, 4, 1, 9000, 0)
    with pytest.raises(TooManyPixels):
        check_directories(io.BytesIO(swapped), 1000)


@pytest.mark.parametrize("prefix", TiffImagePlugin.PREFIXES)
def test_every_prefix_is_checked(prefix: bytes) -> None:
    """No way to begin a TIFF that Pillow knows leads past the check."""
    order = "<" if prefix.startswith(b"I") else ">"
    if b"+" in prefix:
        data = prefix + struct.pack(order + "HHQQHHQQQ", 8, 0, 16, 1, 273, 4, 300_000, 8, 0)
    else:
        data = prefix + struct.pack(order + "IHHHIII", 8, 1, 273, 4, 300_000, 8, 0)
    with pytest.raises(NotAnImage):
        check_directories(io.BytesIO(data), 1000)


def test_directories_that_loop() -> None:
    """A directory that names itself is read a few times, not for ever."""
    check_directories(io.BytesIO(tiff(*strip(), tag(34665, 4, 1, 8))), 1000)


def test_lost_directory_does_not_spoil_a_picture() -> None:
    """A TIFF whose camera notes point behind its end is a good picture."""
    for offset in (600, 2**32 - 1):
        data = tiff(*strip(), tag(34665, 4, 1, offset))
        assert opened(run(data, "flip").result).size == (8, 8)


def test_ordinary_notes_pass() -> None:
    """Some hundred segments, as large profiles and previews need them, are no reason to refuse a photo."""
    noted = jpeg(segment(0xED, bytes(60_000)) * 300)
    assert inspect(io.BytesIO(noted)) == ImageInfo("JPEG", 64, 48)
    assert opened(run(noted, "flip").result).size == (64, 48)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_ordinary_scans_pass(mode: str) -> None:
    """A progressive photo has about ten scans; an appended film, which may look like more, is not read."""
    photo = saved(quarters(320, 160, mode), "JPEG", progressive=True)
    for data in (photo, photo + random.Random(1).randbytes(2_000_000)):
        check_scans(data)
        assert opened(run(data, "flip").result).size == (320, 160)


def test_scans_cannot_hide() -> None:
    """Scans are counted behind a comment that pretends to end the image, and behind padding."""
    whole = BOMBS["JPEG of scans"].make()
    first = whole.index(b"\xff\xda")
    for trick in (segment(0xFE, b"\xff\xd9"), b"\xff\xff\xff", b"\xff\x01\xff\xff", b"\0\0"):
        with pytest.raises(BrokenImage):
            check_scans(whole[:first] + trick + whole[first:])


def test_rationed_stream() -> None:
    """A rationed stream gives what is there, then the error that was asked for."""
    stream = rationed(io.BytesIO(b"abcdef"), 2, BrokenImage)
    assert (stream.read(2), stream.tell(), stream.read()) == (b"ab", 2, b"cdef")
    with pytest.raises(BrokenImage, match="more parts"):
        stream.read()


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_longest_side(name: str) -> None:
    """A side may have 65,535 pixels, where the format itself allows it, and not one more."""
    longest = {"JPEG": 65_500, "WEBP": 16_383}.get(name, 65_535)
    for size in ((longest, 1), (1, longest)):
        made = opened(run(saved(Image.new("L", size), name), "resize,100x100").result)
        assert sorted(made.size) == [1, 100]
    if name in ("PNG", "BMP", "TIFF"):
        with pytest.raises(TooManyPixels, match="more than 65,535 pixels on a side"):
            inspect(io.BytesIO(saved(Image.new("L", (65_536, 1)), name)))
