"""What Compose itself makes of docker-compose.yml."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from labkit.stack import DOCKER_SERVICES, KEEP, launches
from tests.support.compose import ROOT, clean_environment

pytestmark = pytest.mark.docker


def _config(*options: str, **variables: str) -> dict[str, Any]:
    command = ["docker", "compose", "--env-file", "/dev/null", *options, "config", "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(**variables), check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_compose_understands_the_file() -> None:
    """Without a profile the layout is single, and nothing extra runs; with all, the whole table is there."""
    plain = {launch.service.name for launch in launches(DOCKER_SERVICES, KEEP, {}) if launch.count}
    assert set(_config()["services"]) == plain
    assert set(_config("--profile", "*")["services"]) == {service.name for service in DOCKER_SERVICES}


def test_a_setting_reaches_the_programs_only_when_it_is_set() -> None:
    """A variable without a value must not become an empty one, which a program would refuse."""
    unset = _config()["services"]["worker"]["environment"]
    assert unset.get("LAB_PREFETCH") is None
    chosen = _config(LAB_PREFETCH="5", LAB_RABBITMQ_PASSWORD="other")["services"]  # noqa: S106
    assert chosen["worker"]["environment"]["LAB_PREFETCH"] == "5"
    assert chosen["api"]["environment"]["LAB_AMQP_URL"] == "amqp://lab:other@rabbitmq:5672/"
    assert chosen["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_PASS"] == "other"  # noqa: S105


def test_a_second_stack_can_stand_beside_the_first() -> None:
    """Names of containers, volumes and the network come from the project, ports from variables."""
    second = _config("-p", "second", LAB_API_PORT="8100")
    assert second["services"]["api"]["ports"][0]["published"] == "8100"
    names = [entry["name"] for kind in ("volumes", "networks") for entry in second[kind].values()]
    assert all(name.startswith("second_") for name in names)
