"""One connection to the API's stream and one look a second, for all browsers of one identity."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

from services.dashboard import rows
from services.dashboard.board import POINT_S, Board
from services.dashboard.client import Api, ApiAway, ApiRefused, endless
from services.dashboard.rows import Json
from services.dashboard.stream import events

log = logging.getLogger(__name__)

LOOK_S = 1.0
RETRY_S = 1.0
LETTERS_S = 10.0
"""How often the dead letters are read although none came or went: reading them costs the broker something."""
OLDEST_S = 5.0
"""How often the oldest job that is shown is looked for: when it is gone, the stack was reset."""
PAGE = 200
MAX_LETTERS = 50

LOGIN = 401


class Hub:
    """Keeps a board in step with the API, through whatever happens to it.

    admin: whether this identity may see queues, workers, faults and dead letters.
    """

    def __init__(self, api: Api, most: int, *, admin: bool) -> None:
        self.api = api
        self.admin = admin
        self.board = Board(most)
        self.viewers = 0
        self.left_at = time.monotonic()
        self.first = asyncio.Event()
        """Set when the first answer has come, whatever it was."""
        self._most = most
        self._place = ""
        self._letters: tuple[int, float] | None = None
        self._next_point = 0.0
        self._next_oldest = time.monotonic() + OLDEST_S
        self._soon = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stream = ("starting", "")
        """How the connection to the stream is, and why."""
        self._stumbled = ""
        """Why the looks fail; empty when they do not."""
        self._say()

    async def __aenter__(self) -> Self:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._supervise(self._follow_forever, self._lose_place)),
            asyncio.create_task(self._supervise(self._look_forever, self._stumble)),
        ]
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look_soon(self) -> None:
        """Look at once, dead letters too: something was done to them."""
        self._letters = None
        self._soon.set()

    @property
    def _shut(self) -> bool:
        """Whether this identity has to log in before it sees anything."""
        return bool(self.board.part("link")["state"] == "login")

    async def _supervise(self, work: Callable[[], Awaitable[None]], show: Callable[[str], None]) -> None:
        """Begin again what failed in a way that nobody foresaw: no page stands still and does not say so."""
        while True:
            try:
                await work()
            except Exception as error:  # the outermost loop of a hub
                why = f"The dashboard does not understand its answer ({type(error).__name__}: {error})."
                if why != self.board.part("link")["text"]:  # or a lasting failure would fill the disk
                    log.exception("hub_failed")
                show(why)
            self.first.set()
            await asyncio.sleep(RETRY_S)

    async def _follow_forever(self) -> None:
        while True:
            try:
                await self._follow()
            except ApiAway as error:
                self._lost(str(error))
            except ApiRefused as error:
                self._refused(error)
            self.first.set()
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Follow the stream from where it ended; the first time, from now on."""
        headers = {"Last-Event-ID": self._place} if self._place else {}
        async with self.api.asking("GET", "/events", headers=headers, timeout=endless()) as response:
            async for told in events(response.content):
                if told.name == "hello":
                    await self._greeted(str(told.data["seq"]))
                elif told.name == "bye":
                    self._lost(told.data.get("reason", ""))
                elif self._shut:
                    return
                elif told.data.get("type") == "change":
                    self.board.take(rows.row(told.data))
                    self._place = told.place
        self._lost("the API ended the connection")

    async def _greeted(self, place: str) -> None:
        if not self._place:
            # What changes from here on comes over the stream, so nothing is missed between the two.
            await self._fill()
            self._place = place
        self._tell("up")
        self.first.set()

    async def _fill(self) -> None:
        """Show the newest jobs of the table."""
        found: list[Json] = []
        query: dict[str, int] = {}
        while len(found) < self._most:
            page = await self.api.get("/jobs", query | {"limit": min(PAGE, self._most - len(found))})
            found += map(rows.row, page["jobs"])
            if page["next_cursor"] is None:
                break
            query = {"cursor": page["next_cursor"]}
        self.board.fill(found)

    def _lost(self, why: str) -> None:
        if self._stream[0] != "away":
            log.info("api_lost", extra={"reason": why})
        self._tell("away", why)

    def _lose_place(self, why: str) -> None:
        """Begin with the table next time: after the same place the same change would come again."""
        self._place = ""
        self._tell("away", why)

    def _stumble(self, why: str) -> None:
        """Note why the looks fail, empty when they do not."""
        self._stumbled = why
        self._say()

    def _refused(self, error: ApiRefused) -> None:
        """Show what the API said; without a login there is nothing to see any more."""
        if error.refusal.status == LOGIN:
            self.forget(str(error))
        else:
            self._lost(f"It answers, but refuses: {error}")

    def _tell(self, state: str, why: str = "") -> None:
        self._stream = (state, why)
        self._say()

    def _say(self) -> None:
        """Put on the board how the connection is. It is away since the same moment while it stays so."""
        state, text = self._stream
        if state == "up" and self._stumbled:
            state, text = "away", self._stumbled
        link: Json = {"state": state, "text": text}
        if state == "away":
            before = self.board.part("link")
            link["since"] = before["since"] if before["state"] == "away" else time.time()
        self.board.put("link", link)

    def forget(self, why: str) -> None:
        """Show nothing any more: whose browser it is has to log in first."""
        if self._shut:
            return
        self._place = ""
        self.board.fill(())
        self.board.points.clear()
        for part in ("queues", "workers", "faults", "letters", "history"):
            self.board.put(part, None)
        self._tell("login", why)

    async def _look_forever(self) -> None:
        while True:
            begun = time.monotonic()
            self._soon.clear()
            if not self._shut:
                await self._look()
                self._stumble("")
            rest = max(0.05, LOOK_S - (time.monotonic() - begun))
            try:
                async with asyncio.timeout(rest):
                    await self._soon.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        looks: list[Awaitable[object]] = [self._look_at("health", self._health)]
        if self.admin:
            looks += [
                self._look_at("workers", self._workers),
                self._look_at("faults", self._faults),
                self._queues_and_letters(),
            ]
        ends = await asyncio.gather(*looks, return_exceptions=True)
        if time.monotonic() > self._next_oldest:
            self._next_oldest = time.monotonic() + OLDEST_S
            await self._look_for_oldest()
        for end in ends:
            if isinstance(end, BaseException):  # now that the others are done
                raise end

    async def _look_at(self, part: str, ask: Callable[[], Awaitable[Any]]) -> bool:
        """Put what was found on the board, or why nothing was; return whether it was found."""
        try:
            found = await ask()
        except ApiAway:
            return False  # the page says so in one place; what was seen last stays
        except ApiRefused as error:
            if error.refusal.status == LOGIN:
                self.forget(str(error))
                return False
            before = self.board.part(part) or {}
            self.board.put(part, {"rows": [], **before, "error": str(error)})
            return False
        self.board.put(part, {**found, "error": ""})
        return True

    async def _health(self) -> Json:
        return {"rows": rows.checks((await self.api.get("/health", even=(503,)))["checks"])}

    async def _workers(self) -> Json:
        return {"rows": list(map(rows.worker, (await self.api.get("/workers"))["workers"]))}

    async def _faults(self) -> Json:
        return {"rows": rows.faults(await self.api.get("/faults"))}

    async def _queues(self) -> Json:
        return {"rows": rows.queues(await self.api.get("/queues"))}

    async def _queues_and_letters(self) -> None:
        """Look at the queues, then at the letters when some came or went.

        One after the other: who reads the letters has them in hand, and they are not in the queue meanwhile.
        """
        if not await self._look_at("queues", self._queues):
            return
        waiting = rows.waiting(self.board.part("queues")["rows"])
        now = time.monotonic()
        if now >= self._next_point:
            self._next_point = now + POINT_S - LOOK_S / 2
            self.board.point(time.time(), waiting)
        seen = self._letters
        if seen is None or seen[0] != waiting["dead"] or (seen[0] and now - seen[1] > LETTERS_S):
            self._letters = (waiting["dead"], now)
            if not await self._look_at("letters", self._dead_letters):
                self._letters = None

    async def _dead_letters(self) -> Json:
        dead = rows.waiting(self.board.part("queues")["rows"])["dead"]
        found = (await self.api.get("/dlq", {"limit": MAX_LETTERS}))["letters"] if dead else []
        return {"count": max(dead, len(found)), "rows": list(map(rows.letter, found))}

    async def _look_for_oldest(self) -> None:
        """Ask for the oldest job that is shown: it tells of a reset, and of a session that was ended."""
        if self.board.part("link")["state"] != "up":
            return
        oldest = self.board.oldest()
        try:
            await self.api.get(f"/status/{oldest}" if oldest else "/auth/me")
        except ApiAway:
            return
        except ApiRefused as error:
            if error.refusal.status == LOGIN:
                self.forget(str(error))
            elif error.refusal.code == "job_not_found":
                await self._fill_again()

    async def _fill_again(self) -> None:
        try:
            await self._fill()
        except (ApiAway, ApiRefused):
            self._next_oldest = 0.0


