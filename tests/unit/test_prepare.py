"""The homework before a class, and the bundle for a room without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from labkit.errors import BadValue, LabError
from labkit.install import wheels
from labkit.install.stamp import Wanted
from labkit.labs import bundle, prepare
from labkit.labs.classfile import ClassFile
from labkit.labs.codes import decode
from labkit.project import REPOSITORY
from labkit.views.prepare import bundle_page, ready_page, step_line

GOOD = prepare.Step("One image", ok=True, said="came back")
BAD = prepare.Step("RabbitMQ", ok=False, said="4.3.6", next_step="Ask.")


def shown(*pages: object) -> str:
    """Return what a terminal shows."""
    console = Console(width=80)
    with console.capture() as capture:
        console.print(*pages, sep="\n")
    return capture.get()


def test_ready_comes_with_a_code() -> None:
    """The code of READY is one of lab 00 with its check passed."""
    code = prepare.code("Anna")
    assert (decode(code).student, decode(code).lab, decode(code).done) == ("Anna", 0, True)
    page = shown(step_line(GOOD), ready_page([GOOD], code, "Anna", "labctl lab start"))
    assert "READY" in page
    assert code in page


def test_what_is_missing_is_said() -> None:
    """One thing that is wrong is enough; its next step is shown, and no code."""
    page = shown(ready_page([GOOD, BAD], "", "Anna", "labctl lab start"))
    assert "NOT READY" in page
    assert "Ask." in page
    assert prepare.verdict([GOOD, BAD]) is False
    assert prepare.verdict([GOOD, prepare.Step("x", ok=None, said="?")]) is None
    assert prepare.verdict([GOOD]) is True


def test_the_broker_must_be_the_one_of_the_class() -> None:
    """Without a pinned version any broker will do."""
    assert prepare.broker("3.10.8", None).ok is True
    assert prepare.broker("3.10.8", ClassFile(broker="3.10")).ok is True
    assert prepare.broker("3.10.8", ClassFile(broker="4.3")).ok is False


def test_the_packages_of_a_class_are_here() -> None:
    """The test environment holds everything that a class uses."""
    assert prepare.packages().ok is True


def make(folder: Path, **changes: object) -> Path:
    """Write a bundle without wheels for this machine and this copy of the kit, except for `changes`."""
    wanted = Wanted(REPOSITORY)
    digests = {group: wanted.digest(group) for group in bundle.GROUPS}
    made = wheels.Bundle(wheels.this_python(), wheels.this_machine(), digests, "now")
    content = json.loads(made.encode())
    folder.mkdir(exist_ok=True)
    (folder / wheels.FILE).write_text(json.dumps({**content, **changes}))
    return folder


def test_a_bundle_of_this_machine_is_accepted(tmp_path: Path) -> None:
    """Its wheels stand for the network."""
    assert wheels.source(make(tmp_path)) == tmp_path.resolve() / wheels.WHEELS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"python": "3.99"}, "is for Python 3.99"),
        ({"machine": "plan9 mips"}, "on plan9 mips"),
        ({"digests": {"base": "other"}}, "another version of Queue Lab"),
        ({"digests": {"gone": ""}}, "another version of Queue Lab"),
        ({"format": 2}, "is no bundle"),
    ],
)
def test_other_bundles_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """A bundle of another machine, or of another version, is refused before pip begins."""
    with pytest.raises(LabError, match=message):
        wheels.source(make(tmp_path, **changes))


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    """The error says how to make one."""
    with pytest.raises(LabError, match="is no bundle"):
        wheels.source(tmp_path)


@pytest.mark.parametrize(
    ("typed", "folder"),
    [
        (["prepare", "--from", "usb"], Path("usb")),
        (["--project", "x", "prepare", "--from=usb"], Path("usb")),
        (["prepare", "--from"], None),
        (["prepare"], None),
        (["up", "--from", "usb"], None),
    ],
)
def test_the_door_sees_the_bundle(typed: list[str], folder: Path | None) -> None:
    """The folder is known before anything is installed."""
    assert wheels.folder_in(typed) == folder


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    """A bundle is written into a folder of its own."""
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(BadValue, match=r"thesis\.txt"):
        bundle.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_pages_of_a_bundle_say_what_else_is_needed(tmp_path: Path) -> None:
    """RabbitMQ is not in it, and both the screen and the README say so."""
    made = bundle.Bundled(tmp_path, 136, 121_000_000, "3.11", "linux x86_64", source=True)
    with_images = replace(made, images=4, images_size=800_000_000)
    for text in (bundle.readme(with_images, "now"), shown(bundle_page(with_images, "labctl"))):
        assert "4 Docker images, 800 MB" in text
        assert "Compose v2" in text
        assert "rabbitmq-server" not in text
    for text in (bundle.readme(made, "now"), shown(bundle_page(made, "labctl prepare --from usb"))):
        assert "rabbitmq-server" in text
        assert "136 Python packages" in text
        assert "121 MB" in text
