"""docs/observability.md has each picture and each alert."""

from __future__ import annotations

import re

from labkit.runtime.local.prometheus import LIMITS
from services.common.roster import FRESH_S
from tests.docs.render import ROOT
from tests.support.watching import alerts, panels, rules

PAGE = (ROOT / "docs" / "observability.md").read_text()


def _rows(heading: str) -> dict[str, str]:
    """Return the rows of a section's table by their first cell."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return {row.split("|")[1].strip(): row for row in rows[1:]}


def test_every_picture_is_explained() -> None:
    """In the order of the dashboard; the single numbers share a row."""
    listed = list(_rows("The dashboard"))
    single = ", ".join(panel["title"] for panel in panels() if panel["type"] == "stat")
    assert listed == [single, *(panel["title"] for panel in panels() if panel["type"] != "stat")]


def test_every_alert_has_a_way_to_set_it_off() -> None:
    """Each has a row with the time that it waits, a command that sets it off, and what ends it."""
    rows = _rows("The alerts")
    assert set(rows) == {alert["alert"] for alert in alerts()}
    for alert in alerts():
        _, _, when, off, end, _ = rows[alert["alert"]].split("|")
        assert alert["alert"] == "ErrorBudgetBurning" or f"for {alert['for'].removesuffix('s')} s" in when
        assert "`labctl " in off
        assert end.strip()


def test_the_figures_are_those_of_the_files() -> None:
    """Targets, budget, and how long something is kept."""
    recorded = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
    assert recorded["job_latency_seconds:target"] == "vector(10)"
    assert "the target of P95, 10 s" in PAGE
    assert recorded["jobs_failed:budget"] == "vector(0.01)"
    assert "99 of 100 jobs are completed" in PAGE
    assert LIMITS == ("--storage.tsdb.retention.time=2d", "--storage.tsdb.retention.size=256MB")
    assert "two days, 256 MB at the most" in PAGE
    assert f"silent for {FRESH_S:g} s leaves" in PAGE
    assert "`scale 4` shows four within twenty seconds" in PAGE
    [workers] = [panel for panel in panels() if panel["title"] == "Workers that answer"]
    assert "`labctl scale 4` changes it within twenty seconds" in workers["description"]
    [burning] = [alert for alert in alerts() if alert["alert"] == "ErrorBudgetBurning"]
    assert re.findall(r">=? (\d+)", burning["expr"]) == ["6", "6", "10"]
    assert "more than 6 in 100 jobs have failed, at least 10 jobs" in PAGE
