"""What the API tells, as the page shows it: jobs, letters, workers, queues, faults, charts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from services.api.views import change_view, faults_view, job_view, worker_view
from services.common.control import Faults
from services.common.jobs import JobRow
from services.common.messages import Change, Clock, Status
from services.common.roster import Heard
from services.common.topology import DEAD_LETTER, WORK_QUEUES, Layout, filled_in
from services.dashboard import charts, rows
from services.dashboard.board import Point
from tests.support.examples import heartbeat

CLOCK: Clock = {
    "accepted": 100.0,
    "published": 100.1,
    "started": 102.1,
    "fetched": 102.15,
    "processed": 102.65,
    "stored": 102.7,
    "finished": 102.71,
}


def change(status: Status, clock: Clock, **more: Any) -> dict[str, Any]:  # noqa: ANN401  (any field)
    """Return a change as the stream tells it."""
    fields: dict[str, Any] = {"seq": 1, "job_id": "a", "kind": "image", "generation": 1, "attempt": 1}
    return change_view(Change(**(fields | {"status": status, "clock": clock} | more)))


def test_a_job_is_the_same_from_the_list_and_from_the_stream() -> None:
    """Whether it was listed or told, a job makes the same row."""
    fields: dict[str, Any] = {"job_id": "a", "kind": "image", "status": "completed", "generation": 1}
    shared: dict[str, Any] = {"operations": "resize,80x60", "filename": "a.jpg", "worker": "worker-1"}
    nothing: dict[str, Any] = {field.name: None for field in dataclasses.fields(JobRow)}
    row = {"id": 1, "created_at": 100.0, "attempt": 1, "clock": CLOCK, "priority": 0, "outputs": ()}
    listed = JobRow(**(nothing | row | fields | shared))
    told = Change(seq=1, attempt=1, clock=CLOCK, **fields, **shared)
    assert rows.row(job_view(listed)) == rows.row(change_view(told))


def test_a_finished_job_has_all_its_stages() -> None:
    """Each stage lasts from its stamp to the next, and nothing is under way any more."""
    row = rows.row(change("completed", CLOCK, filename="a.jpg"))
    assert row["stages"] == [
        ("accept", 100.0),
        ("queue", 2000.0),
        ("fetch", 50.0),
        ("process", 500.0),
        ("store", 50.0),
        ("finish", 10.0),
    ]
    assert (row["at"], row["end"], row["now"], row["since"]) == (100.0, 102.71, "", None)


def test_a_replay_begins_anew() -> None:
    """The time as a dead letter is no stage and in no total; the place in the list stays."""
    clock: Clock = {"accepted": 100.0, "published": 9000.0, "started": 9001.0, "finished": 9003.0}
    row = rows.row(change("failed", clock, generation=2))
    assert row["stages"] == [("queue", 1000.0), ("process", 2000.0)]
    assert (row["at"], row["begun"], row["end"]) == (100.0, 9000.0, 9003.0)
    first = rows.row(change("failed", clock, generation=1))
    assert (first["begun"], first["stages"][0]) == (100.0, ("accept", 8_900_000.0))


@pytest.mark.parametrize(
    ("status", "now"),
    [("pending", "queue"), ("queued", "queue"), ("retrying", "queue"), ("processing", "process")],
)
def test_a_stage_is_under_way_until_the_end(status: Status, now: str) -> None:
    """A job that is not over says what it is at, and since when."""
    row = rows.row(change(status, {"accepted": 100.0, "published": 100.5}))
    assert (row["now"], row["since"], row["end"]) == (now, 100.5, None)
    assert row["stages"] == [("accept", 500.0)]


def test_a_text_job_is_not_fetched() -> None:
    """Its work begins when it is taken, and it has a name although it has no file."""
    clock: Clock = {"accepted": 1.0, "published": 1.0, "started": 2.0, "processed": 3.0, "finished": 3.0}
    row = rows.row(change("completed", clock, kind="text"))
    assert [name for name, _ in row["stages"]] == ["accept", "queue", "process", "finish"]
    assert row["name"] == "text job"


def test_work_that_failed_is_work() -> None:
    """What was begun and not finished lasted until the job was given up."""
    clock = {"accepted": 1.0, "published": 1.0, "started": 2.0, "finished": 2.5}
    assert rows.stages(clock) == [("accept", 0.0), ("queue", 1000.0), ("process", 500.0)]


def test_clocks_that_disagree_make_no_negative_stage() -> None:
    """Hosts have clocks of their own; a bar cannot be shorter than nothing."""
    assert rows.stages({"accepted": 5.0, "published": 4.0}) == [("accept", 0.0)]


def test_a_failure_is_told_in_the_pipelines_words() -> None:
    """The message stands first, then the word for it; without a message the word alone."""
    told = {"error_message": "no answer", "error_code": "storage_unavailable", "reason": None}
    assert rows.row(change("failed", CLOCK, **told))["why"] == "no answer (storage_unavailable)"
    assert rows.row(change("failed", CLOCK, reason="delivery_limit"))["why"] == "delivery_limit"
    assert rows.row(change("completed", CLOCK, **told))["why"] == ""


def test_a_silent_worker_is_shown_as_one() -> None:
    """Who has missed beats may be frozen; what it had in hand is shown all the same."""
    beat = heartbeat("worker-1", state="busy", job_ids=("a",), stage="process")
    fresh, silent = (rows.worker(worker_view(Heard(beat, age))) for age in (0.5, 3.0))
    assert (fresh["silent"], silent["silent"]) == (False, True)
    assert (silent["jobs"], silent["stage"], silent["started"]) == (["a"], "process", 0.5)


def test_queues_have_kinds() -> None:
    """What waits is counted apart: to be done, to be tried again, given up."""
    told = [
        {"name": "image.jobs", "ready": 3, "consumers": 2},
        {"name": "image.jobs.retry.5s", "ready": 2, "consumers": 0},
        {"name": "dead-letter", "ready": 1, "consumers": 0},
        {"name": "notifier.webhooks", "ready": 7, "consumers": 1},
        {"name": "notifier.webhooks.retry.5s", "ready": 7, "consumers": 0},
    ]
    found = list(map(rows.queue, told))
    assert [queue["kind"] for queue in found] == ["work", "retry", "dead", "webhook", "webhook"]
    assert rows.waiting(found) == {"work": 3, "retry": 2, "dead": 1}


OTHER_LAYOUT = {"single": "image.other", "per-operation": "image.jobs"}


@pytest.mark.parametrize("layout", OTHER_LAYOUT)
@pytest.mark.parametrize("consumers", [0, 1, 2])
def test_queues_of_the_layout_in_force_are_shown(layout: Layout, consumers: int) -> None:
    """However many consume, those of the other layout are not, unless something waits in one of them."""
    names = (*WORK_QUEUES, DEAD_LETTER)
    depths = {name: {"name": name, "ready": 0, "consumers": consumers} for name in names}
    told = {"layout": layout, "queues": list(depths.values())}
    assert {queue["name"] for queue in rows.queues(told)} == {*filled_in(layout), DEAD_LETTER}
    left = OTHER_LAYOUT[layout]
    depths[left]["ready"] = 1
    assert {queue["name"] for queue in rows.queues(told)} == {*filled_in(layout), DEAD_LETTER, left}


def test_faults_are_few_words() -> None:
    """Each fault in force has a phrase; none has none."""
    assert rows.faults(faults_view(Faults())) == []
    shown = rows.faults(
        faults_view(Faults(fail_rate=0.15, delays_s={"convert": 0.5, "text": 2}, store_latency_s=0.02))
    )
    assert shown == ["15% of attempts fail", "convert +500 ms", "text +2 s", "store +20 ms"]


def test_a_letter_that_is_no_job_cannot_be_sent_again() -> None:
    """A message that nobody could read is shown with its reason, and without operations."""
    told = {
        **dict.fromkeys(("kind", "operations", "generation", "replays", "error_code", "error_message")),
        "job_id": "m",
        "reason": "bad_message",
        "attempt": 0,
        "origin": "",
        "at": None,
    }
    letter = rows.letter(told)
    assert (letter["job"], letter["reason"], letter["operations"], letter["at"]) == (
        False,
        "bad_message",
        [],
        None,
    )


def test_charts_end_now() -> None:
    """The newest point stands at 0, the others before it; without points the axes are there all the same."""
    rates = {"accepted": 1.0, "completed": 0.5, "failed": 0.0}
    points = [Point(at, waiting, 0, 0, **rates) for at, waiting in ((98.0, 4), (100.0, 7))]
    assert charts.depths(points)["series"][0]["data"] == [[-2.0, 4], [0.0, 7]]
    assert [line["name"] for line in charts.rates(points)["series"]] == ["in", "done", "failed"]
    assert charts.depths([])["series"][0]["data"] == []


def test_charts_say_their_numbers() -> None:
    """Who cannot see a chart is told its title and the newest numbers."""
    points = [Point(at, waiting, 0, 2, 0.25, 1.0, 0.0) for at, waiting in ((98.0, 4), (100.0, 1700))]
    assert _label(charts.depths(points)) == "Messages: waiting 1,700, retrying 0, dead 2"
    assert _label(charts.rates(points)) == "Jobs a second: in 0.2, done 1.0, failed 0.0"
    assert _label(charts.depths([])) == "Messages: none yet"


def _label(options: charts.Options) -> str:
    return str(options["aria"]["label"]["description"])


@pytest.mark.parametrize(("grey", "ground"), [(1.0, "#ffffff"), (1.35, "#171d25")])
def test_the_words_of_charts_can_be_read(grey: float, ground: str) -> None:
    """On light and on dark they have the contrast that WCAG asks of small text."""
    brighter, darker = sorted((_luminance(charts.GREY, grey), _luminance(ground)), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= 4.5


def _luminance(colour: str, brightness: float = 1.0) -> float:
    """Return the relative luminance of a colour: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    shares = [min(1.0, brightness * int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
