"""Every route, asked by everybody: the table of access has no hole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from services.api import app
from services.api.access import table
from services.api.access.table import RULES, SOCKET, Need
from services.api.routes import dlq, index
from services.common.errors import ConfigurationError
from tests.support.api import answer
from tests.support.people import Person, Town, town

WHO = ("stranger", "ben", "anna", "admin")
"""Somebody who is not logged in, another user, the owner, and an admin."""

LET_IN: Mapping[Need, Mapping[str, int]] = {
    Need.NOTHING: {"stranger": 0, "ben": 0, "anna": 0, "admin": 0},
    Need.USER: {"stranger": 401, "ben": 0, "anna": 0, "admin": 0},
    Need.OWNER: {"stranger": 401, "ben": 404, "anna": 0, "admin": 0},
    Need.ADMIN: {"stranger": 401, "ben": 403, "anna": 403, "admin": 0},
}
"""The status of the refusal; 0 where there is none."""

ENDLESS = ("GET", "/events")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Give an API with users."""
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture(scope="module")
def things(people: Town) -> dict[str, str]:
    """Give what stands for each parameter of a path: things of anna's."""
    anna = people.anna
    job = answer(anna.upload())["job_id"]
    files = [("files", ("a.jpg", people.api.store.objects[f"originals/{job}"][0]))]
    headers = {"Authorization": f"Bearer {anna.token}"}
    sent = people.api.http.request("POST", f"{people.api.url}/upload/batch", fields=files, headers=headers)
    image = answer(anna.upload("/api/upload"))["id"]
    return {"job_id": job, "batch_id": answer(sent)["batch_id"], "image_id": str(image), "name": "result"}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(
    ("method", "path"), [name for name in RULES if name[0] != SOCKET and name != ENDLESS]
)
def test_everybody_is_let_in_as_the_table_says(
    people: Town, things: dict[str, str], method: str, path: str, who: str
) -> None:
    """A refusal has the status of its kind; whoever is let in meets the route itself."""
    somebody: Person = getattr(people, who)
    response = somebody.ask(method, _filled(path, things), body={})
    refusal = LET_IN[RULES[method, path].need][who]
    code = answer(response).get("error", {}).get("code") if response.data[:1] == b"{" else None
    if refusal:
        assert response.status == refusal, response.data
        assert (
            code
            in {401: ["not_logged_in"], 403: ["admin_only"], 404: ["job_not_found", "batch_not_found"]}[
                refusal
            ]
        )
    else:
        assert response.status != 401
        assert response.status < 500 or code in ("database_unavailable", "stopping"), response.data
        assert code not in ("admin_only", "job_not_found", "batch_not_found")
        assert response.status != 403 or code == "sns_off"


def _filled(path: str, known: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: known[found[1]], path)


@pytest.mark.parametrize("who", WHO)
def test_everybody_listens_as_the_table_says(people: Town, who: str) -> None:
    """The two routes that do not end: a stranger is refused before anything is told."""
    somebody: Person = getattr(people, who)
    expected = 401 if who == "stranger" else 200
    assert asyncio.run(_listened(somebody)) == {"/events": expected, "/ws": expected}


async def _listened(somebody: Person) -> dict[str, int]:
    headers = {"Authorization": f"Bearer {somebody.token}"} if somebody.token else {}
    async with aiohttp.ClientSession(somebody.api.url, headers=headers) as session:
        async with session.get("/events") as response:
            found = {"/events": response.status}
        try:
            async with session.ws_connect("/ws"):
                found["/ws"] = 200
        except aiohttp.WSServerHandshakeError as refused:
            found["/ws"] = refused.status
    return found


def test_a_foreign_thing_is_like_none(people: Town, things: dict[str, str]) -> None:
    """Somebody else's job, batch and image are answered word for word like those that nobody has."""
    nothing = {"job_id": "0" * 32, "batch_id": "0" * 32, "image_id": "999999", "name": "result"}
    for method, path in (name for name, rule in RULES.items() if rule.need is Need.OWNER):
        foreign, none = (people.ben.ask(method, _filled(path, known), body={}) for known in (things, nothing))
        told = str(answer(foreign))
        for name, value in things.items():
            told = told.replace(value, nothing[name])
        assert (foreign.status, told) == (none.status, str(answer(none)))
        theirs, nobodys = (
            {
                name: value
                for name, value in response.headers.items()
                if name not in ("content-length", "date")
            }
            for response in (foreign, none)
        )
        assert theirs == nobodys


def test_an_owners_route_names_one_owned_thing() -> None:
    """The gate knows whose thing a path is about."""
    for (_, path), rule in RULES.items():
        owned = [name for name in ("{job_id}", "{batch_id}", "{image_id}") if name in path]
        assert (len(owned) == 1) if rule.need is Need.OWNER else (not owned or rule.need is Need.ADMIN), path


def test_every_rule_has_its_route(people: Town) -> None:
    """The table names no route that is gone."""
    own = [route for module in (*app.MODULES, dlq) for route in module.router.routes]
    served = {name for route in own for name in table.names(route)}
    served |= {("GET", path) for path in ("/health", "/live", "/metrics", "/openapi.json")}
    assert served == set(RULES)


def test_a_route_without_a_rule_keeps_the_api_from_starting(
    people: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever adds a route has to say who may ask for it."""
    router = APIRouter()

    @router.get("/open")
    async def opened() -> None:
        """Forget the rule."""

    monkeypatch.setattr(index, "router", router)
    with pytest.raises(ConfigurationError, match="GET /open has no rule"):
        app.build(people.api.parts)


async def _endpoint(_: Request) -> Response:
    return Response()


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (Route("/queues", _endpoint), "no gate stands before it"),
        (Route("/queues", Response()), "cannot guard"),  # of any method
        (Mount("/files", Response()), "cannot guard"),
    ],
)
def test_a_route_past_the_gate_keeps_the_api_from_starting(route: Any, said: str) -> None:  # noqa: ANN401
    """What FastAPI does not serve itself is for everybody, or not there at all."""
    with pytest.raises(ConfigurationError, match=said):
        table.check([route])
