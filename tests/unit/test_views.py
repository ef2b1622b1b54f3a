"""What the pages look like, 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from labkit.effective import Setting
from labkit.links import Link, Login
from labkit.overview import Overview, QueueDepth
from labkit.runtime.base import Event, Instance, LogLine, Progress, State, Stats
from labkit.suite import Outcome, Part
from labkit.uploads import Upload
from labkit.views import style
from labkit.views.dlq import dead_letters
from labkit.views.help import Section, help_page
from labkit.views.instances import instances_table
from labkit.views.jobs import BAR_WIDTH, job_page, jobs_table, uploads_table, waterfall
from labkit.views.links import links_table, ready
from labkit.views.logs import log_line, log_record
from labkit.views.problem import problem, spoken
from labkit.views.progress import progress_line, progress_table
from labkit.views.settings import settings_table
from labkit.views.status import status_page
from labkit.views.suite import suite_table

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def lines(page: RenderableType, width: int = 80) -> list[str]:
    """Render a page without colours."""
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(page)
    return [line.rstrip() for line in capture.get().splitlines()]


def text(page: RenderableType, width: int = 80) -> str:
    """Render a page as one string."""
    return "\n".join(lines(page, width))


def instance(name: str, state: State = State.RUNNING) -> Instance:
    """Make an instance that began 75 s ago."""
    running = state != State.STOPPED
    return Instance(
        name,
        name.rpartition("-")[0],
        state,
        id="4711" if running else "",
        started_at=NOW - timedelta(seconds=75) if running else None,
        restarts=2,
    )


def job(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a job as the API shows it."""
    clock = {"accepted": 100.0, "published": 100.1, "started": 100.5, "fetched": 100.6}
    clock |= {"processed": 101.0, "stored": 101.1, "finished": 101.1}
    return {
        "job_id": "0123456789abcdef0123456789abcdef",
        "kind": "image",
        "status": "completed",
        "operations": ["rotate,90", "resize,800x600"],
        "file_name": "holiday.jpg",
        "file_size": 250_000,
        "attempts": 1,
        "generation": 1,
        "worker": "worker-2",
        "queue": "image.jobs",
        "reason": None,
        "error_message": None,
        "clock": clock,
        "outputs": [],
        "durations_ms": {"total": 1100.0},
        **changes,
    }


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "40 ms"), (2.14, "2.1 s"), (75, "1 min 15 s"), (3700, "1 h 1 min"), (180_000, "2 d 2 h")],
)
def test_durations_read_like_speech(seconds: float, said: str) -> None:
    """A duration has one or two units, as fine as it is short."""
    assert style.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(512, "512 B"), (84_000, "84 kB"), (1_340_000, "1.3 MB"), (57_000_000, "57 MB"), (2.5e9, "2.5 GB")],
)
def test_sizes_read_like_speech(count: float, said: str) -> None:
    """A size has its unit, and a decimal when it is small."""
    assert style.size(count) == said


def test_instances_show_process_age_and_use() -> None:
    """`ps` shows state, id, age, restarts, CPU and memory, with dashes for what does not run."""
    stats = {"worker-1": Stats("worker-1", 12.4, 57_000_000)}
    found = lines(instances_table([instance("worker-1"), instance("worker-2", State.STOPPED)], stats, NOW))
    assert found[1].split() == ["worker-1", "running", "4711", "1", "min", "15", "s", "2", "12%", "57", "MB"]
    assert found[2].split() == ["worker-2", "stopped", "-", "-", "2", "-", "-"]


def overview(**changes: Any) -> Overview:  # noqa: ANN401
    """Make the overview of a stack with three workers."""
    fields: dict[str, Any] = {
        "project": "default",
        "port_offset": 0,
        "instances": (
            instance("rabbitmq-1"),
            instance("worker-1"),
            instance("worker-2"),
            instance("worker-3", State.PAUSED),
        ),
        "queues": (
            QueueDepth("image.jobs", 12, 3),
            QueueDepth("image.rotate", 0, 0),
            QueueDepth("text.jobs", 0, 3),
            QueueDepth("dead-letter", 1, 0),
        ),
        "jobs": {"completed": 41, "queued": 12},
        "unreachable": (),
    }
    return Overview(**{**fields, **changes})


def test_status_groups_instances_by_service() -> None:
    """`status` shows each service once, with its instances and their states."""
    found = text(status_page(overview(), "local"))
    assert "Project default: 3 of 4 running, local runtime" in found
    assert "2 running, 1 paused  worker-1 worker-2 worker-3" in found


