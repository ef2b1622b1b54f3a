"""A second chance for a failed job: once for each time it failed, however often somebody asks."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from weakref import WeakValueDictionary

from services.api.errors import ApiError
from services.api.intake import again
from services.api.letters import Letters
from services.common.jobs import JobRow

KEPT_S = 30.0
"""How long it is remembered what was sent: by then the row says so."""


class Retries:
    """Sends failed jobs again, from their dead letters or else from their rows."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._sent: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def send(self, row: JobRow) -> int:
        """Send the job of a failed row as a new generation, and return that one.

        Who asks again before the tracker has told the row gets the same answer, and nothing is sent.
        Raises an `ApiError` with `job_gone`, or `BrokerUnavailable`.
        """
        async with self._turns.setdefault(row.job_id, asyncio.Lock()):
            self._forget()
            _, sent = self._sent.get(row.job_id, (0.0, 0))
            if sent > row.generation:
                return sent
            generation = await self._again(row)
            self._sent[row.job_id] = (time.monotonic(), generation)
            self._sent.move_to_end(row.job_id)
            return generation

    async def _again(self, row: JobRow) -> int:
        done = await self._letters.replay(lambda letter: letter.job_id == row.job_id, most=1)
        if done.job_ids:
            return row.generation + 1
        if row.original_path is None:
            raise ApiError("job_gone", "there is no dead letter, and the job is nowhere else")
        return (await self._letters.send_again(again(row))).generation

    def _forget(self) -> None:
        before = time.monotonic() - KEPT_S
        while self._sent and next(iter(self._sent.values()))[0] < before:
            self._sent.popitem(last=False)
