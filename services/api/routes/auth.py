"""/auth: accounts, and the tokens that stand for them."""

from __future__ import annotations

import logging
import time
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import JSONResponse, Response

from services.api.access.callers import Caller, address, caller
from services.api.access.gate import SESSION
from services.api.access.shelter import NOT_KEPT
from services.api.answers import LoggedIn, Me, Registered
from services.api.context import Context, context
from services.api.errors import ApiError
from services.api.openapi import problems
from services.api.reading import json_body, read_json
from services.common.jobs import User
from services.common.passwords import MAX_CHARS
from services.common.tokens import LABCTL, Tokens

log = logging.getLogger(__name__)

router = APIRouter()

MAX_BODY_BYTES = 4096
SESSION_S = 12 * 3600
"""How long after the password was given a token is good for another: a stolen one is no key for ever."""
MAX_NAME = 100
BodyT = TypeVar("BodyT", bound=BaseModel)

READING = ("bad_json", "bad_field", "request_timeout", "body_too_large")


class Login(BaseModel):
    """A name and its password."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=MAX_NAME, description="2 to 32 of a-z, 0-9, dot, dash and underscore")
    password: SecretStr = Field(max_length=MAX_CHARS, description="10 characters or more")


class NewPassword(BaseModel):
    """The password of whoever asks, and the next one."""

    model_config = ConfigDict(extra="forbid")

    password: SecretStr = Field(max_length=MAX_CHARS, description="the one until now")
    new_password: SecretStr = Field(max_length=MAX_CHARS, description="10 characters or more")


@router.post(
    "/auth/register",
    status_code=201,
    response_model=Registered,
    responses=problems(
        *READING,
        *("auth_off", "registration_closed", "weak_password", "user_exists", "too_often"),
        "database_unavailable",
    ),
    openapi_extra=json_body(Login),
)
async def register(request: Request) -> Response:
    """Make an account; it can be logged in to at once."""
    parts = context(request)
    _tokens(parts)
    if parts.settings.registration == "closed":
        raise ApiError("registration_closed", "LAB_REGISTRATION is closed")
    parts.gate.rates.count("login", address(request))
    wanted = await _read(request, Login)
    user = await parts.accounts.register(wanted.username.lower(), wanted.password.get_secret_value())
    return _answer({"username": user.username, "role": user.role}, 201)


@router.post(
    "/auth/login",
    response_model=LoggedIn,
    responses=problems(*READING, "auth_off", "bad_login", "too_often", "database_unavailable"),
    openapi_extra=json_body(Login),
)
async def login(request: Request) -> Response:
    """Get a token for a name and its password; a browser gets it as a cookie too."""
    parts = context(request)
    tokens = _tokens(parts)
    wanted = await _read(request, Login)
    name = wanted.username.lower()
    parts.gate.rates.count("login", address(request), name)
    user = await parts.accounts.login(name, wanted.password.get_secret_value())
    known = _known(request, user)
    log.info("login_succeeded", extra={"user": known.username, "client": address(request)})
    return _welcome(request, tokens, known)


@router.post("/auth/refresh", response_model=LoggedIn, responses=problems("auth_off", "database_unavailable"))
async def refresh(request: Request) -> Response:
    """Get a fresh token for one that is still good, until twelve hours after the login."""
    tokens, known = _tokens(context(request)), caller(request)
    if known.logged_in_at is not None and time.time() - known.logged_in_at > SESSION_S:
        raise ApiError("bad_token", f"the login is more than {SESSION_S // 3600} hours old")
    return _welcome(request, tokens, known)


@router.post(
    "/auth/password",
    response_model=LoggedIn,
    responses=problems(
        *READING, "auth_off", "bad_login", "weak_password", "too_often", "database_unavailable"
    ),
    openapi_extra=json_body(NewPassword),
)
async def password(request: Request) -> Response:
    """Change one's own password. All sessions end but this one, which gets its next token here."""
    parts = context(request)
    tokens = _tokens(parts)
    name = caller(request).username or ""
    wanted = await _read(request, NewPassword)
    parts.gate.rates.count("login", address(request), name)
    old, new = wanted.password.get_secret_value(), wanted.new_password.get_secret_value()
    return _welcome(request, tokens, _known(request, await parts.accounts.change_password(name, old, new)))


@router.post("/auth/logout", status_code=204, response_class=Response)
async def logout(request: Request) -> Response:
    """Take the cookie away. A token that was copied before is good until it expires."""
    answer = Response(status_code=204, headers={"Cache-Control": NOT_KEPT})
    answer.delete_cookie(SESSION, secure=_secure(request), httponly=True, samesite="strict")
    return answer


@router.get("/auth/me", response_model=Me, responses=problems("database_unavailable"))
async def me(request: Request) -> Response:
    """Return who asks, and whether anybody has to log in here."""
    known = caller(request)
    found = {"auth": context(request).gate.auth, "username": known.username, "role": known.role}
    return _answer(found)


async def _read(request: Request, kind: type[BodyT]) -> BodyT:
    timeout_s = context(request).settings.body_timeout_s
    return await read_json(request, kind, max_bytes=MAX_BODY_BYTES, timeout_s=timeout_s)


def _known(request: Request, user: User | None) -> Caller:
    """Return who that is; refuse where name and password did not agree."""
    if user is None:
        # Without the name: some type their password into its field.
        log.warning("login_failed", extra={"client": address(request)})
        raise ApiError("bad_login", "no user of this name has this password")
    return Caller(role=user.role, user_id=user.user_id, username=user.username, version=user.version)


def _tokens(parts: Context) -> Tokens:
    if parts.gate.tokens is None:
        raise ApiError("auth_off", "there are no users here: whoever reaches this API may do everything")
    return parts.gate.tokens


def _welcome(request: Request, tokens: Tokens, known: Caller) -> Response:
    ttl_s = context(request).settings.token_ttl_s
    token = tokens.mint(known.user_id or LABCTL, ttl_s, known.version, known.logged_in_at)
    answer = _answer(
        {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": ttl_s,
            "username": known.username,
            "role": known.role,
        }
    )
    answer.set_cookie(
        SESSION, token, max_age=ttl_s, path="/", secure=_secure(request), httponly=True, samesite="strict"
    )
    return answer


def _answer(body: dict[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse(body, status, {"Cache-Control": NOT_KEPT})


def _secure(request: Request) -> bool:
    """Whether the request came by https, as a trusted proxy says."""
    return request.url.scheme == "https"
