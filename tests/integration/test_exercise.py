"""Lab 08 on a real broker: what each version of the consumer loses."""

from __future__ import annotations

from pathlib import Path

from labkit.labs import content
from labkit.labs.exercise import KILL_AFTER, MESSAGES, try_out
from tests.support.backing import Backing

LAB = content.find("08")
LATE = (LAB.folder / "solution.py").read_text()


def variant(folder: Path, text: str) -> Path:
    """Write a program."""
    path = folder / "program.py"
    path.write_text(text)
    return path


def test_automatic_acknowledgement_loses_what_was_sent(backing: Backing, tmp_path: Path) -> None:
    """Killed after 10 of 100: about 90 are lost, for the broker had sent them all."""
    found = try_out(variant(tmp_path, (LAB.folder / "exercise.py").read_text()), backing.amqp_url)
    assert found.before == KILL_AFTER
    assert MESSAGES - KILL_AFTER - 2 <= found.lost <= MESSAGES - KILL_AFTER
    assert found.back == 0


def test_too_early_an_acknowledgement_loses_one(backing: Backing, tmp_path: Path) -> None:
    """With prefetch 1 just the message in hand is gone."""
    change = LAB.file.spoiled.change
    assert change is not None
    found = try_out(variant(tmp_path, LATE.replace(*change)), backing.amqp_url)
    assert (found.lost, found.duplicated) == (1, 0)


def test_a_late_acknowledgement_loses_nothing(backing: Backing, tmp_path: Path) -> None:
    """What was in hand comes back."""
    found = try_out(variant(tmp_path, LATE), backing.amqp_url)
    assert found.lost == 0
    assert found.duplicated <= 1
    assert found.handed_out <= 2


def test_no_acknowledgement_at_all(backing: Backing, tmp_path: Path) -> None:
    """With prefetch 1 the program waits for ever after one message, and says nothing about it."""
    never = LATE.replace("        channel.basic_ack(delivery_tag=method.delivery_tag)\n", "")
    found = try_out(variant(tmp_path, never), backing.amqp_url)
    assert (found.before, found.output) == (1, "")


def test_a_program_with_a_mistake(backing: Backing, tmp_path: Path) -> None:
    """Its last words are kept for the student."""
    found = try_out(variant(tmp_path, "raise SystemExit('no queue')"), backing.amqp_url)
    assert (found.before, found.processed) == (0, 0)
    assert "no queue" in found.output
