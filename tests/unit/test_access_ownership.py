"""What is whose: lists, keys, ids, and what is told live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.api.access import stays
from services.api.access.callers import Caller
from services.common.envelopes import changes_envelope
from services.common.errors import ConfigurationError
from services.common.jobs import Filter
from services.common.messages import Event
from services.common.tokens import Tokens
from tests.support.api import answer, code, picture
from tests.support.examples import event, new_id
from tests.support.people import SECRET, Person, Town, town

PATIENCE_S = 10.0
EVERY = Filter(limit=200)


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Give an API with users, which looks often whether they are still there."""
    monkeypatch.setattr(stays, "LOOK_S", 0.1)
    with town(tmp_path) as made:
        yield made


def tell(people: Town, *events: Event) -> None:
    """Commit events, and tell of them."""
    people.api.publish(changes_envelope(people.api.table.apply(events)))


def ids(somebody: Person, query: str = "") -> set[str]:
    """Return the jobs that somebody finds."""
    return {job["job_id"] for job in somebody.get(f"/jobs{query}")["jobs"]}


def sent_in_every_way(somebody: Person) -> set[str]:
    """Send one job by each route that takes any; return their ids."""
    headers = {"Authorization": f"Bearer {somebody.token}"}
    files = [("files", ("a.jpg", picture()))]
    batch = somebody.api.http.request(
        "POST", f"{somebody.api.url}/upload/batch", fields=files, headers=headers
    )
    announced = {"filename": "photo.jpg", "content_type": "image/jpeg"}
    image = answer(somebody.upload("/api/upload"))["id"]
    return {
        answer(somebody.upload())["job_id"],
        answer(batch)["jobs"][0]["job_id"],
        answer(somebody.ask("POST", "/produce", {"payload": 1}))["message_id"],
        *answer(somebody.ask("POST", "/batch-produce", {"messages": [{"payload": 1}]}))["message_ids"],
        answer(somebody.ask("POST", "/upload/url", announced))["job_id"],
        next(row.job_id for row in somebody.api.table.list(EVERY) if row.id == image),
    }


def test_everybody_lists_their_own(people: Town) -> None:
    """By whichever route a job came; an admin lists all, and those that are nobody's."""
    annas, bens = sent_in_every_way(people.anna), sent_in_every_way(people.ben)
    assert len(annas) == len(bens) == 6
    nobodys = new_id()
    tell(people, event("job.queued", job_id=nobodys))
    assert ids(people.anna) == annas
    assert ids(people.ben) == bens
    assert ids(people.admin) == annas | bens | {nobodys}
    rows = {row.job_id: row.user_id for row in people.api.table.list(EVERY)}
    assert {rows[job_id] for job_id in annas} == {people.anna.user_id}
    assert rows[nobodys] is None


def test_an_admins_jobs_are_the_admins(people: Town) -> None:
    """Nobody else sees what an admin sends."""
    job_id = answer(people.admin.upload())["job_id"]
    assert code(people.anna.ask("GET", f"/status/{job_id}")) == (404, "job_not_found")
    assert people.admin.get(f"/status/{job_id}")["job_id"] == job_id


def test_an_event_takes_no_job_away(people: Town) -> None:
    """A job stays its owner's through its life, and through another generation."""
    job_id = answer(people.anna.upload())["job_id"]
    for generation in (1, 2):
        tell(people, event("job.started", job_id=job_id, generation=generation))
        tell(people, event("job.failed", job_id=job_id, generation=generation))
    assert people.anna.get(f"/status/{job_id}")["generation"] == 2
    retried = people.anna.ask("POST", f"/jobs/{job_id}/retry")
    assert retried.status == 202
    assert code(people.ben.ask("POST", f"/jobs/{job_id}/retry")) == (404, "job_not_found")


def test_two_users_with_one_key_do_not_meet(people: Town) -> None:
    """An idempotency key is its user's own, of an upload as of a batch."""
    first, second = (answer(who.upload(key="order-17"))["job_id"] for who in (people.anna, people.ben))
    assert first != second
    assert answer(people.anna.upload(key="order-17"))["job_id"] == first
    other = people.ben.upload(key="order-17", data=picture(10, 10))
    assert code(other) == (409, "idempotency_conflict")
    batches = [_batch(who) for who in (people.anna, people.ben, people.anna)]
    assert batches[0] == batches[2] != batches[1]
    assert code(people.ben.ask("GET", f"/batches/{batches[0]}")) == (404, "batch_not_found")


def _batch(somebody: Person) -> str:
    headers = {"Authorization": f"Bearer {somebody.token}", "Idempotency-Key": "order-17"}
    files = [("files", ("a.jpg", picture()))]
    url = f"{somebody.api.url}/upload/batch"
    return str(answer(somebody.api.http.request("POST", url, fields=files, headers=headers))["batch_id"])


def test_nobody_takes_over_an_id(people: Town) -> None:
    """An id that somebody else has chosen is taken, also while its job is pending."""
    mine = {"id": "homework-1", "payload": "anna's"}
    assert people.anna.ask("POST", "/produce", mine).status == 201
    theirs = people.ben.ask("POST", "/produce", {"id": "homework-1", "payload": "ben's"})
    assert code(theirs) == (409, "job_exists")
    [job] = [job for job in people.api.jobs("text.jobs") if job.job_id == "homework-1"]
    assert job.payload == "anna's"


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 10, "9" * 5000, "1e3", "1.0"])
def test_a_number_that_is_none_is_nobodys(people: Town, number: str) -> None:
    """Whatever stands in its place, it is a 404 like any number that nobody has."""
    people.anna.upload("/api/upload")
    assert code(people.anna.ask("GET", f"/api/images/{number}")) == (404, "job_not_found")


