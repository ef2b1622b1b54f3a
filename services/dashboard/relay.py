"""What a browser gets from the API: always through this server, which has the token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import wraps
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from services.dashboard import rows
from services.dashboard.client import Api, ApiAway, ApiRefused, Refusal, slow
from services.dashboard.sessions import EVERYBODY, Identity, Sessions

CHUNK_BYTES = 64 * 1024
MAX_LOGIN_BYTES = 4096
LOGIN_BODY_S = 10
WHO = "who"
"""The key of an identity, in the signed cookie."""
PAGE = "x-queue-lab"
"""A header that a form of another site cannot send."""

PASSED = ("content-type", "content-length", "content-disposition", "etag")
# What was uploaded is shown by its own address too: there it may do nothing.
FILE_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
}

KEPT, NOT_KEPT = "private, max-age=300", "private, no-store"
"""Where people log in, nothing stays in a browser that the next one uses."""

WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")

Handler = Callable[[Request], Awaitable[Response]]


class Login(BaseModel):
    """A name and a password; what they may be is up to the API."""

    username: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=200)


def identity_of(request: Request, sessions: Sessions) -> Identity | None:
    """Return who is logged in with this browser."""
    return sessions.of(str(request.session.get(WHO, EVERYBODY)))


class Relay:
    """The routes of the dashboard's own server; `end` is called with the key of who has logged out."""

    def __init__(self, api: Api, sessions: Sessions, end: Callable[[str], Awaitable[None]]) -> None:
        self._api = api
        self._sessions = sessions
        self._end = end

    def routes(self) -> list[Route]:
        """Return what can be asked for."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/operations", self.operations),
            ("GET", "/check", self.check),
            ("GET", "/job/{job_id}", self.job),
            ("GET", "/files/{job_id}/{name}", self.file),
            ("POST", "/send", self.send),
            ("POST", "/session", self.login),
            ("DELETE", "/session", self.logout),
            ("POST", "/account", self.register),
        )
        return [Route(path, told(handler), methods=[method]) for method, path, handler in table]

    async def operations(self, request: Request) -> Response:
        """Return the catalogue."""
        return JSONResponse(await self._acting(request).get("/operations"))

    async def check(self, request: Request) -> Response:
        """Return whether operations are right."""
        text = request.query_params.get("operations", "")
        return JSONResponse(await self._acting(request).get("/operations/check", {"operations": text}))

    async def job(self, request: Request) -> Response:
        """Return one job, and its row as the list has it: there it may be no more."""
        found = await self._acting(request).get(f"/jobs/{_word(request, 'job_id')}")
        return JSONResponse({**found, "row": rows.row(found)}, headers={"Cache-Control": NOT_KEPT})

    async def file(self, request: Request) -> Response:
        """Return a file of a job as a stream."""
        wanted = {"If-None-Match": known} if (known := request.headers.get("if-none-match")) else {}
        path = f"/jobs/{_word(request, 'job_id')}/{_word(request, 'name')}"
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(
                self._acting(request).asking("GET", path, headers=wanted, timeout=slow())
            )
            passed = {name: answer.headers[name] for name in PASSED if name in answer.headers}
            open_answer = stack.pop_all()

        async def chunks() -> AsyncIterator[bytes]:
            async with open_answer:
                async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                    yield chunk

        kept = KEPT if identity_of(request, self._sessions) is None else NOT_KEPT
        return StreamingResponse(chunks(), answer.status, passed | FILE_HEADERS | {"Cache-Control": kept})

    async def send(self, request: Request) -> Response:
        """Pass an upload on as it comes."""
        _from_page(request)
        kept = ("content-type", "content-length", "idempotency-key")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        # The API looks at the size first, and then nothing is sent that it would not take.
        more: dict[str, Any] = {"data": request.stream(), "expect100": True, "timeout": slow()}
        async with self._acting(request).asking("POST", "/upload", headers=headers, **more) as answer:
            return JSONResponse(await answer.json(), answer.status)

    async def login(self, request: Request) -> Response:
        """Log in: from now on this browser's cookie stands for a token."""
        found = await _login(request)
        identity = await self._sessions.login(found.username, found.password, _address(request))
        await self._leave(request)
        request.session[WHO] = identity.key
        return JSONResponse({"username": identity.username, "role": identity.role})

    async def logout(self, request: Request) -> Response:
        """Log out."""
        _from_page(request)
        await self._leave(request)
        return JSONResponse({"username": None})

    async def register(self, request: Request) -> Response:
        """Make an account."""
        found = await _login(request)
        await self._sessions.register(found.username, found.password, _address(request))
        return JSONResponse({"username": found.username}, 201)

    def _acting(self, request: Request) -> Api:
        identity = identity_of(request, self._sessions)
        api = self._api if identity is None else self._sessions.api_of(identity)
        return api.asked_from(_address(request))

    async def _leave(self, request: Request) -> None:
        key = str(request.session.pop(WHO, EVERYBODY))
        if key != EVERYBODY:
            self._sessions.forget(key)
            await self._end(key)


def told(handler: Handler) -> Handler:
    """Answer with what the API says when it refuses, and with a 503 when it does not answer."""

    @wraps(handler)
    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiRefused as error:
            return problem(error.refusal)
        except ApiAway as error:
            return problem(Refusal(503, "api_away", str(error), "Is the stack up? labctl status tells."))

    return answered


def problem(refusal: Refusal) -> Response:
    """Return an error as the API writes it."""
    error = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
    after = {} if refusal.retry_after_s is None else {"Retry-After": f"{refusal.retry_after_s:.0f}"}
    return JSONResponse({"error": error}, refusal.status, after)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _refused(status: int, code: str, message: str, hint: str) -> ApiRefused:
    return ApiRefused(Refusal(status, code, message, hint))


def _word(request: Request, name: str) -> str:
    """Return a part of the path; it becomes a part of the API's path, so it is looked at first."""
    word = str(request.path_params[name])
    if not WORD.fullmatch(word):
        raise _refused(404, "route_not_found", "there is no such job or file", "GET /jobs lists the jobs.")
    return word


async def _login(request: Request) -> Login:
    _from_page(request)
    body = await _body(request)
    try:
        return Login.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        hint = "Send username and password."
        raise _refused(400, "bad_field", f"{where}: {first['msg']}", hint) from None


async def _body(request: Request) -> bytes:
    """Return a short body; one without a Content-Length is read no further than it may be long."""
    found = b""
    try:
        async with asyncio.timeout(LOGIN_BODY_S):
            async for chunk in request.stream():
                found += chunk
                if len(found) > MAX_LOGIN_BYTES:
                    what = "name and password are too long"
                    raise _refused(413, "body_too_large", what, "Send shorter ones.")
    except TimeoutError:
        what = "name and password did not come"
        raise _refused(408, "request_timeout", what, "Send them again.") from None
    return found


def _from_page(request: Request) -> None:
    if PAGE not in request.headers:
        what = "only the dashboard's own page sends here"
        raise _refused(403, "origin_refused", what, "Programs use the API: POST /upload.")