def test_status_hides_queues_of_the_other_layout() -> None:
    """A queue that nobody consumes and nobody fills is not shown."""
    found = text(status_page(overview(), "local"))
    assert "image.jobs" in found
    assert "image.rotate" not in found


def test_status_says_what_is_not_reachable() -> None:
    """`status` shows the rest when the broker is away, and says so."""
    down = overview(queues=None, unreachable=("queues: RabbitMQ did not answer",))
    found = text(status_page(down, "local"))
    assert "not reachable: queues: RabbitMQ did not answer" in found
    assert "41 completed" in found


def test_status_shortens_many_instances() -> None:
    """Fifty workers fit on one line."""
    many = overview(instances=tuple(instance(f"worker-{number}") for number in range(1, 51)))
    assert "worker-1 … worker-50 (50)" in text(status_page(many, "local"))


def test_the_end_of_up_fits_twelve_lines() -> None:
    """`up` ends with headline, URLs and next steps in at most twelve lines, no URL cut."""
    links = [
        Link(f"rabbitmq management{n}", "http://127.0.0.1:23072", "a long summary " * 5) for n in range(3)
    ]
    steps = [(f"python3 /a/long/way/to/labctl.py command{n}", "why " * 20) for n in range(4)]
    found = lines(ready("Ready in 8.0 s, 1 worker.", links, steps))
    assert len(found) <= 12
    assert all("http://127.0.0.1:23072" in line for line in found[1:4])
    assert all(f"labctl.py command{n}" in line for n, line in enumerate(found[5:9]))


def test_logins_are_listed_only_when_given() -> None:
    """`urls` shows a login for each one it is given."""
    links = [Link("api", "http://127.0.0.1:8000", "uploads")]
    assert "login" not in text(links_table(links))
    assert "rabbitmq login  lab / geheim" in text(links_table(links, [Login("rabbitmq", "lab", "geheim")]))


def test_progress_keeps_one_line_an_instance() -> None:
    """The newest state of each instance is shown, with the time when it was reached."""
    events = [
        Event(Progress.STARTING, "rabbitmq-1", 0.1),
        Event(Progress.STARTING, "worker-1", 0.2),
        Event(Progress.READY, "rabbitmq-1", 7.0),
    ]
    found = lines(progress_table(events, 8.0))
    assert found[0].split() == ["✓", "rabbitmq-1", "ready", "7.0", "s"]
    assert found[1].split()[1:] == ["worker-1", "starting", "8.0", "s"]


def test_progress_without_a_terminal_is_a_plain_line() -> None:
    """A pipe gets one line an event."""
    assert progress_line(Event(Progress.READY, "worker-1", 2.04)) == "   2.0 s  worker-1 ready"


def test_jobs_keep_their_whole_id() -> None:
    """A job's id is never cut, for it is copied into the next command."""
    found = lines(jobs_table([job(operations=["resize,800x600", "watermark,a rather long text"])]))
    assert found[1].startswith("0123456789abcdef0123456789abcdef  completed")
    assert found[1].endswith("1.1 s")
    assert len(found) == 2


def test_a_waterfall_draws_each_stage_where_it_happened() -> None:
    """Bars begin where the stage before ended, and are as long as the stage took."""
    found = lines(waterfall(job()["clock"]))
    bars = {line[:10].strip(): line for line in found[1:]}
    assert bars["process"].count("█") == pytest.approx(0.4 / 1.1 * BAR_WIDTH, abs=1)
    assert bars["queue wait"].index("█") - bars["accept"].index("█") == pytest.approx(4, abs=1)
    assert "400 ms" in bars["process"]
    assert bars["finish"].count("█") == 1


def test_a_waterfall_stops_where_the_job_is() -> None:
    """Stages without both stamps are left out; without any there is nothing to draw."""
    assert [line.split()[0] for line in lines(waterfall({"accepted": 1.0, "published": 1.2}))[1:]] == [
        "accept"
    ]
    assert len(lines(waterfall({}))) == 1


def test_a_failed_job_says_why_and_where_to_look() -> None:
    """The page of a failed job shows reason, message and the command for its worker's log."""
    failed = job(status="failed", reason="permanent", error_message="the image is cut short")
    found = text(job_page(failed, "./labctl logs worker-2"))
    assert "permanent - the image is cut short" in found
    assert "./labctl logs worker-2" in found


