"""The monitor's screen: what stands on it, and that nothing ever wraps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from labkit.control.marks import Mark
from labkit.monitor.picture import Picture
from labkit.sampling.samples import InstanceSample, QueueSample, Sample, StageSample
from labkit.views.lines import Column, fit, row, sparkline
from labkit.views.monitor import Surround, monitor_line, monitor_page
from labkit.views.performance import performance_page
from tests.support.pictures import AT, picture, queue, sample, worker

SURROUND = Surround("project default", "q: quit", lambda text: text.replace("labctl", "python3 labctl.py"))
SIZES = [(80, 24), (120, 40)]


def lines(page: RenderableType, width: int) -> list[str]:
    """Render a page without colours."""
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(page, end="")
    return capture.get().splitlines()


def page(found: Picture, width: int = 80, height: int = 24) -> list[str]:
    """Render the screen."""
    return lines(monitor_page(found, width, height, SURROUND), width)


def many(count: int) -> tuple[InstanceSample, ...]:
    """Make so many workers."""
    return tuple(worker(f"worker-{number}") for number in range(1, count + 1))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_healthy_stack_says_so_first(width: int, height: int) -> None:
    """The first line is the verdict in a word, the last line fits."""
    found = page(picture([sample()]), width, height)
    assert "healthy" in found[0]
    assert "project default" in found[0]
    assert found[0].endswith("q: quit")
    assert len(found) <= height


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_trouble_stands_on_top_with_its_command(width: int, height: int) -> None:
    """Jobs without a consumer are trouble, in words and not only in colour, with what helps."""
    found = page(picture([sample(queues=(queue(ready=30, consumers=0),))]), width, height)
    assert "trouble" in found[0]
    assert "no consumer: 30 jobs in image.jobs" in found[1]
    assert "none!" in "\n".join(found)


def test_a_command_is_shortened_before_it_is_left_out() -> None:
    """Where the form that is typed here does not fit, the plain one does."""
    short = picture([sample(faults=("x",))])
    assert "→ python3 labctl.py chaos clear" in page(short)[1]
    assert "→ labctl chaos clear" in page(short, width=44)[1]
    assert "→" not in page(picture([sample(faults=("x" * 70,))]))[1]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_queue_has_its_numbers_and_its_trend(width: int, height: int) -> None:
    """Ready, in hand, consumers, rates, age of the oldest and a sparkline stand on one line."""
    busy = queue(ready=123, unacked=3, consumers=3, in_per_s=12.04, out_per_s=9.5, oldest_s=74.0)
    found = page(picture([sample(at, queues=(busy,)) for at in range(3)]), width, height)
    line = next(entry for entry in found if entry.startswith("image.jobs"))
    assert line.split()[1:8] == ["123", "3", "3", "12.0", "9.5", "1", "min"]
    assert "█" in line


def test_a_worker_has_its_job_and_stage() -> None:
    """State, job, stage, counts, CPU and memory of a worker."""
    entry = worker(job_ids=("abcdef0123456789", "x"), stage="process", done=41, failed=2, restarts=1)
    found = page(picture([sample(instances=(entry,))]))
    line = next(line for line in found if line.startswith("worker-1"))
    expected = ["running", "abcdef01", "+1", "process", "41", "2", "1", "12%", "60", "MB"]
    assert line.split()[1:] == expected


def test_many_workers_are_cut() -> None:
    """What does not fit is counted, and those that need a look are shown."""
    crowd = (*many(49), worker("worker-50", state="exited"))
    found = page(picture([sample(instances=crowd)]))
    assert len(found) <= 24
    assert any(line.startswith("and ") and line.rstrip().endswith("more") for line in found)
    assert any(line.startswith("worker-50") for line in found)


def test_the_rest_of_the_stack_is_on_one_line() -> None:
    """Other services show their CPU, or what they do instead of running."""
    entries = (worker("api-1", done=None), worker("tracker-1", state="stopped", done=None))
    text = "\n".join(page(picture([sample(instances=entries)])))
    assert "api 12%" in text
    assert "✖ tracker stopped" in text


def test_latency_says_when_it_rests_on_few_jobs() -> None:
    """P95 of fewer than 200 jobs is starred."""
    few = (StageSample("process", 199, 0.1, 0.2), StageSample("total", 200, 1.0, 2.0))
    found = page(picture([sample(stages=few)]))
    line = next(line for line in found if line.startswith("P95"))
    assert "200 ms*" in line
    assert line.rstrip().endswith("2.0 s")
    assert "no job ended" in "\n".join(page(picture([sample(stages=())])))


def test_dead_letters_have_reasons() -> None:
    """How many there are, and why jobs failed."""
    dead = sample(queues=(queue("dead-letter", 3, consumers=0),), dead_by_reason={"permanent": 3})
    assert "dead letters 3 · failed jobs by reason: permanent 3" in "\n".join(page(picture([dead])))


def test_the_newest_mark_comes_first() -> None:
    """What was done to the stack is listed with its time, newest first."""
    marks = [Mark(AT - 9, "scale", "worker: 1 → 3"), Mark(AT - 2, "kill", "worker-2 killed")]
    found = [line for line in page(picture([sample()], marks)) if "  scale  " in line or "  kill  " in line]
    assert "worker-2 killed" in found[0]
    assert "worker: 1 → 3" in found[1]


def test_retry_queues_are_one_line() -> None:
    """Jobs that wait for their next attempt are counted together."""
    waiting = tuple(queue(f"text.jobs.retry.{delay}s", 2, consumers=0) for delay in (1, 5, 15))
    found = page(picture([sample(queues=(queue("text.jobs"), *waiting))]))
    [line] = [line for line in found if "retry" in line]
    assert line.split()[3] == "6"


def test_the_queues_of_the_layout_are_always_shown() -> None:
    """With pools, idle queues of the pools are there; those of the other layout are not."""
    queues = tuple(queue(name) for name in ("image.jobs", "image.convert", "text.jobs"))
    pools = "\n".join(page(picture([sample(queues=queues, instances=(worker("convert-1"),))])))
    single = "\n".join(page(picture([sample(queues=queues)])))
    assert "image.convert" in pools
    assert "image.jobs" not in pools
    assert "image.convert" not in single


def test_a_plain_line_tells_the_same() -> None:
    """Without a terminal the state, the backlog, busy queues and marks of this second are one line."""
    marks = [Mark(AT, "kill", "worker-2 killed")]
    line = monitor_line(picture([sample(queues=(queue(ready=12),))], marks))
    assert " healthy | backlog 12 · " in line
    assert "image.jobs 12 ready, 2 consumers" in line
    assert line.endswith("kill: worker-2 killed")


@pytest.mark.parametrize("width", [80, 120])
def test_performance_fits(width: int) -> None:
    """The classic table fits, and says how much it rests on."""
    from labkit.monitor.performance import Performance  # noqa: PLC0415

    figures = Performance(60).add(picture([sample()]))
    found = lines(performance_page(figures, 60, width), width)
    assert found[0].split() == ["metric", "unit", "current", "mean", "median", "min", "max", "stdev"]
    assert "1 samples" in found[-1] or "1 sample" in found[-1]
    assert max(map(len, found)) <= width


# Long ones are short ones many times over: quicker to make, and to shrink.
names = st.one_of(st.text(max_size=8), st.text(max_size=8).map(lambda text: text * 40))
numbers = st.one_of(st.none(), st.floats(-1e12, 1e12))
counts = st.integers(-5, 10**15)
queues = st.builds(
    QueueSample,
    name=st.one_of(names, st.sampled_from(["image.jobs", "text.jobs", "dead-letter", "text.jobs.retry.1s"])),
    ready=counts,
    unacked=st.one_of(st.none(), counts),
    consumers=counts,
    in_per_s=numbers,
    out_per_s=numbers,
    oldest_s=numbers,
)
instances = st.builds(
    InstanceSample,
    name=names,
    service=st.one_of(names, st.just("worker")),
    state=st.one_of(st.sampled_from(["running", "paused"]), names),
    restarts=counts,
    cpu_percent=numbers,
    memory_bytes=st.one_of(st.none(), counts),
    job_ids=st.lists(names, max_size=3).map(tuple),
    stage=names,
    done=st.one_of(st.none(), counts),
    failed=st.one_of(st.none(), counts),
)
stages = st.builds(
    StageSample, name=names, samples=counts, p50_s=st.floats(-10, 1e9), p95_s=st.floats(-10, 1e9)
)
samples = st.builds(
    Sample,
    at=st.floats(0, 4e9),
    queues=st.lists(queues, max_size=6).map(tuple),
    instances=st.lists(instances, max_size=4).flatmap(
        lambda some: st.sampled_from([1, 20]).map(lambda times: tuple(some * times))
    ),
    dead_by_reason=st.dictionaries(names, counts, max_size=4),
    faults=st.lists(names, max_size=3).map(tuple),
    unreachable=st.lists(names, max_size=3).map(tuple),
    stages=st.lists(stages, max_size=8).map(tuple),
)


@settings(max_examples=20)
@given(st.lists(samples, min_size=1, max_size=3), st.sampled_from([*SIZES, (40, 10), (60, 16)]))
def test_nothing_wraps_whatever_comes(found: list[Sample], size: tuple[int, int]) -> None:
    """Long names, strange letters, negative ages and fifty workers fit the width; the height, if it can."""
    width, height = size
    shown = page(picture(found), width, height)
    assert all(cell_len(line) <= width for line in shown)
    assert len(shown) <= height
    assert "\n" not in monitor_line(picture(found))


@given(names, st.integers(0, 30), st.sampled_from(["left", "right"]))
def test_a_cell_has_exactly_its_width(text: str, width: int, side: Any) -> None:  # noqa: ANN401
    """Whatever is put into it, wide letters and control characters too."""
    assert cell_len(fit(text, width, side)) == width
    assert cell_len(row([Column("x", width, side)], [text]).plain) == width + 1


def test_a_sparkline_is_as_high_as_its_highest() -> None:
    """Zero is the lowest mark, the highest value the full one, the unknown a blank."""
    assert sparkline([None, 0, 1, 50, 100]) == " ▁▂▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
