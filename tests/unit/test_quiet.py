"""Libraries that print do not get between the lines of a log."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from services.worker.quiet import silence_libtiff

WIDTH = 200


def test_a_damaged_tiff_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong with it is an exception, and that is enough."""
    if not silence_libtiff():
        pytest.skip("this Pillow has a libtiff of the system")
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, WIDTH), (10, 200, 30)).save(file, "TIFF", compression="tiff_deflate")
    data = file.getvalue().replace(b"\x78\x9c", b"\x78\x00", 1)
    assert data != file.getvalue()
    with pytest.raises(OSError, match="decoder error"), Image.open(io.BytesIO(data)) as image:
        image.load()
    assert capfd.readouterr().err == ""
