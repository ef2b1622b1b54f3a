"""What an instructor pins for a class."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import BadValue
from labkit.labs.classfile import ClassFile, load
from labkit.project import REPOSITORY


def test_without_a_file_there_is_no_class(tmp_path: Path) -> None:
    """Nothing is pinned where nobody wrote class.toml."""
    assert load(tmp_path / "class.toml") is None


def test_a_file_pins_runtime_broker_and_labs(tmp_path: Path) -> None:
    """What is said holds; what is not said is open."""
    path = tmp_path / "class.toml"
    path.write_text('name = "Queues"\nruntime = "local"\nbroker = "3.10"\nlabs = ["01", "03"]\n')
    found = load(path)
    assert found is not None
    assert (found.name, found.runtime, found.hide_spoilers) == ("Queues", "local", True)
    assert [found.has(name) for name in ("01-first-message", "02-scaling", "03-worker-failure")] == [
        True,
        False,
        True,
    ]
    assert [found.accepts(version) for version in ("3.10.8", "3.1", "4.3.6")] == [True, False, False]


def test_an_empty_file_allows_everything() -> None:
    """All labs, any broker."""
    assert ClassFile().has("07-prefetch")
    assert ClassFile().accepts("4.3.6")


@pytest.mark.parametrize(
    ("text", "field"), [("labs = 3", "labs"), ("lab = []", "lab"), ('broker = "x"', "broker")]
)
def test_a_slip_is_named(tmp_path: Path, text: str, field: str) -> None:
    """An error says which field of the file is wrong."""
    path = tmp_path / "class.toml"
    path.write_text(text)
    with pytest.raises(BadValue, match=f"class.toml: {field}"):
        load(path)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """An unreadable file is an error with a next step."""
    path = tmp_path / "class.toml"
    path.write_text("labs = [")
    with pytest.raises(BadValue, match=r"class\.toml cannot be read"):
        load(path)


def test_the_page_for_the_instructor_shows_every_field(tmp_path: Path) -> None:
    """The example in docs/class.md can be used as it is, and leaves nothing out."""
    text = (REPOSITORY / "docs" / "class.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "class.toml"
    path.write_text(example)
    found = load(path)
    assert found is not None
    assert found.model_fields_set == set(ClassFile.model_fields) - {"format"}
