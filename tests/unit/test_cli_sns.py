"""sns certificate, send."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from labkit.sns import Sender, Version
from labkit.views.sns import heard_table
from services.common.sns import Envelope, read_certificate
from tests.support.lab import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path).up()


def test_the_certificate_is_two_lines_for_env(world: World) -> None:
    """Standard output can go right into the file; the key is made once and is nobody else's to read."""
    first = world.run("sns", "certificate")
    lines = dict(line.split("=", 1) for line in first.stdout.splitlines())
    assert set(lines) == {"LAB_SNS_TOPIC_ARN", "LAB_SNS_CERTIFICATE"}
    assert read_certificate(lines["LAB_SNS_CERTIFICATE"])
    assert first.stderr.endswith(" up\n")
    assert json.loads(world.run("sns", "certificate", "--json").stdout) == lines
    path = world.root / ".lab" / "sns" / "sender.pem"
    assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_key_is_said(world: World) -> None:
    """The file is named, and what to do with it."""
    world.run("sns", "certificate")
    (world.root / ".lab" / "sns" / "sender.pem").write_text("nothing")
    result = world.run("sns", "certificate")
    assert result.exit_code == 1
    assert "sender.pem has no key" in result.stderr


def test_something_has_to_be_sent(world: World) -> None:
    """Either uploads or a subscription, not none and not both."""
    for arguments in (["sns", "send"], ["sns", "send", "a", "--subscribe"]):
        assert "not clear what to send" in world.run(*arguments).stderr


def test_a_refusal_is_the_apis_word(world: World) -> None:
    """An API that trusts nobody says so, and what to set."""
    with world.api():
        result = world.run("sns", "send", "4f1c7f0e")
    assert result.exit_code == 1
    assert "no topic may send here" in result.stderr
    assert "LAB_SNS_TOPIC_ARN" in result.stderr


def test_what_became_of_it_is_a_line_each() -> None:
    """Long keys are folded, and a subscription is a sentence."""
    records = [{"key": "uploads/" + "k" * 32, "outcome": "queued", "job_id": "k"}]
    answers = [{"confirmed": True, "records": []}, {"confirmed": False, "records": records}]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(heard_table(answers))
    text = console.export_text()
    assert "The subscription is confirmed." in text
    assert f"uploads/{'k' * 32}  queued" in text


def test_messages_are_signed(tmp_path: Path) -> None:
    """Each kind in each version is what the certificate's key signed."""
    sender = Sender.keep(tmp_path)
    versions: tuple[Version, ...] = get_args(Version)
    for version in versions:
        bodies = sender.notification("lab", ["a b"], version=version), sender.confirmation(version=version)
        for body in bodies:
            envelope = Envelope.model_validate_json(body)
            assert envelope.SignatureVersion == version
            assert envelope.is_signed_by(sender.key.public_key())
    event = json.loads(json.loads(sender.notification("lab", ["uploads/a b"]))["Message"])
    assert event["Records"][0]["s3"]["object"]["key"] == "uploads/a+b"
