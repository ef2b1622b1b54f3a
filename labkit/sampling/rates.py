"""From counters to rates: the difference over the last few seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

WINDOW_S = 3.0


class Rates:
    """Rates of counters that only grow; one that falls was reset, and begins anew.

    `window_s`: how far back a rate looks. Shorter than two intervals of the source it would flicker.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._seen: dict[Hashable, deque[tuple[float, float]]] = {}

    def rate(self, key: Hashable, at: float, count: float | None) -> float | None:
        """Note that the counter `key` stands at `count` at the time `at`, seconds; return its rate a second.

        None without an earlier reading, or with a count that is not known.
        """
        if count is None:
            self._seen.pop(key, None)
            return None
        seen = self._seen.setdefault(key, deque())
        if seen and (count < seen[-1][1] or at < seen[-1][0]):
            seen.clear()
        seen.append((at, count))
        # The newest reading that is old enough stays, so that the window is at least full.
        while len(seen) > 2 and seen[1][0] <= at - self._window_s:  # noqa: PLR2004  (two make a difference)
            seen.popleft()
        first_at, first = seen[0]
        return (count - first) / (at - first_at) if at > first_at else None
