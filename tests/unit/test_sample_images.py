from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from test_images import generate_sample
from test_images.generate_sample import CORRUPT, KINDS, corrupt

README = Path(generate_sample.__file__).with_name("README.md")


@pytest.mark.parametrize(
    ("kind", "name", "size", "megabytes"),
    [
        ("photo", "JPEG", (1200, 1600), (0.22, 0.28)),
        ("text", "PNG", (1403, 1662), (0.38, 0.44)),
        ("grid", "JPEG", (1920, 1080), (0.2, 0.4)),
        ("noise", "PNG", (1920, 1080), (6, 6.5)),
    ],
)
def test_pictures_of_the_workloads(
    kind: str, name: str, size: tuple[int, int], megabytes: tuple[float, float]
) -> None:
    """Each kind has the format, size and weight that the workloads name."""
    data = KINDS[kind].draw(*KINDS[kind].size, 1)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == (name, size)
    assert megabytes[0] < len(data) / 1e6 < megabytes[1]


def test_photo_is_dark_and_text_is_on_light_paper() -> None:
    """Picture A is a dark photo; picture B is grey on #f1f1f1."""
    photo = Image.open(io.BytesIO(generate_sample.photo(300, 400))).convert("L")
    assert sum(photo.tobytes()) / (300 * 400) < 80
    page = Image.open(io.BytesIO(generate_sample.text(700, 800))).convert("RGB")
    assert page.getpixel((0, 0)) == (0xF1, 0xF1, 0xF1)
    assert 100 < min(page.tobytes()) < 115


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes(kind: str) -> None:
    """A seed decides every byte of a picture, and another seed draws another one."""
    draw = KINDS[kind].draw
    assert draw(160, 120, 5) == draw(160, 120, 5)
    assert draw(160, 120, 5) != draw(160, 120, 6)


@pytest.mark.parametrize("kind", CORRUPT)
def test_same_seed_same_broken_bytes(kind: str) -> None:
    """A seed decides every byte of a broken file too."""
    assert corrupt(kind, 5) == corrupt(kind, 5)
    assert (corrupt(kind, 5) == corrupt(kind, 6)) == (kind == "empty")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
def test_any_size_can_be_drawn(kind: str, size: tuple[int, int]) -> None:
    """Pictures can be as small as a pixel."""
    assert Image.open(io.BytesIO(KINDS[kind].draw(*size, 1))).size == size


def test_unusual_files_are_what_they_say() -> None:
    """The five unusual samples really have their twist."""
    opened = {kind: Image.open(io.BytesIO(corrupt(kind))) for kind, made in CORRUPT.items() if not made.fails}
    assert getattr(opened["animated"], "n_frames", 1) == 8
    assert opened["cmyk"].mode == "CMYK"
    assert opened["sixteen-bit"].mode == "I;16"
    assert opened["rotated"].getexif()[0x0112] == 6
    assert opened["rgba"].getchannel("A").getextrema() == (0, 255)


def test_command_writes_files(tmp_path: Path) -> None:
    """The script runs by its path, writes what was asked for and prints where."""
    asked = [
        "--kind",
        "grid",
        "--size",
        "64x48",
        "--seed",
        "7",
        "--count",
        "2",
        "--out",
        str(tmp_path / "new"),
    ]
    done = subprocess.run(
        [sys.executable, generate_sample.__file__, *asked], capture_output=True, text=True, check=True
    )
    paths = [tmp_path / "new" / "grid-7.jpg", tmp_path / "new" / "grid-8.jpg"]
    assert done.stdout.splitlines() == [str(path) for path in paths]
    assert [Image.open(io.BytesIO(path.read_bytes())).size for path in paths] == [(64, 48), (64, 48)]


@pytest.mark.parametrize("kind", CORRUPT)
def test_command_writes_broken_files(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every broken kind can be written by name."""
    assert generate_sample.main(["--corrupt", kind, "--out", str(tmp_path)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.read_bytes() == corrupt(kind, 1)
    assert path.name == f"{kind}-1{CORRUPT[kind].suffix}"


@pytest.mark.parametrize("size", ["12", "0x5", "axb", "99999x99999", "-1x5"])
def test_command_refuses_bad_sizes(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A size that cannot be drawn is refused in one line that shows a good one."""
    with pytest.raises(SystemExit):
        generate_sample.main([f"--size={size}"])
    assert "is not a size like 1920x1080" in capsys.readouterr().err


def test_readme_lists_every_kind() -> None:
    """The page beside the script knows each kind and each broken file."""
    text = README.read_text()
    for name in (*KINDS, *CORRUPT):
        assert f"| `{name}`" in text
