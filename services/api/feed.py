"""What changes in the job table, as one stream for many followers; each of them is only a place in it.

The latest changes are kept here. Who is further behind than that reads the job table, where each job stands
once, as it is now: so a slow follower costs no memory, and skips what is out of date.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Self

from services.api.rows import Rows
from services.api.views import change_view
from services.common.broker import Broker, Delivery, Subscription
from services.common.errors import BadMessage, DatabaseUnavailable
from services.common.jobs import Wanted
from services.common.messages import Change, Changes
from services.common.topology import CHANGED, EVENTS

log = logging.getLogger(__name__)

KEPT = 2000
AT_ONCE = 100
"""Changes that a follower is given together."""
RETRY_S = 1.0

ALL = Wanted()


class Told:
    """A change, written out once for all who follow."""

    def __init__(self, change: Change) -> None:
        self.change = change
        self.seq = change.seq

    @functools.cached_property
    def text(self) -> str:
        """The change as JSON."""
        return json.dumps(change_view(self.change), separators=(",", ":"))

    @functools.cached_property
    def event(self) -> bytes:
        """The change as a server-sent event."""
        return f"id: {self.seq}\ndata: {self.text}\n\n".encode()


class Ring:
    """The latest changes: `size` of them at least, twice as many at the most.

    It has all changes after `floor`, and the latest of them is `last`.
    """

    def __init__(self, size: int = KEPT) -> None:
        self._size = size
        self._seqs: list[int] = []
        self._kept: list[Told] = []
        self.floor = 0
        self.last = 0

    def add(self, changes: Iterable[Change]) -> None:
        """Take in changes in the order of their seq; those that are known already are left out."""
        for change in changes:
            if change.seq > self.last:
                self._seqs.append(change.seq)
                self._kept.append(Told(change))
                self.last = change.seq
        if len(self._kept) > 2 * self._size:
            self.floor = self._seqs[-self._size - 1]
            del self._seqs[: -self._size], self._kept[: -self._size]

    def skip_to(self, seq: int) -> None:
        """Leave a gap: nothing is known of the changes up to `seq`."""
        self._seqs.clear()
        self._kept.clear()
        self.floor = self.last = max(seq, self.last)

    def since(self, seq: int) -> Sequence[Told] | None:
        """Return the next changes after `seq`; None when some of them are not kept any more."""
        if seq < self.floor:
            return None
        first = bisect_right(self._seqs, seq)
        return self._kept[first : first + AT_ONCE]


class Feed:
    """Keeps the latest changes in step with the job table, and hands them to followers.

    The tracker publishes what each commit changed, and which change came before it. A gap (this program or
    the tracker was cut off from the broker, or the broker was killed) is closed from the table.
    """

    def __init__(self, broker: Broker, rows: Rows, *, kept: int = KEPT) -> None:
        self._broker = broker
        self._rows = rows
        self._kept = kept
        self._ring = Ring(kept)
        self._in_step = False
        self._behind = asyncio.Event()
        self._news = asyncio.Event()
        self._closed = False
        self._keeping: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._keeping = asyncio.create_task(self._keep_in_step())
        # `made` is called for each new queue: what was published before that was missed.
        self._subscription = await self._broker.listen(EVENTS, (CHANGED,), self._take, made=self._fall_behind)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End, for all who follow."""
        self.close()
        if self._subscription is not None:
            await self._subscription.cancel()
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping

    def close(self) -> None:
        """Tell all who follow that nothing more comes."""
        self._closed = True
        self._announce()

    async def place(self, after: int | None) -> int:
        """Return where to begin: at `after`, and without it at the present end of the table.

        A place that the table has not reached is none of its own; then this is the end too.
        """
        last = await self._rows.last_seq()
        return last if after is None else min(after, last)

    async def follow(self, place: int, wanted: Wanted = ALL) -> AsyncIterator[Sequence[Told]]:
        """Give the wanted changes after a place, in the order of seq, until the feed is closed.

        A change that is followed by another one of the same job may be left out, never the last one.
        Raises DatabaseUnavailable.
        """
        while not self._closed:
            news = self._news
            found = self._ring.since(place)
            if found is None:
                floor = self._ring.floor  # what is in the table by now holds all changes up to here
                page = await self._rows.changes(place, wanted, AT_ONCE)
                found = [Told(change) for change in page]
                last = page[-1].seq if page else floor
                place = last if len(page) == AT_ONCE else max(floor, last)
            elif found:
                place = found[-1].seq
                found = [told for told in found if wanted.fits(told.change)]
            else:
                await news.wait()
            if found:
                yield found

    async def _take(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            changes = Changes.decode(delivery.body)
        except BadMessage as error:
            log.warning("message_refused", extra={"queue": CHANGED, "error": str(error)})
            self._fall_behind()
            return
        if self._in_step and changes.after <= self._ring.last:
            self._ring.add(changes.rows)
            self._announce()
        else:
            self._fall_behind()  # it is in the table, which is read next

    def _fall_behind(self) -> None:
        self._in_step = False
        self._behind.set()

    async def _keep_in_step(self) -> None:
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                await self._catch_up()
            except DatabaseUnavailable as error:
                log.warning("changes_delayed", extra={"error": str(error)})
                self._behind.set()
                await asyncio.sleep(RETRY_S)
            else:
                # Whoever came meanwhile was left to the next look at the table.
                self._in_step = not self._behind.is_set()
                self._announce()

    async def _catch_up(self) -> None:
        if not self._ring.last:
            self._ring.skip_to(await self._rows.last_seq())
            return
        missed = await self._rows.changes(self._ring.last, ALL, self._kept + 1)
        if len(missed) > self._kept:
            self._ring.skip_to(await self._rows.last_seq())
        else:
            self._ring.add(missed)

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
