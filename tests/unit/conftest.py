"""Unit tests know no servers: what the environment says of them is hidden."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_outside_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the LAB_ variables of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LAB_")]:
        monkeypatch.delenv(name)
