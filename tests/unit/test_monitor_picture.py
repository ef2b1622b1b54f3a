"""What the monitor makes of samples: rates, the time to empty, and what deserves a look."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.monitor.advice import Level
from labkit.monitor.performance import Performance
from labkit.monitor.picture import History, Picture
from labkit.sampling.management import WITHOUT
from labkit.sampling.samples import Sample
from tests.support.pictures import picture, queue, sample, worker


def texts(found: Picture) -> list[str]:
    """Return the sentences of the advice."""
    return [entry.text for entry in found.advice]


def test_a_healthy_stack_needs_no_advice() -> None:
    """When all runs and nothing waits, there is nothing to look at."""
    assert picture([sample(second) for second in range(10)]).advice == ()


def test_completion_comes_from_the_workers_counters() -> None:
    """Jobs that ended, by all workers together, over the time between the samples."""
    found = picture(
        [sample(second, instances=(worker(done=3 * second), worker("worker-2", done=second)))
         for second in range(6)]
    )  # fmt: skip
    assert found.completed_per_s == pytest.approx(4)


def test_a_worker_that_starts_anew_counts_on() -> None:
    """Its counter begins at 0 again; what it did before is not taken back."""
    done = [10, 12, None, 1, 3]
    found = picture([sample(at, instances=(worker(done=count),)) for at, count in enumerate(done)])
    assert found.completed_per_s == pytest.approx((2 + 1 + 2) / 4)


def test_the_time_to_empty_is_backlog_by_completion_rate() -> None:
    """What waits, is in hand or waits for a retry, by jobs a second."""
    queues = (
        queue(ready=30, unacked=2),
        queue("text.jobs.retry.5s", 8, consumers=0),
        queue("dead-letter", 5),
    )
    samples = [sample(at, queues=queues, instances=(worker(done=4 * at),)) for at in range(3)]
    found = picture(samples)
    assert found.backlog == 40
    assert found.drain_s == pytest.approx(10)


def test_an_unknown_rate_gives_no_time() -> None:
    """Without a worker that is heard, and with one that does nothing, nobody knows how long it takes."""
    queues = (queue(ready=30),)
    silent = picture([sample(at, queues=queues, instances=()) for at in range(3)])
    idle = picture([sample(at, queues=queues) for at in range(3)])
    assert (silent.completed_per_s, silent.drain_s) == (None, None)
    assert (idle.completed_per_s, idle.drain_s) == (0, None)


def test_nothing_is_known_without_queues() -> None:
    """When the broker does not answer, the backlog is unknown and not 0."""
    found = picture([sample(queues=(), unreachable=("queues: RabbitMQ does not answer",))])
    assert (found.backlog, found.drain_s) == (None, None)


def test_a_stack_that_is_down_names_what_starts_it() -> None:
    """When no instance is there at all, the first sentence has the command that mends it all."""
    sentences = ("The stack of project 'x' is not up", "events: not reachable")
    found = picture([sample(queues=(), instances=(), unreachable=sentences)])
    assert {entry.text: entry.command for entry in found.advice} == dict(
        zip(sentences, ("labctl up", ""), strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({"queues": (queue(ready=3, consumers=0),)}, Level.TROUBLE, "no consumer: 3 jobs in image.jobs"),
        ({"unreachable": ("queues: RabbitMQ does not answer",)}, Level.TROUBLE, "RabbitMQ does not answer"),
        ({"unreachable": (f"{WITHOUT}: no API",)}, Level.LOOK, "rates are not known"),
        ({"instances": (worker("rabbitmq-1", state="exited"),)}, Level.TROUBLE, "rabbitmq-1 is exited"),
        ({"instances": (worker(state="paused"),)}, Level.LOOK, "worker-1 is paused"),
        ({"faults": ("10% of attempts fail",)}, Level.LOOK, "fault active: 10% of attempts fail"),
        ({"queues": (queue("dead-letter", 2, consumers=0),)}, Level.LOOK, "2 dead letters"),
        ({"queues": (queue("tracker.events", 500),)}, Level.LOOK, "500 events behind"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], level: Level, said: str) -> None:
    """Each kind of trouble has a sentence and a level."""
    [found] = picture([sample(**changes)]).advice
    assert said in found.text
    assert found.level == level


def test_the_gravest_comes_first() -> None:
    """Trouble stands above what only deserves a look."""
    found = picture([sample(faults=("x",), queues=(queue(ready=1, consumers=0),))])
    assert [entry.level for entry in found.advice] == [Level.TROUBLE, Level.LOOK]


def test_missing_workers_are_asked_for() -> None:
    """Where no worker of the pool runs at all, the command is the one that starts some."""
    deaf = (queue("image.convert", 4, consumers=0),)
    [found] = picture([sample(queues=deaf)]).advice
    assert found.command == "labctl scale convert=1"
    [found] = picture([sample(queues=deaf, instances=(worker("convert-1"),))]).advice
    assert found.command == "labctl ps"


def test_a_growing_queue_is_named() -> None:
    """A queue that has become longer over half a minute while more came than went."""
    samples = [
        sample(at, queues=(queue(ready=5 * at, in_per_s=12.0, out_per_s=7.0),)) for at in range(0, 40, 5)
    ]
    assert texts(picture(samples)) == ["image.jobs grows: 12.0 in, 7.0 out a second"]


def test_a_silent_worker_is_named() -> None:
    """A worker that runs for seconds without a heartbeat hangs; one that is heard again does not."""
    silent = [sample(at, instances=(worker(done=None),)) for at in range(8)]
    assert texts(picture(silent)) == ["worker-1 runs, but sends no heartbeat"]
    assert picture([*silent, sample(8, instances=(worker(),))]).advice == ()


def restarting(times: int, until: int) -> list[Sample]:
    """Return a sample a second; a worker starts again in each of the first `times` seconds."""
    return [sample(at, instances=(worker(restarts=min(at, times)),)) for at in range(until)]


def test_a_restart_is_said_for_a_while() -> None:
    """A worker that has just started again is named, and forgotten after some seconds."""
    assert texts(picture(restarting(1, 5))) == ["worker-1 has just started again"]
    assert picture(restarting(1, 30)).advice == ()


def test_a_worker_that_crashes_again_and_again_is_named() -> None:
    """Three restarts within two minutes are no accident."""
    assert texts(picture(restarting(3, 60))) == ["worker-1 started again 3 times in 2 min"]


def test_two_minutes_are_kept() -> None:
    """Older samples are forgotten; so is everything when the clock is set back."""
    history = [sample(at, queues=(queue(ready=at),)) for at in range(0, 300, 10)]
    assert [ready for _, ready in picture(history).trends["image.jobs"]] == list(range(170, 300, 10))
    assert len(picture([*history, sample(-1000)]).trends["image.jobs"]) == 1


def test_performance_has_the_classic_columns() -> None:
    """Current, mean, median, least, most and standard deviation of what is known within the window."""
    performance, history = Performance(20), History()
    for at, ready in enumerate((100, 2, 4, 9)):
        entry = sample(10.0 * at, queues=(queue(ready=ready),), stages=())
        figures = performance.add(_add(history, entry))
    found = {figure.metric: figure for figure in figures}
    backlog = found["backlog"]
    assert (backlog.samples, backlog.current, backlog.mean, backlog.median) == (3, 9, 5, 4)
    assert (backlog.minimum, backlog.maximum) == (2, 9)
    assert backlog.stdev == pytest.approx(3.606, abs=0.001)
    assert found["latency P50"].current is None


def _add(history: History, entry: Sample) -> Picture:
    from labkit.monitor.frames import Frame  # noqa: PLC0415

    return history.add(Frame(entry))
