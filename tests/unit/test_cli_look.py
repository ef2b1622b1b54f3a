"""status, ps, urls, config, logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.effective import masked
from labkit.links import logins
from tests.support.lab import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose stack runs with two workers."""
    return World.make(tmp_path).up(workers=2)


def test_status_shows_services_queues_and_jobs(world: World) -> None:
    """`status` is one screen about everything."""
    world.waiting = 7
    found = json.loads(world.run("status", "--json").stdout)
    assert {"name": "text.jobs", "ready": 7, "consumers": 0} in found["queues"]
    assert found["jobs"] == {}
    assert [entry["name"] for entry in found["instances"]][4:6] == ["worker-1", "worker-2"]
    shown = world.run("status").stdout
    assert "7 of 7 running" in shown
    assert len(shown.splitlines()) < 24


def test_status_works_without_the_broker(world: World) -> None:
    """A dead broker is said, and the rest is shown."""
    world.broker_answers = False
    result = world.run("status")
    assert result.exit_code == 0
    assert "not reachable: queues" in result.stdout
    assert "none yet" in result.stdout


def test_status_works_without_the_job_table(world: World) -> None:
    """A missing job table is said, and the rest is shown."""
    (world.root / "jobs.db").unlink()
    result = world.run("status")
    assert result.exit_code == 0
    assert "not reachable: jobs" in result.stdout
    assert "image.jobs" in result.stdout


def test_ps_lists_every_instance(world: World) -> None:
    """`ps` has a line an instance, and says the same in JSON."""
    assert len(world.run("ps").stdout.splitlines()) == 8
    found = json.loads(world.run("ps", "--json").stdout)
    assert [entry["state"] for entry in found["instances"]] == ["running"] * 7
    assert len(found["stats"]) == 7


def test_urls_hide_logins_until_asked(world: World) -> None:
    """Passwords are printed by `urls --secrets` only."""
    assert "login" not in world.run("urls").stdout.lower().replace("logins: ", "")
    environment = {
        "LAB_AMQP_URL": "amqp://lab:a%2Fb@127.0.0.1:5772/",
        "LAB_S3_ACCESS_KEY": "lab",
        "LAB_S3_SECRET_KEY": "geheim",
        "LAB_WEBHOOK_SECRET": "whsec_geheim",
    }
    assert [(login.name, login.password) for login in logins(environment)] == [
        ("rabbitmq", "a/b"),
        ("object-store", "geheim"),
        ("webhooks", "whsec_geheim"),
    ]
    assert logins({}) == []


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("LAB_AMQP_URL", "amqp://lab:pw@host:5772/", "amqp://lab:***@host:5772/"),
        ("LAB_DATABASE_URL", "postgresql+psycopg://lab:p:w@db/lab", "postgresql+psycopg://lab:***@db/lab"),
        ("LAB_DATABASE_URL", "sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("LAB_S3_SECRET_KEY", "geheim", "***"),
        ("LAB_WEBHOOK_SECRET", "whsec_geheim", "***"),
        ("LAB_S3_ENDPOINT", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    ],
)
def test_secrets_are_masked(name: str, value: str, shown: str) -> None:
    """A secret, and the password in a URL, are not shown."""
    assert masked(name, value) == shown


def test_config_tells_who_chose_a_value(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is a default, yours, or what the running stack has."""
    monkeypatch.setenv("LAB_MAX_PIXELS", "1000")
    world.run("up", "--prefetch", "10")
    found = {entry["name"]: entry for entry in json.loads(world.run("config", "--json").stdout)}
    assert found["LAB_PREFETCH"] == {"name": "LAB_PREFETCH", "value": "10", "source": "stack"}
    assert found["LAB_MAX_PIXELS"]["value"] == "1000"
    assert found["LAB_MAX_PIXELS"]["source"] == "yours"
    assert found["LAB_LAYOUT"]["source"] == "default"


def test_config_works_without_a_stack(world: World) -> None:
    """`config` needs no stack."""
    world.runtime.down()
    assert "LAB_PREFETCH" in world.run("config").stdout


def test_logs_of_a_service_an_instance_or_all(world: World) -> None:
    """`logs` takes a service, an instance or nothing; `-n` bounds each instance."""
    world.runtime.restart("worker-1")
    assert {line.split()[0] for line in world.run("logs", "worker").stdout.splitlines()} == {
        "worker-1",
        "worker-2",
    }
    assert len(world.run("logs", "worker-1", "-n", "1").stdout.splitlines()) == 1
    assert "rabbitmq-1" in world.run("logs").stdout


def test_logs_as_json_are_one_object_a_line(world: World) -> None:
    """Each line of `logs --json` is an object that names its instance."""
    [line] = world.run("logs", "api", "--json").stdout.splitlines()
    assert json.loads(line)["instance"] == "api-1"


def test_logs_of_an_unknown_name_say_what_is_known(world: World) -> None:
    """A typing error gets the list of names."""
    result = world.run("logs", "wroker")
    assert result.exit_code == 1
    assert "worker" in result.stderr