def test_a_text_job_has_no_empty_lines_of_facts() -> None:
    """What a text job does not have is not shown."""
    found = text(job_page(job(kind="text", file_name=None, file_size=None, operations=[]), ""))
    assert "file" not in found
    assert "operations" not in found


def test_uploads_show_the_refusal_in_place_of_the_job() -> None:
    """A refused file shows the API's words."""
    sent = [
        Upload(Path("a.png"), {"job_id": "1" * 32, "status": "queued"}),
        Upload(Path("b.txt"), {}, "not an image"),
    ]
    found = lines(uploads_table(sent))
    assert found[1].split() == ["a.png", "1" * 32, "queued", "-"]
    assert "not an image" in found[2]
    assert "refused" in found[2]


def test_dead_letters_count_by_reason() -> None:
    """`dlq stats` shows the queue's length, and failed jobs by reason when there are any."""
    stats = {"dlq": "dead-letter", "failed_messages": 1, "by_reason": {"permanent": 1}}
    assert "1 message in dead-letter" in text(dead_letters(stats))
    assert "permanent" in text(dead_letters(stats))
    assert text(dead_letters({**stats, "failed_messages": 0, "by_reason": {}})) == "0 messages in dead-letter"


def test_a_json_log_line_becomes_readable() -> None:
    """Time, event and fields of a JSON line are shown; the rest of its frame is not."""
    raw = '{"at": "2026-05-01T12:00:01.250+00:00", "level": "info", "event": "job_started", '
    raw += '"instance": "worker-1", "job_id": "abc"}'
    assert lines(log_line(LogLine("worker-1", raw), 10)) == [
        "worker-1    12:00:01.250 job_started job_id=abc"
    ]
    assert log_record(LogLine("worker-1", raw))["job_id"] == "abc"


@pytest.mark.parametrize("raw", ["plain words [with] brackets", "{not json", '{"json": "without an event"}'])
def test_other_log_lines_stay_as_they_are(raw: str) -> None:
    """What is not one of our events is passed on untouched."""
    assert lines(log_line(LogLine("rabbitmq-1", raw), 10)) == [f"rabbitmq-1  {raw}"]
    assert log_record(LogLine("rabbitmq-1", raw)) == {"instance": "rabbitmq-1", "message": raw}


def test_an_error_is_what_happened_and_what_to_do() -> None:
    """The first line is red, the second is not."""
    page = problem("The stack is not up.", "Start it: ./labctl up")
    assert text(page) == "The stack is not up.\nStart it: ./labctl up"
    assert "red" in str(page.style)
    assert text(problem("Only that.", "")) == "Only that."


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Start it: labctl up", "Start it: python3 labctl.py up"),
        ("labctl down, then labctl up", "python3 labctl.py down, then python3 labctl.py up"),
        ("Look into /home/me/labctl data", "Look into /home/me/labctl data"),
        ("Start it: ./labctl up", "Start it: ./labctl up"),
        ("Run: python3 labctl.py up", "Run: python3 labctl.py up"),
    ],
)
def test_commands_are_written_as_they_are_typed_here(said: str, shown: str) -> None:
    """The plain name becomes the form that works; paths and finished commands stay."""
    assert spoken(said, "python3 labctl.py") == shown


def test_settings_show_where_they_come_from() -> None:
    """`config` shows name, value and source."""
    found = lines(settings_table([Setting("LAB_PREFETCH", "10", "stack")]))
    assert found[1].split() == ["LAB_PREFETCH", "10", "stack"]


def outcomes() -> Sequence[Outcome]:
    """Make two outcomes: one good, one bad and slow."""
    return Outcome(Part("mypy", (), 90), 0, 4.2), Outcome(Part("pytest", (), 60), 1, 75)


def test_the_suite_shows_time_against_budget() -> None:
    """Each part has its result, its time and its budget."""
    found = lines(suite_table(outcomes()))
    assert found[1].split() == ["mypy", "passed", "4.2", "s", "1", "min", "30", "s"]
    assert "failed" in found[2]
    assert [outcome.slow for outcome in outcomes()] == [False, True]


def test_the_first_panel_of_help_comes_first() -> None:
    """Sections keep their order and share the width of the names."""
    page = help_page(
        "Usage: x", "What it is.", [Section("A", [("up", "start")]), Section("B", [("down", "s")])], ""
    )
    found = lines(page)
    assert found[0] == "Usage: x"
    assert "A" in found[2]
    assert max(map(len, found)) == 80
