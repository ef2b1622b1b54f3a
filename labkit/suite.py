"""The kit's own checks: parts in lanes that run side by side; what each costs, and whether it passes."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from labkit.crew import Crew

TIERS_S: Sequence[Mapping[str, float]] = (
    {"unit": 520, "docs": 60},
    {"acceptance": 960},
    {"contract": 130, "integration": 660, "browser": 200},
)
"""The folders of tests/, each with its budget in seconds, lane by lane; the linters begin the first one.

Three lanes are no more than two cores can do: most tests wait for what a stack does.
"""

IMAGE_S, DOCKER_S = 120, 560
"""Budgets of the image of the services, and of the tests that need a Docker engine."""

PROGRAMS = ("rabbitmq", "prometheus", "chromium")
"""What the tests use of this machine's own packages."""

END_S = 90.0
"""How long a part may clean up after Ctrl-C: pytest stops the stacks that it has started."""


@dataclass(frozen=True)
class Part:
    """One check: arguments after the interpreter, and the seconds it should not exceed on a small machine."""

    name: str
    command: tuple[str, ...]
    budget_s: float


@dataclass(frozen=True)
class Outcome:
    """How a part went; it has passed when its exit status is 0. output: what it printed, if that was kept."""

    part: Part
    status: int
    seconds: float
    output: str = ""

    @property
    def passed(self) -> bool:
        """Whether the part found nothing wrong."""
        return self.status == 0

    @property
    def slow(self) -> bool:
        """Whether it took longer than its budget; that alone is no failure."""
        return self.seconds > self.part.budget_s


Lane = Sequence[Part]
Begin = Callable[[Part], None]
End = Callable[[Outcome], None]


def lanes(pytest_arguments: Sequence[str] = ()) -> tuple[Lane, ...]:
    """Return all parts in their lanes, the linters first.

    `pytest_arguments` go to pytest, instead of a part a tier; then there is one lane.
    """
    static = (
        Part("ruff check", ("-m", "ruff", "check", "."), 10),
        Part("ruff format", ("-m", "ruff", "format", "--check", "."), 10),
        Part("mypy", ("-m", "mypy"), 120),
    )
    if not pytest_arguments:
        first, *others = (tuple(map(_tier, tiers.items())) for tiers in TIERS_S)
        return (*static, *first), *others
    budget_s = sum(budget_s for tiers in TIERS_S for budget_s in tiers.values())
    return ((*static, Part("tests", ("-m", "pytest", *pytest_arguments), budget_s)),)


def docker_lanes(pytest_arguments: Sequence[str] = ()) -> tuple[Lane, ...]:
    """Return the parts that need a Docker engine, in lanes: the image, and the tests marked `docker`.

    A stack that needs the image earlier builds it itself. With `pytest_arguments` there is one lane.
    """
    build = Part("images", ("-m", "labkit.images", "build"), IMAGE_S)
    if pytest_arguments:
        return ((build, _on_docker("docker", DOCKER_S, *pytest_arguments)),)
    guided, watched = (f"tests/docker/test_{name}.py" for name in ("guided", "observability"))
    return (
        (build, _on_docker("labs, observability", DOCKER_S, guided, watched)),
        (
            _on_docker("contract", DOCKER_S / 2, "tests/contract", "tests/integration"),
            _on_docker("scenarios", DOCKER_S, "tests/docker", f"--ignore={guided}", f"--ignore={watched}"),
        ),
    )


def _on_docker(name: str, budget_s: float, *pytest_arguments: str) -> Part:
    return Part(name, ("-m", "pytest", "--docker", *pytest_arguments), budget_s)


def _tier(entry: tuple[str, float]) -> Part:
    name, budget_s = entry
    return Part(name, ("-m", "pytest", f"tests/{name}"), budget_s)


def run(wanted: Sequence[Lane], begin: Begin, end: End) -> list[Outcome]:
    """Run the lanes side by side, telling `begin` and `end` of each part; a part that fails stops no other.

    What a lane beside others prints is kept, and comes with the outcome; a single lane has the terminal.
    Ctrl-C, and a polite end from outside, reach each part under way once. It has END_S to clean up and
    its outcome is told; then KeyboardInterrupt goes on.
    """
    news: SimpleQueue[Part | Outcome | None] = SimpleQueue()
    crew = Crew(keeps=len(wanted) > 1)
    threads = [threading.Thread(target=_drive, args=(lane, crew, news.put), daemon=True) for lane in wanted]
    outcomes: list[Outcome] = []
    try:
        with _polite_end_is_ctrl_c():
            for thread in threads:
                thread.start()
            for entry in _news(news, len(threads)):
                if isinstance(entry, Part):
                    begin(entry)
                else:
                    outcomes.append(entry)
                    end(entry)
    except KeyboardInterrupt as reason:
        crew.interrupt(from_terminal=not isinstance(reason, _EndedError))
        for thread in threads:
            thread.join(END_S)
        for entry in _left(news):
            end(entry)
        raise
    finally:
        crew.kill()
    return outcomes


def _drive(lane: Lane, crew: Crew, tell: Callable[[Part | Outcome | None], None]) -> None:
    """Run one lane to its end, or until the crew is told to stop."""
    for part in lane:
        if crew.stopped:
            break
        tell(part)
        done = crew.run((sys.executable, *part.command))
        tell(Outcome(part, done.status, done.seconds, done.output))
    tell(None)


def _news(news: SimpleQueue[Part | Outcome | None], open_lanes: int) -> Iterator[Part | Outcome]:
    while open_lanes:
        entry = news.get()
        if entry is None:
            open_lanes -= 1
        else:
            yield entry


def _left(news: SimpleQueue[Part | Outcome | None]) -> Iterator[Outcome]:
    try:
        while True:
            entry = news.get_nowait()
            if isinstance(entry, Outcome):
                yield entry
    except Empty:
        return


class _EndedError(KeyboardInterrupt):
    """Somebody asked this process to end; unlike Ctrl-C, the terminal tells nobody else."""


@contextmanager
def _polite_end_is_ctrl_c() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt: a part must not outlive its suite."""

    def ended(_number: int, _frame: object) -> None:
        raise _EndedError

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
