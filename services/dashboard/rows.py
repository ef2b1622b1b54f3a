"""What the API tells, as a page shows it. Pure functions.

Times are seconds since 1970 (UTC), durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.common.messages import Stage
from services.common.topology import DEAD_LETTER, NOTIFIER_WEBHOOKS, filled_in

Json = dict[str, Any]

STAGES: tuple[tuple[str, tuple[Stage, ...], tuple[Stage, ...]], ...] = (
    ("accept", ("accepted",), ("published",)),
    ("queue", ("published",), ("started",)),
    ("fetch", ("started",), ("fetched",)),
    # A text job is not fetched: its work begins when it is taken. Work that failed ends with the job.
    ("process", ("fetched", "started"), ("processed", "finished")),
    ("store", ("processed",), ("stored",)),
    ("finish", ("stored", "processed"), ("finished",)),
)
"""The stages of a job: each lasts from the first of some stamps that there is, to the first of others."""

WAITING = ("pending", "queued", "retrying")
OVER = ("completed", "failed")


def row(told: Json) -> Json:
    """Return a job of `GET /jobs`, or a change of `/events`, as the list shows it.

    at, end: when it was accepted and when it was over. begun: from when it is timed. stages: pairs of a name
    and a duration. now: the stage that is under way since `since`, empty when none is. why: what went wrong,
    in the pipeline's words.
    """
    clock, status = told["clock"], told["status"]
    at = clock.get("accepted") or _seconds(told.get("timestamp"))
    replayed = told["generation"] > 1
    over = status in OVER
    return {
        "id": told["job_id"],
        "kind": told["kind"],
        "name": told["file_name"] or ("text job" if told["kind"] == "text" else told["job_id"]),
        "status": status,
        "operations": told["operations"],
        "generation": told["generation"],
        "attempts": told["attempts"],
        "worker": told["worker"] or "",
        "why": why(told) if status in ("failed", "retrying") else "",
        "at": at,
        # A replay begins anew; the hours before it are not the pipeline's.
        "begun": clock.get("published", at) if replayed else at,
        "end": clock.get("finished") if over else None,
        "stages": stages(clock, replayed=replayed),
        "now": "" if over else "queue" if status in WAITING else "process",
        "since": None if over else max(clock.values(), default=None),
    }


def stages(clock: Mapping[str, float], *, replayed: bool = False) -> list[tuple[str, float]]:
    """Return how long each stage took, in their order; one that is not over is left out.

    Between the acceptance of a job and its replay it lay as a dead letter: that is no stage.
    Services on several hosts stamp with their own clocks: what comes out below zero is shown as none.
    """
    found = []
    for name, begins, ends in STAGES:
        if replayed and name == "accept":
            continue
        begin, end = _first(clock, begins), _first(clock, ends)
        if begin is not None and end is not None:
            found.append((name, round(max(0.0, end - begin) * 1000, 1)))
    return found


def _first(clock: Mapping[str, float], stamps: Sequence[Stage]) -> float | None:
    return next((clock[stamp] for stamp in stamps if stamp in clock), None)


def why(told: Json) -> str:
    """Return what went wrong: the message, and the stable word for it."""
    code = told["error_code"] or told["reason"] or ""
    message = told["error_message"] or ""
    return f"{message} ({code})" if message and code else message or code


def letter(told: Json) -> Json:
    """Return a dead letter as the list shows it."""
    return {
        "id": told["job_id"],
        "reason": told["reason"],
        "code": told["error_code"] or "",
        "message": told["error_message"] or "",
        "operations": told["operations"] or [],
        "attempts": told["attempt"],
        "replays": told["replays"] or 0,
        "origin": told["origin"] or "",
        "at": _seconds(told["at"]),
        # A message that nobody could read is no job, and cannot be sent again.
        "job": told["kind"] is not None,
    }


def worker(told: Json) -> Json:
    """Return a worker as the list shows it."""
    kept = ("instance", "host", "state", "stage", "done", "failed", "retried", "prefetch", "concurrency")
    return {
        **{name: told[name] for name in kept},
        "queues": told["queues"],
        "jobs": told["job_ids"],
        "started": _seconds(told["started_at"]),
        "silent": told["silent_s"] >= SILENT_S,
    }


SILENT_S = 2.5
"""A worker that has missed two beats: it may be frozen, or just killed."""


def queues(told: Json) -> list[Json]:
    """Return the queues that are shown: those of the layout in force, and what holds a message."""
    always = (*filled_in(told["layout"]), DEAD_LETTER)
    return [queue(each) for each in told["queues"] if each["name"] in always or each["ready"]]


def queue(told: Json) -> Json:
    """Return a queue as the list shows it; its kind says what waits there."""
    name = told["name"]
    kept = {"name": name, "ready": told["ready"], "consumers": told["consumers"]}
    return kept | {"kind": _kind(name)}


def _kind(name: str) -> str:
    if name.startswith(NOTIFIER_WEBHOOKS):
        return "webhook"  # also one that waits for a retry: it is no job
    return "dead" if name == DEAD_LETTER else "retry" if ".retry." in name else "work"


def faults(told: Json) -> list[str]:
    """Return each fault in force, in a few words."""
    found = []
    if told["fail_rate"]:
        found.append(f"{told['fail_rate'] * 100:.3g}% of attempts fail")
    found += [f"{name} +{_span(seconds)}" for name, seconds in sorted(told["delays_s"].items())]
    if told["store_latency_s"]:
        found.append(f"store +{_span(told['store_latency_s'])}")
    return found


def checks(told: Json) -> list[Json]:
    """Return what the API says of what it stands on."""
    return [{"name": name, "ok": found["ok"], "detail": found["detail"]} for name, found in told.items()]


def waiting(queues: Sequence[Json]) -> dict[str, int]:
    """Return how many jobs wait, by the kind of queue."""
    found = {"work": 0, "retry": 0, "dead": 0}
    for each in queues:
        if each["kind"] in found:
            found[each["kind"]] += each["ready"]
    return found


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:g} s"


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
