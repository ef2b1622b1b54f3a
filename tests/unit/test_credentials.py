"""A project's own secrets: drawn once, kept, and drawn anew where one was taken out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from labkit.errors import ProjectError
from labkit.runtime.credentials import Credentials


def test_a_secret_that_was_emptied_is_drawn_anew(tmp_path: Path) -> None:
    """All others stay, and so does the file's mode."""
    path = tmp_path / "credentials.json"
    first = Credentials.keep(path)
    assert Credentials.keep(path) == first
    path.write_text(json.dumps({**asdict(first), "jwt_secret": ""}))
    second = Credentials.keep(path)
    assert len(second.jwt_secret) >= 32
    assert second.jwt_secret != first.jwt_secret
    assert {**asdict(second), "jwt_secret": first.jwt_secret} == asdict(first)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ['{"amqp_user": "lab",\n}', "geheim", "[]", ""])
def test_a_file_that_is_no_json_is_told(tmp_path: Path, text: str) -> None:
    """The error names the file and shows nothing of it; the file is left alone."""
    path = tmp_path / "credentials.json"
    path.write_text(text)
    with pytest.raises(ProjectError, match=r"credentials\.json cannot be read") as refused:
        Credentials.keep(path)
    assert "geheim" not in str(refused.value)
    assert path.read_text() == text
