"""The pictures of the pages: `dev screenshots` on the real stack, with less work than it usually sends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageStat
from typer.testing import CliRunner, Result

from labkit import screenshots
from labkit.cli import dev
from labkit.cli.app import app
from labkit.cli.context import Lab
from tests.acceptance.stack import Stack

LEAST_COLOURS = 100
"""A page of which something is drawn has more than an empty one."""
MIDDLE = 127
"""The brightness between black, 0, and white, 255."""


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder into which the pictures of the pages go, and have little work done for them."""
    monkeypatch.setattr(dev, "DOCS", tmp_path / "docs")
    less = {"QUIET_JOBS": 4, "QUIET_S": 0.1, "BURST": 6, "HEAD_START_S": 2.0}
    for name, value in {**less, "VARIANTS": screenshots.VARIANTS[-1:]}.items():
        monkeypatch.setattr(screenshots, name, value)
    return tmp_path / "docs"


def test_all_pictures_are_taken(whole_stack: Stack, pages: Path, tmp_path: Path) -> None:
    """The dashboard, wide and light, narrow and dark, and the monitor; each is a real picture of its size."""
    arguments = ("dev", "screenshots", "--yes", "--variants", str(tmp_path / "looks"))

    def labctl() -> Result:
        return CliRunner().invoke(app, arguments, obj=Lab(open_runtime=lambda _: whole_stack.runtime))

    # The tests' own Playwright has a loop in this thread already.
    with ThreadPoolExecutor(1) as elsewhere:
        result = elsewhere.submit(labctl).result()
    assert result.exit_code == 0, result.output
    taken = {pages / "dashboard.png": screenshots.MAIN}
    taken |= {tmp_path / "looks" / f"{shot.name}.png": shot for shot in screenshots.VARIANTS}
    for path, shot in taken.items():
        size, colours, brightness = _looked_at(path)
        assert size == (shot.width, shot.height)
        assert colours > LEAST_COLOURS, path.name
        assert (brightness > MIDDLE) == (shot.scheme == "light"), path.name
    assert _looked_at(pages / "monitor.png")[1] > LEAST_COLOURS
    assert {str(path) for path in (*taken, pages / "monitor.png")} <= set(result.stdout.split())


def _looked_at(path: Path) -> tuple[tuple[int, int], int, float]:
    """Return width and height, how many colours there are, and how bright it is on the average."""
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(picture.width * picture.height)
        return picture.size, len(colours or ()), ImageStat.Stat(picture.convert("L")).mean[0]