class Hubs:
    """The hubs of all identities, by a key; one that nobody looks at any more ends after a while."""

    IDLE_S = 300.0
    SWEEP_S = 5.0

    def __init__(self, most: int) -> None:
        self._most = most
        self._hubs: dict[str, Hub] = {}
        self._one = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._sweeping = asyncio.create_task(self._sweep_forever())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End all hubs."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        for key in list(self._hubs):
            await self.end(key)

    async def of(self, key: str, api: Api, *, admin: bool) -> Hub:
        """Return the hub of an identity; begin it when it is the first time."""
        async with self._one:
            if key not in self._hubs:
                self._hubs[key] = await Hub(api, self._most, admin=admin).__aenter__()
            hub = self._hubs[key]
            hub.left_at = time.monotonic()
            return hub

    def has(self, key: str) -> bool:
        """Whether there is a hub."""
        return key in self._hubs

    async def end(self, key: str) -> None:
        """End a hub, if there is one."""
        async with self._one:
            hub = self._hubs.pop(key, None)
        if hub is not None:
            await hub.__aexit__()
            hub.forget("logged out")  # for its browsers that are still open

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self.SWEEP_S)
            now = time.monotonic()
            for key, hub in list(self._hubs.items()):
                if not hub.viewers and now - hub.left_at > self.IDLE_S:
                    await self.end(key)
