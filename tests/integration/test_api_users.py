"""`python -m services.api` with users, on a real broker, store and database."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from labkit.settings import base_environment
from services.common.jobs import JobStore
from tests.support.people import PASSWORD, SECRET
from tests.support.programs import check_lines, running
from tests.support.waiting import eventually


async def test_the_admin_of_the_settings_logs_in(environment: dict[str, str], tmp_path: Path) -> None:
    """It is made as soon as the tables are there, after a start before them too; no secret is logged."""
    wanted = {**environment, "LAB_AUTH": "required", "LAB_JWT_SECRET": SECRET, "LAB_ADMIN_PASSWORD": PASSWORD}
    wanted["LAB_DATABASE_URL"] = f"sqlite:///{tmp_path}/later.db"
    table = JobStore(wanted["LAB_DATABASE_URL"])
    async with running("api", wanted) as api:
        await eventually(lambda: "admin_delayed" in api.events())
        table.create_schema()
        await eventually(lambda: "user_registered" in api.events())
        token = await asyncio.to_thread(_logged_in, api.url)
        assert (await api.get("/queues"))[0] == 401
        assert await api.end() == 0
        check_lines(api)
        lines = json.dumps(api.lines)
        assert not any(secret in lines for secret in (SECRET, PASSWORD, token))
    table.close()


def _logged_in(url: str) -> str:
    """Log in, do what only an admin may, and return the token."""
    login = {"username": "admin", "password": PASSWORD}
    answer = urllib3.request("POST", f"{url}/auth/login", json=login)
    assert (answer.status, answer.json()["role"]) == (200, "admin")
    token = str(answer.json()["access_token"])
    queues = urllib3.request("GET", f"{url}/queues", headers={"Authorization": f"Bearer {token}"})
    assert queues.status == 200
    return token


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"LAB_HOST": "0.0.0.0"}, "LAB_OPEN_TO_NETWORK"),
        ({"LAB_AUTH": "required", "LAB_JWT_SECRET": ""}, "LAB_JWT_SECRET"),
        ({"LAB_AUTH": "required", "LAB_JWT_SECRET": "too short"}, "LAB_JWT_SECRET"),
    ],
)
def test_it_does_not_start_open(environment: dict[str, str], settings: dict[str, str], said: str) -> None:
    """Without users it does not listen to the network, and without a good secret it has no users."""
    done = subprocess.run(
        [sys.executable, "-m", "services.api"],
        env={**base_environment(), **environment, "LAB_PORT": "0", **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"{said}: ")
    assert "too short" not in done.stderr
