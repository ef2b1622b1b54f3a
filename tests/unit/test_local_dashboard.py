"""The dashboard on this machine: what it is started with, and what it needs that not everybody has."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import MissingProgram
from labkit.project import Project
from labkit.runtime.credentials import Credentials
from labkit.runtime.local import placements
from labkit.runtime.local.placements import Placer
from labkit.stack import SERVICES, Options

WANTED = Options(extras={"dashboard": True}, only=("dashboard",))


@pytest.fixture
def placer(tmp_path: Path) -> Placer:
    project = Project("x", root=tmp_path, port_offset=300)
    return Placer(project, SERVICES, Credentials.generate(), lambda: Path("/usr/sbin/rabbitmq-server"))


def test_it_is_told_where_the_api_is(placer: Placer) -> None:
    """It asks the stack's own API, and signs its cookies with a secret that was drawn for it."""
    [placed] = placer.placements(WANTED)
    assert placed.ports == (8380,)
    assert placed.env["LAB_API_URL"] == "http://127.0.0.1:8300"
    assert len(placed.env["LAB_DASHBOARD_SECRET"]) > 32


def test_without_its_packages_it_is_named(placer: Placer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` learns what to install, and a person what to type where labctl may not install."""
    monkeypatch.setattr(placements, "find_spec", lambda _: None)
    with pytest.raises(MissingProgram, match="packages of the dashboard") as missing:
        placer.placements(WANTED)
    assert missing.value.program == "dashboard"
    assert "pip install" in missing.value.next_step
