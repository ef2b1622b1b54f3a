"""What a load shows, 80 columns wide."""

from __future__ import annotations

from rich.console import Console, RenderableType

from labkit.analysis.ledger import balance
from labkit.analysis.summary import summarize
from labkit.analysis.thresholds import judge, parse
from labkit.load.records import Record
from labkit.load.session import Progress
from labkit.views.load import load_page, load_progress, progress_line
from tests.support.records import completed, record

CLOCK = {
    "accepted": 100.1,
    "published": 100.2,
    "started": 100.7,
    "fetched": 100.8,
    "processed": 101.5,
    "stored": 101.6,
    "finished": 101.7,
    "notified": 101.8,
}


def shown(page: RenderableType) -> str:
    """Render a page without colours, and hold it to its width."""
    console = Console(width=80, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(page)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert max(map(len, lines)) <= 80
    return "\n".join(lines)


def jobs(count: int, **fields: object) -> list[Record]:
    """Return completed jobs of two workers and two queues."""
    return [
        completed(
            number,
            clock=CLOCK,
            worker=f"worker-{1 + number % 2}",
            queue="image.force_resize" if number % 3 else "image.convert",
            **fields,
        )
        for number in range(count)
    ]


def page(records: list[Record], *limits: str, cut: bool = False) -> str:
    """Render the page of a run."""
    ledger, summary = balance(records, cut=cut), summarize(records)
    return shown(
        load_page(ledger, summary, [judge(parse(text), ledger, summary) for text in limits], cut=cut)
    )


def test_the_page_of_a_run_has_all_its_figures() -> None:
    """Accounts, three rates, percentiles, stages, queues and workers."""
    text = page(jobs(60, verified=True, sent_at=100.0))
    assert text.startswith("Every job is accounted for.")
    assert "60/60" in text
    for word in ("submitted", "completed", "good", "peak backlog", "60 jobs", "stdev", "P99", "queue wait"):
        assert word in text
    for word in (
        "publish",
        "fetch",
        "process",
        "store",
        "finish",
        "notify",
        "image.force_resize",
        "worker-2",
    ):
        assert word in text
    assert "2.0 s*" in text
    assert "few samples (60) for P90, P95, P99" in text
    assert "keep up" not in text


def test_a_generator_that_could_not_keep_up_is_told() -> None:
    """It is a warning, never silence; and when the API was the reason, that is said."""
    assert "The load generator could not keep up: 10 of 10 jobs left more than" in page(jobs(10))
    assert "The API answered too slowly" in page(jobs(10, held=True))
    few = page([*jobs(400, sent_at=100.0), *jobs(1, sent_at=101.0)])
    assert "1 of 401 jobs left more than 50 ms late (worst 1.0 s)" in few
    assert "could not keep up" not in few


def test_bad_ends_are_told() -> None:
    """Lost jobs, refusals and reasons are on the page."""
    text = page(
        [
            *jobs(2),
            record(sequence=7),
            record(sequence=8, status_code=400),
            record(sequence=9, outcome="failed", reason="permanent", ended_at=103.0),
        ]
    )
    assert text.startswith("Some jobs are missing or wrong.")
    assert "1 rejected" in text
    assert "1 failed: permanent" in text


def test_a_broken_off_run_says_so() -> None:
    """Jobs without an end are open then, not lost, and what was never sent is counted."""
    unsent = record(sequence=4, sent_at=None, answered_at=None, status_code=None, job_id="")
    text = page([*jobs(2), record(sequence=3), unsent], cut=True)
    assert text.startswith("Broken off after 3 of 4 jobs; 1 of them had no end yet.")


def test_thresholds_say_what_was_measured() -> None:
    """Kept, broken or unknown, with the figure beside it."""
    text = page(jobs(30), "lost==0", "p50<100", "p95<9000")
    assert "lost==0" in text
    assert "p50<100        2000  broken" in text
    assert "p95<9000       2000  unknown (few samples: 30)" in text


def test_bursts_say_when_the_system_was_empty() -> None:
    """One line a burst."""
    records = [
        *jobs(3, ended_at=102.0),
        *jobs(3, intended_at=101.0, sent_at=101.0, ended_at=104.0),
    ]
    text = page(records)
    assert "not before the next" in text
    assert "3.0 s" in text


def test_a_run_without_answers_has_a_page() -> None:
    """Nothing to show is no error."""
    nothing = [record(sent_at=100.0, answered_at=None, status_code=None, job_id="")]
    assert "1 unknown" in page(nothing)
    assert page([])


def test_progress_is_bars_or_a_line() -> None:
    """Both name late and dropped sends."""
    now = Progress(100, 60, 60, 40, late=3, dropped=1, elapsed_s=12.3)
    assert "60/100" in shown(load_progress(now))
    assert "3 sent late, 1 dropped" in shown(load_progress(now))
    assert progress_line(now) == "  12.3 s  60 answered, 40 finished of 100, 3 sent late, 1 dropped"
