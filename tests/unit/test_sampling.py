"""What samples are made of: counters, rates, stages, and sources that may hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.control.marks import Mark
from labkit.errors import BadValue
from labkit.monitor.frames import Frame, read_frames
from labkit.sampling.management import Management, _counts
from labkit.sampling.rates import Rates
from labkit.sampling.sampler import Sampler
from labkit.sampling.samples import Sample
from labkit.sampling.source import Source
from labkit.sampling.stages import LastMinute
from services.common.errors import BrokerUnavailable, StorageUnavailable
from services.common.jobs import Ended
from services.common.messages import Clock, Event
from tests.support.examples import new_job
from tests.support.lab import World
from tests.support.pictures import AT, sample

SOON_S = 20.0


def test_a_sample_survives_its_json() -> None:
    """What is recorded is what is read back, marks too."""
    frame = Frame(sample(dead_by_reason={"permanent": 2}), (Mark(AT, "kill", "worker-2 → gone", "worker-2"),))
    assert Frame.decode(frame.encode()) == frame
    assert Sample.decode(frame.sample.encode()) == frame.sample


@pytest.mark.parametrize("line", ["", "{", "[]", '{"at": "soon"}', '{"queues": []}'])
def test_other_lines_are_refused(line: str) -> None:
    """A line that is no sample says so, whatever it is."""
    with pytest.raises(BadValue, match="no sample"):
        Frame.decode(line)


def test_a_recording_may_be_cut_off(tmp_path: Path) -> None:
    """The half line that a killed program leaves behind is left out; one in the middle is an error."""
    file = tmp_path / "class.jsonl"
    whole = [Frame(sample(at)).encode() for at in range(3)]
    file.write_text("\n".join([*whole, whole[0][:30]]))
    assert len(read_frames(file)) == 3
    file.write_text("\n".join([whole[0], "{", whole[1]]))
    with pytest.raises(BadValue):
        read_frames(file)


@pytest.mark.parametrize("content", [None, "", "\n\n"])
def test_no_recording_says_how_to_make_one(tmp_path: Path, content: str | None) -> None:
    """A file that is missing or empty is a clear error."""
    file = tmp_path / "class.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadValue, match="--record"):
        read_frames(file)


def test_a_rate_is_a_difference_over_a_window() -> None:
    """The first reading gives none; later ones look three seconds back; a reset begins anew."""
    rates = Rates(3.0)
    found = [rates.rate("x", at, count) for at, count in enumerate((10, 14, 18, 18, 18, 18, 2, 3))]
    assert found == [None, 4, 4, pytest.approx(8 / 3), pytest.approx(4 / 3), 0, None, 1]


def test_an_unknown_counter_has_no_rate() -> None:
    """Without a count there is no rate, and the next count is a first one again."""
    rates = Rates()
    assert [rates.rate("x", at, count) for at, count in enumerate((1, None, 5, 6))] == [None, None, None, 1]


def test_the_management_api_may_leave_numbers_out() -> None:
    """Before the first message there are no message_stats; both brokers' forms are read."""
    bare = {"name": "q", "messages_ready": 3, "messages_unacknowledged": 1, "consumers": 2}
    assert (_counts(bare).published, _counts({**bare, "message_stats": []}).acked) == (0, 0)
    assert _counts({**bare, "message_stats": {"publish": 7, "ack": 4}}).acked == 4


def test_a_management_api_that_is_away_is_no_broker() -> None:
    """A refused connection is a broker that is not available."""
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        Management("http://127.0.0.1:9", "lab", "lab").queues()


def test_stages_are_those_of_the_last_minute() -> None:
    """Jobs that ended earlier are forgotten; a text job is not fetched, and clocks may differ."""
    clock: Clock = {"accepted": 0.0, "published": 1.0, "started": 0.5, "processed": 2.5, "finished": 3.0}
    minute = LastMinute()
    minute.add([Ended(1, "a", {stage: AT + second for stage, second in clock.items()})])
    found = {stage.name: stage.p50_s for stage in minute.stages(AT + 10)}
    assert found == {"accept": 1.0, "queue wait": 0.0, "process": 2.0, "total": 3.0}
    assert minute.stages(AT + 70) == ()


def answer(source: Source[int]) -> int | None:
    """Ask a source and wait for its answer."""
    source.hurry()
    source.begin()
    source.collect(time.monotonic() + SOON_S)
    return source.value


def test_a_source_that_fails_says_why_and_comes_back() -> None:
    """Its value is gone while it fails, and there again afterwards."""
    answers: Iterator[int | StorageUnavailable] = iter([1, StorageUnavailable("away"), 2])

    def ask() -> int:
        found = next(answers)
        if isinstance(found, StorageUnavailable):
            raise found
        return found

    source = Source("object store", ask, 0.0)
    assert [answer(source), answer(source)] == [1, None]
    assert source.problem == "object store does not answer"
    assert (answer(source), source.problem) == (2, "")


def test_nobody_waits_for_a_source_that_hangs() -> None:
    """A source without an answer in time is silent; it is not asked again meanwhile, and may still answer."""
    go_on, calls = threading.Event(), []

    def ask() -> int:
        calls.append(1)
        go_on.wait(SOON_S)
        return 7

    source = Source("queues", ask, 0.0)
    for _ in range(3):
        source.begin()
        assert source.collect(time.monotonic()) is False
    assert (source.value, source.problem, len(calls)) == (None, "queues does not answer", 1)
    go_on.set()
    assert source.collect(time.monotonic() + SOON_S) is True
    assert (source.value, source.problem) == (7, "")


def test_a_sampler_needs_no_management_api(tmp_path: Path) -> None:
    """Without one it asks queue by queue, and says what is missing."""
    world = World.make(tmp_path).up(workers=2)
    world.held["worker-1"] = ("job-1",)
    world.waiting = 3
    lab = world.lab()
    with Sampler(world.runtime, lab.open_access({})) as sampler:
        sampler.settle(SOON_S)
        found = sampler.take()
    queues = {queue.name: queue for queue in found.queues}
    workers = {entry.name: entry for entry in found.instances if entry.service == "worker"}
    assert (queues["text.jobs"].ready, queues["text.jobs"].unacked) == (3, None)
    assert [sentence for sentence in found.unreachable if "management API" in sentence] != []
    assert workers["worker-1"].job_ids == ("job-1",)
    assert workers["worker-2"].done == 0


def test_a_broker_that_is_away_costs_its_own_numbers_only(tmp_path: Path) -> None:
    """Instances, the job table and faults are there; queues are not, and the sample says so."""
    world = World.make(tmp_path).up()
    world.broker_answers = False
    table = world.jobs()
    table.add([new_job()])
    table.close()
    with Sampler(world.runtime, world.lab().open_access({})) as sampler:
        found = sampler.take()
    assert found.queues == ()
    assert found.unreachable == ("queues: RabbitMQ does not answer",)
    assert [entry.name for entry in found.instances if entry.service == "worker"] == ["worker-1"]


def test_jobs_that_failed_are_counted_by_reason(tmp_path: Path) -> None:
    """The reasons come from the job table."""
    world = World.make(tmp_path).up()
    table = world.jobs()
    table.add([born := new_job()])
    fields = {"kind": "image", "generation": 1, "attempt": 1, "at": 5.0, "reason": "permanent"}
    table.apply([Event.model_validate({"name": "job.failed", "job_id": born.job_id, **fields})])
    table.close()
    with Sampler(world.runtime, world.lab().open_access({})) as sampler:
        assert sampler.take().dead_by_reason == {"permanent": 1}
