"""The gate before all routes: it finds out who asks, and whether the table lets them in.

It asks for a token, looks its user up, and compares the owner of what the path names. Somebody else's job is
answered like one that does not exist.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import HTTPConnection

from services.api.access.callers import CALLER, EVERYBODY, Caller, address, of_labctl, of_user
from services.api.access.origins import Origins
from services.api.access.rates import Rates
from services.api.access.table import RULES, SOCKET, Need, Rule
from services.api.errors import ApiError, no_batch, no_image, no_job
from services.api.rows import Rows
from services.common.tokens import LABCTL, BadToken, Tokens

log = logging.getLogger(__name__)

SESSION = "lab_session"
"""The cookie that carries a token."""
PERSONAL = "lab.personal"
"""Whether an answer is for one person only: a key of a request's ASGI scope."""
MAX_DIGITS = 10
SAFE = ("GET", "HEAD", "OPTIONS", SOCKET)


class Gate:
    """Lets callers in; `tokens` is None with LAB_AUTH=off."""

    def __init__(self, tokens: Tokens | None, rows: Rows, rates: Rates, origins: Origins) -> None:
        self.tokens = tokens
        self.rates = rates
        self._rows = rows
        self.origins = origins
        self._owned: dict[str, Callable[[str, str], Awaitable[None]]] = {
            "job_id": self._check_job,
            "batch_id": self._check_batch,
            "image_id": self._check_image,
        }

    @property
    def auth(self) -> Literal["off", "required"]:
        """Whether there are users."""
        return "off" if self.tokens is None else "required"

    async def admit(self, connection: HTTPConnection) -> None:
        """Note who makes a request, or raise an `ApiError`."""
        scope = connection.scope
        method = scope.get("method", SOCKET)
        rule = RULES[method, scope["route"].path]
        if method not in SAFE:
            self.origins.check(connection.headers, by_browser=False)
        if self.tokens is None:
            if rule.need is not Need.NOTHING:
                self.origins.check_host(connection.headers.get("host"))
            scope[CALLER] = EVERYBODY
            return
        if rule.need is Need.NOTHING:
            return
        scope[PERSONAL] = True
        try:
            scope[CALLER] = caller = await self._identify(connection, self.tokens, unsafe=method not in SAFE)
            if caller.role != "admin":
                await self._judge(connection, rule, caller)
        except ApiError as error:
            error.close = method not in SAFE  # then a body may come, which nobody reads
            raise

    async def _identify(self, connection: HTTPConnection, tokens: Tokens, *, unsafe: bool) -> Caller:
        """Return whose token it is: that of the header, and of the cookie only without one."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        by_cookie = not scheme
        if by_cookie:
            token = connection.cookies.get(SESSION, "")
        elif scheme.lower() != "bearer":
            raise ApiError("not_logged_in", "the Authorization header has no bearer token")
        if not token:
            raise ApiError("not_logged_in", "nobody is logged in")
        if by_cookie and unsafe:
            self.origins.check(connection.headers, by_browser=True)
        try:
            return await self._find(tokens, token.strip())
        except BadToken as error:
            log.warning("token_refused", extra={"client": address(connection), "error": str(error)})
            raise ApiError("bad_token", str(error)) from None

    async def _find(self, tokens: Tokens, token: str) -> Caller:
        claims = tokens.read(token)
        if claims.subject == LABCTL:
            return of_labctl(claims)
        user = await self._rows.read_users(lambda users: users.get(claims.subject))
        if user is None or user.version != claims.version:
            raise BadToken("the account of this token is gone, or has another password")
        return of_user(user, claims)

    async def _judge(self, connection: HTTPConnection, rule: Rule, caller: Caller) -> None:
        """Raise an `ApiError` unless somebody who is no admin may do this."""
        if rule.need is Need.ADMIN:
            raise ApiError("admin_only", f"{caller.username} is no admin")
        assert caller.user_id is not None  # noqa: S101 - a caller without is an admin
        if rule.need is Need.OWNER:
            [(name, value)] = [pair for pair in connection.path_params.items() if pair[0] in self._owned]
            await self._owned[name](str(value), caller.user_id)
        if rule.rate:
            self.rates.count(rule.rate, address(connection), caller.user_id)

    async def _check_job(self, job_id: str, user_id: str) -> None:
        row = await self._rows.get(job_id)
        if row is None or row.user_id != user_id:
            raise no_job(job_id)

    async def _check_batch(self, batch_id: str, user_id: str) -> None:
        if not await self._rows.count_batch(batch_id, user_id):
            raise no_batch(batch_id)

    async def _check_image(self, number: str, user_id: str) -> None:
        known = number.isdecimal() and len(number) <= MAX_DIGITS  # a longer one Python does not even read
        row = await self._rows.numbered(int(number)) if known else None
        if row is None or row.user_id != user_id:
            raise no_image()
