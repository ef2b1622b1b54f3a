"""What the supervisor does around each start of an instance; Circus calls these by name."""

import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from labkit.runtime.local.processes import STACK_MARK, Group, kill, owned
from labkit.runtime.local.state import spawn_log

DELAY = "LAB_START_DELAY_S"
OBJECTS = "LAB_OBJECTS"  # the object store's folder, in the environment of the store alone

# Labs crash workers on purpose, so a few quick deaths cost nothing; a program that cannot start at all
# must not eat the machine.
_FREE_STARTS = 6
_WINDOW_S = 15.0
_PAUSE_S = 2

_recent: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_FREE_STARTS))


def before_spawn(watcher: Any, **_: object) -> bool:  # noqa: ANN401 - Circus has no types
    """Clear the way for a new life: end what an earlier one left, and slow a crash loop down."""
    kill(Group(owned(Path(watcher.env[STACK_MARK])), watcher.name).processes)
    if OBJECTS in watcher.env:
        sweep(Path(watcher.env[OBJECTS]))
    starts = _recent[watcher.name]
    looping = len(starts) == _FREE_STARTS and time.monotonic() - starts[0] < _WINDOW_S
    watcher.env[DELAY] = str(_PAUSE_S if looping else 0)
    starts.append(time.monotonic())
    return True


def after_spawn(watcher: Any, pid: int, **_: object) -> bool:  # noqa: ANN401 - Circus has no types
    """Count the start."""
    with spawn_log(Path(watcher.env[STACK_MARK]), watcher.name).open("a", encoding="utf-8") as file:
        file.write(f"{time.time():.3f} {pid}\n")
    return True


def sweep(objects: Path) -> None:
    """Remove what a killed object store left half written: nanio refuses that key for ever after."""
    for unfinished in objects.glob("*/.nanio-meta/**/*.tmp"):
        unfinished.unlink(missing_ok=True)
