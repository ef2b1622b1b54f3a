"""What the routes work with: made once in `app.build`, found on the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from services.api.access.accounts import Accounts
from services.api.access.callers import address, caller
from services.api.access.gate import Gate
from services.api.direct import Direct
from services.api.forms import FormReader
from services.api.intake import Intake
from services.api.letters import Letters
from services.api.listeners import Listeners
from services.api.objects import Objects
from services.api.publisher import Publisher
from services.api.retries import Retries
from services.api.rows import Rows
from services.api.senders import Senders
from services.api.settings import ApiSettings
from services.common.broker import Broker
from services.common.roster import ListeningRoster


@dataclass(frozen=True, slots=True)
class Context:
    """The API's parts."""

    settings: ApiSettings
    broker: Broker
    objects: Objects
    rows: Rows
    publisher: Publisher
    intake: Intake
    forms: FormReader
    letters: Letters
    retries: Retries
    listeners: Listeners
    roster: ListeningRoster
    direct: Direct
    senders: Senders
    gate: Gate
    accounts: Accounts


def context(request: HTTPConnection) -> Context:
    """Return the parts of the application that serves this request."""
    return cast("Context", request.app.state.context)


def count_more(request: HTTPConnection, jobs: int) -> None:
    """Count the further jobs of a request; the gate has counted one. Raises an `ApiError`."""
    parts, known = context(request), caller(request)
    if jobs and known.role != "admin":
        parts.gate.rates.count("upload", address(request), known.user_id or "", jobs)


async def admitted(request: HTTPConnection) -> None:
    """Let a request through the gate. Raises an `ApiError`."""
    await context(request).gate.admit(request)
