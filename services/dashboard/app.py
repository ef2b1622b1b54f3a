"""The dashboard, assembled: NiceGUI's pages, what they get from the API, and what guards both."""

from __future__ import annotations

import hashlib
import secrets

from fastapi import FastAPI
from nicegui import ui
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from services.common.health import Check, health_routes
from services.dashboard.client import Api, ApiAway, ApiRefused
from services.dashboard.guard import Guard
from services.dashboard.hub import Hubs
from services.dashboard.packed import Packed
from services.dashboard.page import pages
from services.dashboard.parts import WEB
from services.dashboard.relay import Relay
from services.dashboard.sessions import Sessions
from services.dashboard.settings import DashboardSettings

TITLE = "Queue Lab"
COOKIE_S = 14 * 24 * 3600
RECONNECT_S = 10.0
"""How long the server keeps the page of a browser that is cut off; after that, it loads anew."""
KEPT_MESSAGES = 20
"""Messages to a browser that are kept for a short break of its connection; each may be large."""


def build(settings: DashboardSettings, api: Api, hubs: Hubs) -> FastAPI:
    """Return the application; there is one in a process, since NiceGUI keeps its state in its modules."""
    sessions = Sessions(api)
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    secret = settings.dashboard_secret.get_secret_value() or secrets.token_urlsafe(32)
    app.add_middleware(
        SessionMiddleware,
        secret_key=secret,
        # Cookies know no ports: two dashboards on one machine must not take each other's.
        session_cookie=f"lab_{hashlib.sha256(secret.encode()).hexdigest()[:8]}",
        max_age=COOKIE_S,
        same_site="lax",
    )
    app.add_middleware(Packed)
    app.add_middleware(Guard, auth=settings.auth)
    app.router.routes.extend(health_routes({"api": _check(api, settings.api_url)}))
    app.router.routes.extend(Relay(api, sessions, hubs.end).routes())
    app.mount("/web", StaticFiles(directory=WEB))
    pages(api, sessions, hubs)
    ui.run_with(
        app,
        title=TITLE,
        dark=None,
        language="en-US",
        favicon=WEB / "icon.svg",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        message_history_length=KEPT_MESSAGES,
        show_welcome_message=False,
    )
    return app


def _check(api: Api, url: str) -> Check:
    async def check() -> str:
        try:
            await api.get("/live")
        except ApiRefused as error:
            raise ApiAway(str(error)) from error
        return url

    return check
