"""What is done to a stack while it is measured, at which second: scale, kill, freeze and the like."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from labkit.access import Access
from labkit.control import chaos, faults
from labkit.control.faults import alive, targets
from labkit.control.scaling import scale
from labkit.errors import BadValue, LabError
from labkit.runtime.base import Runtime
from labkit.stack import WORKER
from services.common.control import Faults
from services.common.errors import QueueLabError

What = Literal["scale", "kill", "pause", "resume", "restart", "freeze", "chaos"]

Note = Callable[[str], object]
"""Takes a sentence about what went wrong."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do `at_s` seconds after the first intended send.

    | what | arguments |
    |---|---|
    | scale | service (worker), count |
    | kill | target; down_for_s: how long it stays down, without it the supervisor starts it at once |
    | pause, resume, restart | target |
    | freeze | target, for_s: pause and resume |
    | chaos | fail_rate (0 to 1), delay ("convert=500ms" or a list), store_latency ("100ms"), clear (true) |

    A target is an instance (worker-2) or a service, for all its instances.
    """

    at_s: float
    what: What
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One call: what an action does at one moment. `mends`: it ends what an earlier step began."""

    at_s: float
    kind: str
    target: str
    text: str
    call: Callable[[], object]
    mends: bool = False


Maker = Callable[[Runtime, Access, float, dict[str, Any]], list[Step]]


def steps(runtime: Runtime, access: Access, timeline: Sequence[Action]) -> list[Step]:
    """Return what the timeline does, in order of time. Raises BadValue for an action that makes no sense."""
    found = [step for action in timeline for step in _steps(runtime, access, action)]
    return sorted(found, key=lambda step: step.at_s)


class Timeline:
    """Does steps at their time in a thread of its own, one after the other.

    Each leaves a mark, and `note` is told of what fails. When the block ends early, only what mends is done.
    errors: what failed. skipped: what was not done, because the run was over before.
    """

    def __init__(self, plan: Sequence[Step], note: Note) -> None:
        self._plan = plan
        self._note = note
        self._begun = threading.Event()
        self._ended = threading.Event()
        self.errors: list[str] = []
        self.skipped: list[str] = []

    @contextmanager
    def running(self) -> Iterator[Callable[[], None]]:
        """Give the function that says: the first job is due now."""
        thread = threading.Thread(target=self._run, name="timeline")
        thread.start()
        try:
            yield self._begun.set
        finally:
            self._ended.set()
            self._begun.set()
            thread.join()

    def _run(self) -> None:
        self._begun.wait()
        begun = time.monotonic()
        hit: set[str] = set()
        for step in self._plan:
            self._ended.wait(max(0.0, begun + step.at_s - time.monotonic()))
            if not self._ended.is_set() or (step.mends and step.target in hit):
                hit.add(step.target)
                self._do(step)
            elif not step.mends:
                self.skipped.append(f"{step.text}, planned for {step.at_s:g} s")

    def _do(self, step: Step) -> None:
        try:
            step.call()
        except (LabError, QueueLabError) as error:
            self.errors.append(f"{step.text}: {error}")
            self._note(f"{step.text} failed: {error}")


def _steps(runtime: Runtime, access: Access, action: Action) -> list[Step]:
    given = dict(action.arguments)
    try:
        found = _MAKERS[action.what](runtime, access, action.at_s, given)
    except (KeyError, TypeError, ValueError) as error:
        raise BadValue(
            f"The action {action.what!r} at {action.at_s:g} s makes no sense: {error!r}.",
            f"Known are {', '.join(_MAKERS)}; labkit/control/timeline.py has their arguments.",
        ) from None
    if given:
        raise BadValue(
            f"The action {action.what!r} at {action.at_s:g} s knows no {', '.join(sorted(given))}.",
            "Take it away, or write it as the other actions of this kind have it.",
        )
    return found


def _scale(runtime: Runtime, access: Access, at_s: float, given: dict[str, Any]) -> list[Step]:
    service, count = str(given.pop("service", WORKER)), int(given.pop("count"))
    text = f"{service} → {count}"
    return [Step(at_s, "scale", service, text, lambda: scale(runtime, access, service, count))]


def _kill(runtime: Runtime, _: Access, at_s: float, given: dict[str, Any]) -> list[Step]:
    target = str(given.pop("target"))
    down_for = given.pop("down_for_s", None)
    if down_for is None:
        return [Step(at_s, "kill", target, f"kill {target}", _each(runtime, target, faults.crash))]

    def hold(runtime: Runtime, name: str) -> object:
        return faults.crash(runtime, name, respawn=False)

    text = f"kill {target}, down for {float(down_for):g} s"
    return [
        Step(at_s, "kill", target, text, _each(runtime, target, hold)),
        _mend(at_s + float(down_for), "back", target, f"{target} comes back", runtime, faults.start),
    ]


def _freeze(runtime: Runtime, _: Access, at_s: float, given: dict[str, Any]) -> list[Step]:
    target, for_s = str(given.pop("target")), float(given.pop("for_s"))
    text = f"freeze {target} for {for_s:g} s"
    return [
        Step(at_s, "pause", target, text, _each(runtime, target, faults.pause)),
        _mend(at_s + for_s, "resume", target, f"{target} goes on", runtime, faults.resume),
    ]


def _simple(what: Literal["pause", "resume", "restart"]) -> Maker:
    def make(runtime: Runtime, _: Access, at_s: float, given: dict[str, Any]) -> list[Step]:
        target = str(given.pop("target"))
        return [Step(at_s, what, target, f"{what} {target}", _each(runtime, target, getattr(faults, what)))]

    return make


def _chaos(runtime: Runtime, access: Access, at_s: float, given: dict[str, Any]) -> list[Step]:
    text = "chaos " + ", ".join(f"{name} {value}" for name, value in given.items())
    changes: list[Callable[[Faults], Faults]] = []
    if given.pop("clear", False):
        changes.append(chaos.clear)
    if (share := given.pop("fail_rate", None)) is not None:
        changes.append(chaos.fail_rate(float(share)))
    if (delays := given.pop("delay", None)) is not None:
        changes.append(chaos.delay([delays] if isinstance(delays, str) else list(delays)))
    if (latency := given.pop("store_latency", None)) is not None:
        changes.append(chaos.store_latency(str(latency)))

    def apply(faults: Faults) -> Faults:
        for change in changes:
            faults = change(faults)
        return faults

    return [Step(at_s, "chaos", "worker", text, lambda: chaos.change(access, apply, runtime.project))]


_MAKERS: Mapping[str, Maker] = {
    "scale": _scale,
    "kill": _kill,
    "pause": _simple("pause"),
    "resume": _simple("resume"),
    "restart": _simple("restart"),
    "freeze": _freeze,
    "chaos": _chaos,
}


def _each(runtime: Runtime, target: str, act: Callable[[Runtime, str], object]) -> Callable[[], None]:
    def call() -> None:
        for entry in alive(targets(runtime, target)):
            act(runtime, entry.name)

    return call


def _mend(
    at_s: float, kind: str, target: str, text: str, runtime: Runtime, act: Callable[[Runtime, str], object]
) -> Step:
    def call() -> None:
        for entry in targets(runtime, target):
            act(runtime, entry.name)

    return Step(at_s, kind, target, text, call, mends=True)