def test_the_gallery_takes_a_callback(people: Town) -> None:
    """It is the same upload by another name, with all of its fields."""
    fields: Any = {"file": ("photo.jpg", picture()), "callback_url": "http://192.168.1.1/"}
    headers = {"Authorization": f"Bearer {people.anna.token}"}
    url = f"{people.api.url}/api/upload"
    refused = people.api.http.request("POST", url, fields=fields, headers=headers)
    assert code(refused) == (400, "bad_callback_url")


@pytest.mark.parametrize("way", ["/events", "/ws"])
def test_everybody_is_told_of_their_own(people: Town, way: str) -> None:
    """Each listener hears of its own jobs only, also of what it has missed, and when it asks for others."""
    annas, bens = (answer(who.upload())["job_id"] for who in (people.anna, people.ben))
    nobodys = new_id()
    every = [event("job.started", job_id=job_id) for job_id in (annas, bens, nobodys)]
    tell(people, *every)

    async def heard(somebody: Person, count: int, query: str = "after=0") -> set[str]:
        told = _told(somebody, way, query)
        assert (await anext(told))["type"] == "hello"
        return {(await anext(told))["job_id"] for _ in range(count)}

    async def all_heard() -> tuple[set[str], ...]:
        return tuple(
            await asyncio.gather(heard(people.anna, 1), heard(people.ben, 1), heard(people.admin, 3))
        )

    assert asyncio.run(all_heard()) == ({annas}, {bens}, {annas, bens, nobodys})
    tell(people, event("job.completed", job_id=annas), event("job.completed", job_id=bens))
    # A completion of ben's comes first in what he may hear, whatever he asks for.
    asked = f"after=0&job_id={annas}&job_id={bens}"
    assert asyncio.run(heard(people.ben, 1, asked)) == {bens}


async def _told(somebody: Person, way: str, query: str) -> Any:  # noqa: ANN401  (an async generator)
    headers = {"Authorization": f"Bearer {somebody.token}"}
    async with (
        asyncio.timeout(PATIENCE_S),
        aiohttp.ClientSession(somebody.api.url, headers=headers) as session,
    ):
        if way == "/ws":
            async with session.ws_connect(f"/ws?{query}") as connection:
                async for message in connection:
                    yield json.loads(message.data)
                yield {"type": "change", "closed": connection.close_code}
        else:
            async with session.get(f"/events?{query}") as response:
                response.raise_for_status()
                async for line in response.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line[6:])


@pytest.mark.parametrize("way", ["/events", "/ws"])
def test_a_connection_ends_with_its_token(people: Town, way: str) -> None:
    """Whoever listens on has to log in again; the reason is told."""
    user = people.api.table.users.get(people.anna.user_id)
    assert user
    short = Person(people.api, Tokens(SECRET).mint(user.user_id, 1, user.version), user.user_id)
    begun = time.time()

    async def all_told() -> list[dict[str, Any]]:
        return [told async for told in _told(short, way, "")]

    told = asyncio.run(all_told())
    assert told[0]["type"] == "hello"
    assert time.time() - begun < PATIENCE_S
    if way == "/ws":
        assert told[-1]["closed"] == 3000
    else:
        assert told[-1] == {"type": "bye", "reason": "The token has expired; log in, then connect again."}


@pytest.mark.parametrize("way", ["/events", "/ws"])
@pytest.mark.parametrize("how", ["removed", "another password"])
def test_a_connection_ends_with_its_account(people: Town, way: str, how: str) -> None:
    """Whoever is out hears nothing more, though the token would be good for long; others listen on."""
    users, bens = people.api.table.users, answer(people.ben.upload())["job_id"]

    async def all_told() -> list[dict[str, Any]]:
        others = _told(people.ben, way, "")
        assert (await anext(others))["type"] == "hello"
        told = []
        async for item in _told(people.anna, way, ""):
            if item.get("type") == "hello":
                await asyncio.to_thread(
                    lambda: users.remove("anna") if how == "removed" else users.set_password("anna", "x")
                )
            told.append(item)
        await asyncio.to_thread(tell, people, event("job.completed", job_id=bens))
        assert (await anext(others))["job_id"] == bens
        await others.aclose()
        return told

    told = asyncio.run(all_told())
    assert told[-1].get("closed", 3000) == 3000
    assert way == "/ws" or "The account is gone" in told[-1]["reason"]


def test_nobody_takes_the_places_of_all(tmp_path: Path) -> None:
    """A user has a tenth of them, whichever way; there is room for others then, and for an admin."""
    with town(tmp_path, max_listeners=20) as people:
        anna, ben, admin = people.anna, people.ben, people.admin

        async def statuses() -> list[int]:
            async with contextlib.AsyncExitStack() as open_until_here:
                found = []
                for somebody, way in [
                    *((anna, "/ws"), (anna, "/events"), (anna, "/events"), (anna, "/ws")),
                    *((ben, "/events"), *((admin, "/events") for _ in range(3))),
                ]:
                    stream = _told(somebody, way, "")
                    open_until_here.push_async_callback(stream.aclose)
                    found.append(await _first(stream))
                return found

        assert asyncio.run(statuses()) == [200, 200, 503, 503, 200, 200, 200, 200]


async def _first(stream: Any) -> int:  # noqa: ANN401  (an async generator)
    try:
        return 200 if (await anext(stream))["type"] == "hello" else 0
    except (aiohttp.WSServerHandshakeError, aiohttp.ClientResponseError) as refused:
        return refused.status


def test_a_user_without_an_account_cannot_be(people: Town) -> None:
    """Whoever owns nothing would see everything; so there is no such caller."""
    with pytest.raises(ConfigurationError):
        Caller(role="user")
    assert Caller(role="user", user_id=people.anna.user_id).sees == people.anna.user_id
