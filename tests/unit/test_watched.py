"""What is drawn and what is alerted on: rules and dashboard ask for what there is, and say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from prometheus_client.metrics import MetricWrapperBase

from labkit.cli.app import app
from labkit.labs.content import everything
from services.common import metrics
from tests.support.compose import compose_file
from tests.support.watching import GRAFANA, alerts, dashboard, drawn, operands, panels, rules

# Of RabbitMQ 3.10 and 4.3 alike.
OTHERS = {
    "rabbitmq_detailed_queue_messages_ready": {"queue", "vhost"},
    "rabbitmq_detailed_queue_consumers": {"queue", "vhost"},
    "rabbitmq_process_resident_memory_bytes": set[str](),
    "rabbitmq_resident_memory_limit_bytes": set[str](),
    "rabbitmq_global_messages_received_total": {"protocol"},
    "rabbitmq_global_messages_delivered_total": {"protocol", "queue_type"},
    "rabbitmq_global_messages_acknowledged_total": {"protocol", "queue_type"},
    "rabbitmq_global_messages_redelivered_total": {"protocol", "queue_type"},
    "up": set[str](),
    "ALERTS": {"alertname", "alertstate", "severity"},
}
EVERYWHERE = {"job", "instance", "service"}
PARTS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}

_TEXT = re.compile(r'"[^"]*"')
_SELECTED = re.compile(r"([a-zA-Z_][\w:]*)\s*\{([^}]*)\}")
_CLAUSE = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"[a-zA-Z_][\w:]*(?!\s*\(|[\w:])")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def _known() -> dict[str, set[str]]:
    """Return every series that there may be, with its labels."""
    found = {name: labels | EVERYWHERE for name, labels in OTHERS.items()}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            [described] = metric.describe()
            for part in PARTS[described.type]:
                le = {"le"} if part == "_bucket" else set()
                found[described.name + part] = {*metric._labelnames, *EVERYWHERE, *le}
    return found | {rule["record"]: {"queue", "name", *EVERYWHERE} for rule in rules() if "record" in rule}


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (expression for _, expression in drawn())


def _names(expression: str) -> set[str]:
    """Return the series that an expression asks for."""
    bare = _CLAUSE.sub("", re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", _TEXT.sub("", expression)))
    return set(_NAME.findall(bare)) - _WORDS


@pytest.mark.parametrize("expression", sorted(set(_expressions())))
def test_what_is_asked_for_exists(expression: str) -> None:
    """Every series is counted by a program, told by the broker or made by a rule, with these labels."""
    known = _known()
    assert _names(expression) <= known.keys()
    for name, matchers in _SELECTED.findall(expression):
        assert set(re.findall(r"(\w+)\s*[=!]", _TEXT.sub("", matchers))) <= known[name], name


def test_the_limits_of_an_alert_are_left_out() -> None:
    """What an alert compares can be asked for where all is well."""
    assert operands('a{x="1"} > 0\n  and on (q) b == 0') == ['a{x="1"}', "b"]
    assert operands("p95 > scalar(limit)") == ["p95", "limit"]
    assert operands("absent(info) == 1") == ["info"]
    assert operands("absent_over_time(up[5s]) == 1") == ["up"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    """It waits for a moment, and names commands and a lab that there are."""
    assert re.fullmatch(r"\d+s", alert["for"])
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    runbook = alert["annotations"]["runbook"]
    assert set(re.findall(r"labctl (\w+)", runbook)) <= set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    [lab] = re.findall(r"labctl lab start (\d+)", runbook)
    assert lab in {found.number for found in everything()}


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_picture_is_finished(panel: dict[str, Any]) -> None:
    """It says what it shows, in which unit, and where its figures come from."""
    [source] = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    own = {"type": source["type"], "uid": source["uid"]}
    assert panel["description"].endswith(".")
    assert panel["datasource"] == own
    assert [target["datasource"] for target in panel["targets"]] == [own] * len(panel["targets"])
    assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"]


def test_pictures_do_not_cover_each_other() -> None:
    """Each has its own number and its own place, within 24 columns."""
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    places = [panel["gridPos"] for panel in every]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_grafana_finds_its_files() -> None:
    """The folders that it is told of are those that are mounted, and nobody can change or log in."""
    entry = compose_file()["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in entry["volumes"])
    inside = {Path(where): GRAFANA.parents[1] / source for source, where in mounted.items()}
    home = Path(entry["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (inside[home.parent] / home.name).is_file()
    [provider] = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "queue-lab.yml").read_text())[
        "providers"
    ]
    assert Path(provider["options"]["path"]) in inside
    assert provider["allowUiUpdates"] is False
    assert entry["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert entry["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
