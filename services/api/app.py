"""The application, assembled: routes, errors, health and the clock around each request."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from fastapi import Depends
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api import errors
from services.api.access import table as rules
from services.api.access.accounts import Accounts
from services.api.access.document import Documented
from services.api.access.gate import Gate
from services.api.access.origins import Origins
from services.api.access.rates import Rates
from services.api.access.shelter import Sheltered
from services.api.context import Context, admitted
from services.api.direct import Direct
from services.api.feed import Feed
from services.api.forms import FormReader
from services.api.intake import Intake
from services.api.letters import Letters
from services.api.listeners import Listeners
from services.api.objects import Objects
from services.api.openapi import problems
from services.api.outbound import Outbound
from services.api.publisher import Publisher
from services.api.retries import Retries
from services.api.routes import (
    auth,
    batches,
    direct,
    dlq,
    events,
    faults,
    gallery,
    index,
    jobs,
    operations,
    queues,
    sns,
    text,
    uploads,
    webhooks,
    workers,
)
from services.api.rows import Rows
from services.api.senders import Senders
from services.api.settings import ApiSettings
from services.common import metrics
from services.common.broker import Broker
from services.common.health import blocking_check, broker_check, health_routes
from services.common.jobs import JobStore
from services.common.roster import ListeningRoster
from services.common.storage import ObjectStore
from services.common.tokens import Tokens

log = logging.getLogger(__name__)

DLQ_REFUSALS = (
    *("bad_json", "bad_field", "job_not_found", "letter_not_found", "request_timeout"),
    *("job_not_failed", "job_gone", "body_too_large"),
    *("broker_unavailable", "broker_blocked", "database_unavailable"),
)

ENDLESS = ("/events",)
"""Routes whose answer lasts as long as the client likes: how long says nothing about the API."""

TITLE = "Queue Lab API"
VERSION = "0.1.0"

MODULES = (
    *(auth, uploads, direct, batches, text, webhooks, jobs, events, gallery, sns),
    *(operations, queues, workers, faults, index),
)

# What pages of other origins may send and read, where LAB_ALLOWED_ORIGINS lets them in.
SENT = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID")
READ = ("Content-Disposition", "ETag", "Location", "Retry-After", "WWW-Authenticate")
PREFLIGHT_S = 600


def assemble(settings: ApiSettings, broker: Broker, store: ObjectStore, table: JobStore) -> Context:
    """Return the parts that the routes work with."""
    rows = Rows(table)
    objects = Objects(store, max_pixels=settings.max_pixels)
    publisher = Publisher(broker, rows, settings.layout)
    origins = Origins(settings.allowed_origins)
    letters = Letters(broker, settings.layout)
    return Context(
        settings=settings,
        broker=broker,
        objects=objects,
        rows=rows,
        publisher=publisher,
        intake=Intake(objects, rows, publisher, max_bytes=settings.max_upload_bytes),
        forms=FormReader(
            max_bytes=settings.max_upload_bytes,
            max_files=settings.max_batch_files,
            max_batch_bytes=settings.max_batch_bytes,
            timeout_s=settings.body_timeout_s,
        ),
        letters=letters,
        retries=Retries(letters),
        listeners=Listeners(Feed(broker, rows), settings, rows.versions),
        roster=ListeningRoster(broker),
        direct=Direct(
            objects,
            rows,
            publisher,
            max_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            expiry_s=settings.upload_url_expiry_s,
        ),
        senders=Senders(settings.sns_topic_arn, settings.sns_certificate, Outbound()),
        gate=Gate(_tokens(settings), rows, Rates(settings.login_rate, settings.upload_rate), origins),
        accounts=Accounts(rows),
    )


def _tokens(settings: ApiSettings) -> Tokens | None:
    return Tokens(settings.jwt_secret.get_secret_value()) if settings.auth == "required" else None


def build(parts: Context) -> Documented:
    """Return the application around `parts`. Raises `ConfigurationError` for a route that has no rule."""
    app = Documented(
        title=TITLE,
        version=VERSION,
        dependencies=[Depends(admitted)],
        # These pages load their scripts from the internet, which a classroom may not have.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.context = parts
    plain = list(app.router.routes)
    for module in MODULES:
        app.include_router(module.router)
    app.include_router(dlq.router, responses=problems(*DLQ_REFUSALS))
    checks = {
        "broker": broker_check(parts.broker),
        "storage": blocking_check(parts.objects.ping, parts.settings.s3_endpoint),
        "database": blocking_check(parts.rows.ping, "the job table answers"),
    }
    watched = health_routes(checks)
    app.router.routes.extend(watched)
    own = [route for module in (*MODULES, dlq) for route in module.router.routes]
    rules.check([*plain, *watched, *own])
    errors.install(app)
    _wrap(app, parts.gate.origins.allowed)
    return app


def _wrap(app: Documented, origins: Sequence[str]) -> None:
    """Put around the routes what concerns all answers; what is added last stands outside."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=SENT,
            expose_headers=READ,
            max_age=PREFLIGHT_S,
        )
    app.add_middleware(Clocked)
    app.add_middleware(Sheltered)


class Clocked:
    """Times each request, and turns what nobody caught into an error in JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:  # the outermost loop of a request
            log.exception("request_failed", extra={"method": scope["method"], "path": scope["path"]})
            if status:
                raise
            failure = errors.ErrorResponse("internal_error", "the request failed")
            await failure(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            if route not in ENDLESS:
                labels = metrics.http_requests.labels(scope["method"], route, str(status))
                labels.observe(time.perf_counter() - begun)
