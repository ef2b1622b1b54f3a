"""The example in CONTRIBUTING.md, as a reader would use it."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from services.worker import processors
from services.worker.processors import BadOperation, catalogue, format_operations, parse_operations
from tests.unit.processors.pictures import quarters, result

NAME = "pixelate"
PAGE = Path(processors.__file__).parents[3] / "CONTRIBUTING.md"


def example() -> str:
    """Return the block of code in the section about new operations."""
    section = PAGE.read_text().split("## A new operation\n")[1].split("\n## ")[0]
    lines = section.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("    from __future__"))
    rest = next(n for n, line in enumerate(lines[first:], first) if line and not line.startswith("    "))
    return textwrap.dedent("\n".join(lines[first:rest])).strip() + "\n"


@pytest.fixture
def _added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the example into a folder that the package of operations has for this test."""
    (tmp_path / f"{NAME}.py").write_text(example())
    monkeypatch.setattr(processors, "__path__", [*processors.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    catalogue.cache_clear()
    yield
    catalogue.cache_clear()
    del sys.modules[f"{processors.__name__}.{NAME}"]
    delattr(processors, NAME)


@pytest.mark.usefixtures("_added")
def test_new_file_is_a_new_operation() -> None:
    """A file in the package is an operation: the grammar knows its name, and a job can use it."""
    assert NAME in catalogue()
    assert format_operations(parse_operations("rotate,pixelate")) == "rotate,90;pixelate,8"
    assert format_operations(parse_operations("pixelate,4;resize")) == "pixelate,4;resize,800x600"
    with pytest.raises(BadOperation, match=r"pixelate: '1' is not a whole number .* Write pixelate,8"):
        parse_operations("pixelate,1")
    blocks = result(Image.linear_gradient("L"), "pixelate,64")
    assert blocks.size == (256, 256)
    assert len(blocks.getcolors() or ()) == 4


@pytest.mark.usefixtures("_added")
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_example_works_in_every_mode(mode: str) -> None:
    """The example holds to what is asked of an operation: the mode stays, and so does the image given."""
    (operation,) = parse_operations(NAME)
    image = quarters(50, 30, mode)
    before = image.tobytes()
    assert operation.apply(image).mode == mode
    assert image.tobytes() == before


def test_without_the_file_there_is_no_operation() -> None:
    """Nothing else in the kit knows the example."""
    with pytest.raises(BadOperation, match=f"Unknown operation '{NAME}'"):
        parse_operations(NAME)


def test_example_is_short() -> None:
    """The example stays small enough to be read at once."""
    assert len(example().splitlines()) <= 30
