"""The sampler on a whole stack under load: every number has its source, and degrades alone."""

from __future__ import annotations

from collections.abc import Callable

from labkit.sampling.sampler import Sampler
from labkit.sampling.samples import InstanceSample, QueueSample, Sample
from tests.acceptance.stack import Live, Stack, eventually, images

WITHIN_S = 60.0


def queue(found: Sample, name: str = "image.jobs") -> QueueSample:
    """Return a queue of a sample."""
    return next(entry for entry in found.queues if entry.name == name)


def workers(found: Sample) -> list[InstanceSample]:
    """Return the workers of a sample."""
    return [entry for entry in found.instances if entry.service == "worker"]


def until(sampler: Sampler, seen: Callable[[Sample], bool]) -> Sample:
    """Take samples until one shows what is waited for; return it."""
    taken = [sampler.take()]

    def look() -> bool:
        taken.append(sampler.take())
        return seen(taken[-1])

    eventually(look, WITHIN_S)
    return taken[-1]


def test_a_sample_shows_the_load_and_the_kill(own_broker: Stack) -> None:
    """Backlog with its age and rates, jobs in hand with their stage, a killed worker, and the way back."""
    runtime = own_broker.runtime
    with Sampler(runtime, own_broker.access) as sampler:
        sampler.settle(WITHIN_S)

        def act(live: Live) -> None:
            live.until(lambda progress: progress.ended > 2)
            busy = until(sampler, lambda found: queue(found).ready > 0 and bool(queue(found).out_per_s))
            assert queue(busy).consumers == 2
            assert (queue(busy).oldest_s or 0) > 0
            until(sampler, lambda found: any(entry.job_ids and entry.stage for entry in workers(found)))
            until(sampler, lambda found: bool(queue(found).unacked))
            runtime.kill("worker-1")
            until(sampler, lambda found: workers(found)[0].restarts > 0)

        assert own_broker.run(images(40, 0.2), act).verdict is True
        done = until(sampler, lambda found: queue(found).ready == 0 and queue(found).unacked == 0)
        assert {stage.name for stage in done.stages} >= {"queue wait", "fetch", "process", "store", "total"}
        assert all(entry.cpu_percent is not None and entry.memory_bytes for entry in workers(done))
        assert done.unreachable == ()


def test_without_the_management_api_lengths_are_still_known(stack: Stack) -> None:
    """Passive declares tell ready and consumers; that the rest is missing is said."""
    with Sampler(stack.runtime, stack.access) as sampler:
        sampler._management = None
        found = until(sampler, lambda found: bool(found.queues))
        again = sampler.take()
    assert (queue(found).consumers, queue(found).unacked, queue(found).in_per_s) == (2, None, None)
    assert queue(again).consumers == 2
    assert "management API" in found.unreachable[0]


def test_a_broker_that_comes_back_is_sampled_again(own_broker: Stack) -> None:
    """While it is down the sample says so, and has all the rest; afterwards everything is there again."""
    with Sampler(own_broker.runtime, own_broker.access) as sampler:
        until(sampler, lambda found: bool(found.queues))
        own_broker.runtime.stop("rabbitmq-1")
        gone = until(sampler, lambda found: not found.queues)
        assert any("queues" in sentence for sentence in gone.unreachable)
        assert len(workers(gone)) == 2
        own_broker.runtime.start("rabbitmq-1")
        back = until(
            sampler, lambda found: bool(found.queues) and all(w.done is not None for w in workers(found))
        )
        assert back.unreachable == ()
