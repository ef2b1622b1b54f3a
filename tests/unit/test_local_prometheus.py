"""The Prometheus of this machine: the same configuration as on Docker, with other places to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.errors import MissingProgram
from labkit.project import Project
from labkit.runtime.local.prometheus import SOURCE, Prometheus, prometheus_program
from labkit.stack import DOCKER_SERVICES, SERVICES, find_service

OFFSET = 100


@pytest.fixture
def prometheus(tmp_path: Path) -> Prometheus:
    """Give the Prometheus of a project that nobody starts."""
    found = (find_service(SERVICES, name) for name in ("prometheus", "tracker"))
    return Prometheus(Project("x", root=tmp_path, port_offset=OFFSET), *found)


def _jobs(path: Path) -> dict[str, Any]:
    return {job["job_name"]: job for job in yaml.safe_load(path.read_text())["scrape_configs"]}


def _targets(prometheus: Prometheus, kind: str) -> dict[str, list[str]]:
    groups = json.loads((prometheus.home / f"{kind}.json").read_text())
    return {group["labels"]["instance"]: group["targets"] for group in groups}


def test_what_is_asked_and_kept_is_the_same_on_docker(prometheus: Prometheus) -> None:
    """Only the places differ: the same jobs, paths, questions and rules, as often."""
    prometheus.prepare()
    here, there = prometheus.home / "prometheus.yml", SOURCE / "prometheus.yml"
    places = ("relabel_configs", "static_configs", "dns_sd_configs", "http_sd_configs", "file_sd_configs")
    asked = [
        {name: {key: job[key] for key in job if key not in places} for name, job in _jobs(path).items()}
        for path in (here, there)
    ]
    assert asked[0] == asked[1]
    assert yaml.safe_load(here.read_text())["global"] == yaml.safe_load(there.read_text())["global"]
    assert yaml.safe_load(here.read_text())["rule_files"] == [str(SOURCE / "rules.yml")]


def test_each_program_has_a_name_on_docker() -> None:
    """A program that is added to the stack is looked at, in either layout."""
    [names] = _jobs(SOURCE / "prometheus.yml")["programs"]["dns_sd_configs"]
    assert {f"{service.name}." for service in DOCKER_SERVICES if service.command} <= set(names["names"])


def test_instances_with_fixed_ports_are_written_down(prometheus: Prometheus) -> None:
    """Replicas have ports of their own; workers take free ones, which the tracker knows."""
    names = ("api-1", "api-2", "tracker-1", "worker-1", "object-store-1", "rabbitmq-1", "prometheus-1")
    prometheus.look_at({name: find_service(SERVICES, name.rpartition("-")[0]) for name in names})
    assert _targets(prometheus, "programs") == {
        "api-1": ["127.0.0.1:8100"],
        "api-2": ["127.0.0.1:8101"],
        "tracker-1": ["127.0.0.1:8190"],
    }
    assert _targets(prometheus, "rabbitmq") == {"rabbitmq-1": ["127.0.0.1:15892"]}
    prometheus.prepare()
    [workers] = _jobs(prometheus.home / "prometheus.yml")["programs"]["http_sd_configs"]
    assert workers["url"] == "http://127.0.0.1:8190/targets"


def test_a_broker_of_somebody_else_is_no_target(prometheus: Prometheus) -> None:
    """It would be missed for ever."""
    prometheus.look_at({"api-1": find_service(SERVICES, "api")})
    assert _targets(prometheus, "rabbitmq") == {}


def test_nobody_else_can_connect(prometheus: Prometheus) -> None:
    """It listens on this machine only."""
    assert "--web.listen-address=127.0.0.1:9290" in prometheus.arguments()


def test_a_missing_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error carries what `up` has to install, and how to do without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="Prometheus is not installed") as missing:
        prometheus_program()
    assert missing.value.program == "prometheus"
    assert "--no-observability" in missing.value.next_step
