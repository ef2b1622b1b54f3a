"""Ends of jobs, counted."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.common.jobs.uploads import EXPIRED
from services.common.messages import Change, Changes
from services.tracker import outcomes


def _ended(status: str, **changes: Any) -> Changes:  # noqa: ANN401  (any field of a change)
    """Return the commit that ended a text job after ten seconds."""
    fields: dict[str, Any] = {
        "seq": 1,
        "job_id": "j",
        "kind": "text",
        "status": status,
        "generation": 1,
        "attempt": 1,
        "clock": {"accepted": 100.0, "published": 101.0, "finished": 110.0},
    }
    return Changes(rows=(Change(**(fields | changes)),), ended=("j",))


def _counted(outcome: str, reason: str = "") -> float:
    labels = {"kind": "text", "outcome": outcome, "reason": reason}
    return REGISTRY.get_sample_value("jobs_ended_total", labels) or 0.0


def _seconds(outcome: str) -> tuple[float, float]:
    """Return how many latencies were observed, and their sum."""
    labels = {"kind": "text", "outcome": outcome}
    count, total = (
        REGISTRY.get_sample_value(f"job_latency_seconds_{part}", labels) or 0.0 for part in ("count", "sum")
    )
    return count, total


def test_every_outcome_is_there_before_the_first_job() -> None:
    """A rate needs the value from before the first failure."""
    outcomes.prepare()
    labels = {"kind": "image", "outcome": "failed", "reason": "delivery_limit"}
    assert REGISTRY.get_sample_value("jobs_ended_total", labels) is not None


def test_an_end_counts_with_its_latency() -> None:
    """A completed job counts once, from its acceptance to its end."""
    before, (count, total) = _counted("completed"), _seconds("completed")
    outcomes.count(_ended("completed"))
    assert _counted("completed") == before + 1
    assert _seconds("completed") == (count + 1, total + 10)


def test_what_did_not_end_does_not_count() -> None:
    """Neither a row that only moved, nor one that was sent again in the same commit."""
    before = _counted("completed"), _counted("failed", "permanent"), _seconds("completed")
    outcomes.count(_ended("completed").model_copy(update={"ended": ()}))
    outcomes.count(_ended("queued", generation=2))
    assert (_counted("completed"), _counted("failed", "permanent"), _seconds("completed")) == before


def test_a_replay_begins_anew() -> None:
    """Its latency counts from when it was sent again."""
    count, total = _seconds("completed")
    outcomes.count(_ended("completed", generation=2))
    assert _seconds("completed") == (count + 1, total + 9)


@pytest.mark.parametrize(
    ("reason", "label"), [("permanent", "permanent"), ("made up", "other"), (None, "other")]
)
def test_reasons_are_bounded(reason: str | None, label: str) -> None:
    """A reason that the kit does not know adds no label."""
    before = _counted("failed", label)
    outcomes.count(_ended("failed", reason=reason))
    assert _counted("failed", label) == before + 1
    assert (
        REGISTRY.get_sample_value(
            "jobs_ended_total", {"kind": "text", "outcome": "failed", "reason": "made up"}
        )
        is None
    )


def test_an_upload_that_never_came_has_no_latency() -> None:
    """How long its client hesitated says nothing about the pipeline."""
    before = _seconds("failed")
    outcomes.count(_ended("failed", reason=EXPIRED))
    assert (_counted("failed", EXPIRED), _seconds("failed")) == (1, before)
