"""Prometheus' own checks of its files: promtool comes with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from labkit.project import Project
from labkit.runtime.local.prometheus import SOURCE, Prometheus
from labkit.stack import SERVICES, find_service
from tests.support.watching import RULES, alerts

TESTS = Path(__file__).with_name("alerts.test.yml")


def _promtool(*words: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        told = pytest.fail if "CI" in os.environ else pytest.skip
        told("promtool is not installed: it comes with Prometheus.")
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_right() -> None:
    """Prometheus understands all of them."""
    _promtool("check", "rules", str(RULES))


def test_the_configuration_of_docker_is_right() -> None:
    """Prometheus understands it, and finds the rules beside it."""
    _promtool("check", "config", str(SOURCE / "prometheus.yml"))


def test_the_configuration_of_this_machine_is_right(tmp_path: Path) -> None:
    """It is made from that of Docker, with the places of this machine and the same rules."""
    services = [find_service(SERVICES, name) for name in ("prometheus", "tracker")]
    prometheus = Prometheus(Project("x", root=tmp_path), *services)
    prometheus.prepare()
    prometheus.look_at({})
    _promtool("check", "config", str(prometheus.home / "prometheus.yml"))


def test_each_alert_fires_when_it_should() -> None:
    """And does not when it should not: promtool plays series to the rules."""
    _promtool("test", "rules", str(TESTS))


def test_each_alert_is_tested_both_ways() -> None:
    """A new alert has a series that sets it off, and one that does not."""
    played = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in alerts()}
    assert {case["alertname"] for case in played if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in played if not case.get("exp_alerts")} == names
