"""Is it healthy, and if not, where to look: a few sentences, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from labkit.sampling.management import WITHOUT
from labkit.sampling.samples import InstanceSample, QueueSample, Sample
from labkit.stack import WORKER, WORKERS
from services.common.topology import DEAD_LETTER, TRACKER_EVENTS, WORK_QUEUES

GROWS_S = 20.0
SILENT_S = 5.0
BEHIND = 100
CRASHES = 3
RESTARTED_S = 15.0


class Level(IntEnum):
    """How bad it is."""

    TROUBLE = 0
    LOOK = 1


@dataclass(frozen=True, slots=True, order=True)
class Advice:
    """One thing to look at: what is seen, and a command that helps, if there is one."""

    level: Level
    text: str
    command: str = ""


def advise(samples: Sequence[Sample]) -> tuple[Advice, ...]:
    """Return what deserves a look, gravest first; `samples` of up to two minutes, oldest first, not empty."""
    now = samples[-1]
    found = [
        *_instances(now.instances),
        *_unreachable(now),
        *_nobody_consumes(now),
        *_silent(samples),
        *(tuple(_crashing(samples)) or _restarted(samples)),
        *(Advice(Level.LOOK, f"fault active: {fault}", "labctl chaos clear") for fault in now.faults),
        *_growing(samples),
        *_dead(now.queues),
        *_behind(now.queues),
    ]
    return tuple(sorted(found, key=lambda entry: entry.level))


def _unreachable(now: Sample) -> Iterator[Advice]:
    for place, sentence in enumerate(now.unreachable):
        is_down = not now.instances and not place
        yield Advice(_level(sentence), sentence, "labctl up" if is_down else "")


def _level(unreachable: str) -> Level:
    return Level.LOOK if unreachable.startswith(WITHOUT) else Level.TROUBLE


def _nobody_consumes(now: Sample) -> Iterator[Advice]:
    pools = {instance.service for instance in now.instances}
    for queue in now.queues:
        if queue.name in WORK_QUEUES and queue.ready and not queue.consumers:
            text = f"no consumer: {_jobs(queue.ready)} in {queue.name}, and nobody takes them"
            pool = _pool(queue.name)
            yield Advice(Level.TROUBLE, text, "labctl ps" if pool in pools else f"labctl scale {pool}=1")


def _instances(instances: Sequence[InstanceSample]) -> Iterator[Advice]:
    for instance in instances:
        if instance.state == "running":
            continue
        level = Level.LOOK if instance.service in WORKERS else Level.TROUBLE
        command = {"paused": f"labctl resume {instance.name}", "starting": ""}.get(
            instance.state, f"labctl logs {instance.name}"
        )
        yield Advice(level, f"{instance.name} is {instance.state}", command)


def _silent(samples: Sequence[Sample]) -> Iterator[Advice]:
    """Name workers that run and have not been heard for a while; not when nothing can be heard."""
    now = samples[-1]
    recent = [sample for sample in samples if now.at - sample.at <= SILENT_S]
    if now.unreachable or now.at - recent[0].at < SILENT_S - 1:
        return
    heard = {
        name for sample in recent for name in _workers(sample) if _workers(sample)[name].done is not None
    }
    for name, instance in _workers(now).items():
        if name not in heard and instance.state == "running":
            yield Advice(Level.LOOK, f"{name} runs, but sends no heartbeat", f"labctl logs {name}")


def _workers(sample: Sample) -> dict[str, InstanceSample]:
    return {found.name: found for found in sample.instances if found.service in WORKERS}


def _crashing(samples: Sequence[Sample]) -> Iterator[Advice]:
    before = {found.name: found.restarts for found in samples[0].instances}
    for instance in samples[-1].instances:
        times = instance.restarts - before.get(instance.name, instance.restarts)
        text = f"{instance.name} started again {times} times in 2 min"
        if times >= CRASHES:
            yield Advice(Level.LOOK, text, f"labctl logs {instance.name}")


def _restarted(samples: Sequence[Sample]) -> Iterator[Advice]:
    now = samples[-1]
    recent = next(sample for sample in samples if now.at - sample.at <= RESTARTED_S)
    before = {found.name: found.restarts for found in recent.instances}
    for instance in now.instances:
        if instance.restarts > before.get(instance.name, instance.restarts):
            yield Advice(Level.LOOK, f"{instance.name} has just started again")


def _growing(samples: Sequence[Sample]) -> Iterator[Advice]:
    """Name queues that were filled faster than they were emptied, the whole time."""
    now = samples[-1]
    earlier = [sample for sample in samples if now.at - sample.at >= GROWS_S]
    if not earlier:
        return
    before = {queue.name: queue.ready for queue in earlier[-1].queues}
    for queue in now.queues:
        arriving, leaving = queue.in_per_s or 0.0, queue.out_per_s or 0.0
        more = queue.ready - before.get(queue.name, queue.ready)
        if queue.name in WORK_QUEUES and more > 0 and arriving > leaving and queue.consumers:
            text = f"{queue.name} grows: {arriving:.1f} in, {leaving:.1f} out a second"
            yield Advice(Level.LOOK, text, f"labctl scale {_pool(queue.name)}=…")


def _pool(queue: str) -> str:
    kind, _, operation = queue.partition(".")
    return operation if kind == "image" and operation != "jobs" else WORKER


def _dead(queues: Sequence[QueueSample]) -> Iterator[Advice]:
    for queue in queues:
        if queue.name == DEAD_LETTER and queue.ready:
            letters = "1 dead letter" if queue.ready == 1 else f"{queue.ready} dead letters"
            yield Advice(Level.LOOK, letters, "labctl dlq list")


def _behind(queues: Sequence[QueueSample]) -> Iterator[Advice]:
    for queue in queues:
        if queue.name == TRACKER_EVENTS and queue.ready >= BEHIND:
            yield Advice(Level.LOOK, f"the job table is {queue.ready} events behind", "labctl ps")


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
