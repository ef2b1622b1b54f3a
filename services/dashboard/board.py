"""What one identity sees, kept current once for all of its browsers; each of them is only a place in it.

Every change gets the next number. A browser says which number it has, and is given what is newer, each thing
once and as it is now: so a slow browser costs no memory, and skips what is out of date.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.dashboard.rows import Json

POINT_S = 2.0
"""How often the charts get a point, which is longer than what is noise."""

KEPT_POINTS = 150
"""Points of the charts: five minutes."""

SLACK = 50
"""Jobs beyond the limit before the oldest go: sorting them out for each new one would take too long."""

PARTS = ("link", "health", "faults", "queues", "workers", "letters", "history")


@dataclass(frozen=True, slots=True)
class Point:
    """The queues at one moment, and what happened since the point before, jobs a second."""

    at: float
    waiting: int
    retrying: int
    dead: int
    accepted: float
    completed: float
    failed: float


class Board:
    """Jobs, the newest `most` of them (a browser leaves out what is beyond), and the parts of PARTS."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rev = 0
        self._floor = 0
        # Jobs that were accepted before this are known, also those that are not shown; of those that were
        # accepted at this very time, a batch perhaps, the ones that are in the set.
        self._since = -math.inf
        self._gone: set[str] = set()
        # Those that changed last stand at the end.
        self._jobs: OrderedDict[str, tuple[int, Json]] = OrderedDict()
        self._parts: dict[str, tuple[int, Any]] = {}
        self._counted: Counter[str] = Counter()
        self._pointed: tuple[float, Counter[str]] | None = None
        self.points: deque[Point] = deque(maxlen=KEPT_POINTS)

    @property
    def rev(self) -> int:
        """Number of the latest change."""
        return self._rev

    def put(self, part: str, value: object) -> None:
        """Set a part; one that is as it was is no change."""
        if part not in self._parts or self._parts[part][1] != value:
            self._parts[part] = (self._next(), value)

    def part(self, name: str, otherwise: Any = None) -> Any:  # noqa: ANN401  (any JSON)
        """Return a part."""
        return self._parts[name][1] if name in self._parts else otherwise

    def fill(self, rows: Iterable[Json]) -> None:
        """Show these jobs and no others; who looks gets everything anew."""
        self._jobs.clear()
        self._floor = self._next()
        for row in rows:
            self._jobs[row["id"]] = (self._floor, row)
        self._gone.clear()
        self._since = -math.inf
        if len(self._jobs) >= self._most:
            # The table may have more: what came with the oldest of these, or before it, is no arrival.
            oldest = min(row["at"] or 0.0 for _, row in self._jobs.values())
            self._since = math.nextafter(oldest, math.inf)
        self._trim()

    def take(self, row: Json) -> None:
        """Take in a job as it is now."""
        before = self._jobs.get(row["id"])
        if before is not None and before[1] == row:
            return
        self._count(before[1] if before else None, row)
        self._jobs[row["id"]] = (self._next(), row)
        self._jobs.move_to_end(row["id"])
        self._trim()

    def job(self, job_id: str) -> Json | None:
        """Return a job that is shown."""
        found = self._jobs.get(job_id)
        return found[1] if found else None

    def oldest(self) -> str | None:
        """Return the id of the job that was accepted first, of those shown."""
        rows = [row for _, row in self._jobs.values()]
        return min(rows, key=_place)["id"] if rows else None

    def point(self, at: float, waiting: dict[str, int]) -> None:
        """Add a point to the charts."""
        begin, before = self._pointed or (at - 1, self._counted.copy())
        span = max(0.001, at - begin)
        rates = {name: (self._counted[name] - before[name]) / span for name in COUNTED}
        self._pointed = (at, self._counted.copy())
        self.points.append(
            Point(at, waiting["work"], waiting["retry"], waiting["dead"], **rates),
        )
        self.put("history", at)

    def patch(self, since: int) -> Json | None:
        """Return what is newer than `since`, None when nothing is. `whole`: forget what you had."""
        if since >= self._rev:
            return None
        whole = since < self._floor
        jobs = []
        for number, row in reversed(self._jobs.values()):
            if number <= since and not whole:
                break
            jobs.append(row)
        parts = {name: value for name, (number, value) in self._parts.items() if number > since or whole}
        return {"rev": self._rev, "whole": whole, "most": self._most, "jobs": jobs, **parts}

    def _next(self) -> int:
        self._rev += 1
        return self._rev

    def _trim(self) -> None:
        if len(self._jobs) <= self._most + SLACK:
            return
        newest = sorted((row for _, row in self._jobs.values()), key=_place, reverse=True)
        for row in newest[self._most :]:
            del self._jobs[row["id"]]
            at = row["at"] or 0.0
            if at > self._since:
                self._since = at
                self._gone.clear()
            if at == self._since:
                self._gone.add(row["id"])

    def _count(self, before: Json | None, row: Json) -> None:
        if before is None and self._was_let_go(row):
            # How it was is not known any more; that a replay came is told once, when it is queued.
            arrived = row["generation"] > 1 and row["status"] == "queued"
        else:
            arrived = before is None or before["generation"] < row["generation"]
        self._counted["accepted"] += arrived
        if before is None or before["status"] != row["status"]:
            self._counted[row["status"]] += 1

    def _was_let_go(self, row: Json) -> bool:
        """Whether a job that is not shown was known, or is as old as those."""
        return (row["at"] or 0.0) < self._since or row["id"] in self._gone


COUNTED = ("accepted", "completed", "failed")


def _place(row: Json) -> tuple[float, str]:
    """Return the place of a job in the list; store.js has the same order, also of a batch's equal times."""
    return row["at"] or 0.0, row["id"]
