"""Prometheus, as a test asks it; and what its rules and Grafana's dashboard ask."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
import yaml

from labkit.project import REPOSITORY

RULES = REPOSITORY / "services" / "prometheus" / "rules.yml"
GRAFANA = REPOSITORY / "services" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "queue-lab.json"

ANSWER_S, PAUSE_S = 5, 0.2

_SETS = re.compile(r"\b(?:and|or|unless)\b(?:\s+(?:on|ignoring)\s*\([^)]*\))?")
_COMPARED = re.compile(r"\s*(?:[=!]=|[<>]=?)\s*(?:scalar\((?P<other>[^()]*)\)|[\d.]+)\s*$")
_ABSENT = re.compile(r"^absent(?:_over_time)?\((?P<inner>.*?)(?:\[\w+\])?\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Watch:
    """A Prometheus that runs."""

    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression is at this moment: the samples that are numbers."""
        found = self._get("query", query=expression)["result"]
        return [sample for sample in found if not math.isnan(float(sample["value"][1]))]

    def value(self, expression: str) -> float | None:
        """Return the number of an expression that has at most one."""
        found = self.ask(expression)
        return float(found[0]["value"][1]) if found else None

    def silent(self, expressions: Iterable[str], within_s: float) -> list[str]:
        """Wait until each of these has a figure; return those that have none when the time is over."""
        left = sorted(set(expressions))
        deadline = time.monotonic() + within_s
        while left and time.monotonic() < deadline:
            left = [expression for expression in left if not self.ask(expression)]
            time.sleep(PAUSE_S)
        return left

    def up(self, label: str = "instance") -> list[str]:
        """Name the instances (or by another label) that Prometheus looks at and that answer, in order."""
        found = self._get("targets")["activeTargets"]
        return sorted({target["labels"][label] for target in found if target["health"] == "up"})

    def firing(self) -> set[str]:
        """Name the alerts that fire."""
        return {
            alert["labels"]["alertname"]
            for alert in self._get("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def _get(self, what: str, **query: str) -> Any:  # noqa: ANN401  (as the question is)
        answer = requests.get(f"{self.url}/api/v1/{what}", params=query, timeout=ANSWER_S)
        body = answer.json()
        assert body["status"] == "success", (query, body)
        return body["data"]


def rules() -> list[dict[str, Any]]:
    """Return all rules, those that record and those that alert."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Return the panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def drawn() -> Iterator[tuple[str, str]]:
    """Give each panel's title with each expression that it draws."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def operands(expression: str) -> list[str]:
    """Return what an alert compares, without the limits: it has values where all is well, too."""
    found = []
    for part in _SETS.split(expression):
        compared = _COMPARED.search(part)
        left = part[: compared.start()] if compared else part
        absent = _ABSENT.match(left.strip())
        found.append((absent["inner"] if absent else left).strip())
        if compared and compared["other"]:
            found.append(compared["other"])
    return found
