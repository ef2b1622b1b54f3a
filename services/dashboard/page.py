"""The pages: what stands where."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.elements.echart import EChart
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.dashboard import charts
from services.dashboard.client import Api
from services.dashboard.hub import Hub, Hubs
from services.dashboard.parts import (
    Details,
    Gallery,
    Jobs,
    Letters,
    LoginForm,
    Queues,
    Sender,
    Status,
    Words,
    Workers,
)
from services.dashboard.relay import identity_of
from services.dashboard.sessions import EVERYBODY, Identity, Sessions
from services.dashboard.viewer import Viewer

FIRST_S = 1.5
"""How long a page waits for the first answer of the API, so that it does not come empty."""

LATER_S = 0.1

LOOKS = ("look", "frame", "send", "jobs", "queues", "dialogs", "widths")
"""The style sheets, in their order: what narrow and wide pages change comes last."""

SHEETS = "\n".join(f'<link rel="stylesheet" href="/web/{name}.css">' for name in LOOKS)

# Before anything is drawn: or a dark page would flash in white.
HEAD = (
    SHEETS
    + """
<link rel="modulepreload" href="/web/store.js">
<link rel="modulepreload" href="/web/builder.js">
<script>
  window.labLook = () => {
    const look = localStorage.getItem("look") ?? "auto";
    const dark = look === "dark" || (look === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.look = dark ? "dark" : "light";
  };
  labLook();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", labLook);
</script>
"""
)
LOGOUT = """
fetch("/session", {method: "DELETE", headers: {"X-Queue-Lab": "page"}})
  .finally(() => location.assign("/login"))
"""


def pages(api: Api, sessions: Sessions, hubs: Hubs) -> None:
    """Make the pages known to NiceGUI."""

    @ui.page("/", title="Queue Lab")
    async def main(request: Request) -> Response | None:
        """Show the pipeline to whoever may see it."""
        identity = identity_of(request, sessions)
        hub = await _hub(identity)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hub.first.wait(), FIRST_S)
        if hub.board.part("link")["state"] == "login":
            return RedirectResponse("/login", 303)
        build(hub, identity)
        return None

    @ui.page("/login", title="Queue Lab: log in")
    async def login() -> None:
        """Ask who it is."""
        ui.add_head_html(HEAD)
        LoginForm()

    async def _hub(identity: Identity | None) -> Hub:
        if identity is None:
            return await hubs.of(EVERYBODY, api, admin=True)
        return await hubs.of(identity.key, sessions.api_of(identity), admin=identity.admin)


def build(hub: Hub, identity: Identity | None) -> None:
    """Put the main page together."""
    ui.add_head_html(HEAD)
    viewer = Viewer(hub, ui.context.client)
    viewer.first()
    status = Status(identity.username if identity else "", identity.role if identity else "")
    status.on("logout", lambda: ui.run_javascript(LOGOUT))
    with ui.element("main").classes("board" if hub.admin else "board own").props('id="board"'):
        with ui.element("div").classes("left"):
            Sender()
            Gallery().on("open", viewer.open)
        with ui.element("div").classes("middle"):
            Jobs().on("open", viewer.open).on("retry", viewer.retry)
        if hub.admin:
            with ui.element("div").classes("right"):
                _queues(viewer)
                Workers().on("open", viewer.open)
                letters = Letters().on("inspect", viewer.inspect).on("replay", viewer.replay)
                letters.on("replay_all", _one_at_a_time(viewer.replay_all))
                letters.on("purge", _one_at_a_time(viewer.purge))
    viewer.details = Details().on("retry", viewer.retry_shown)


def _queues(viewer: Viewer) -> None:
    with ui.element("section").classes("panel").props('aria-labelledby="queues-title"'):
        with ui.element("div").classes("bartop"):
            Words("h2", "Queues").props('id="queues-title"')
            Words("span", "messages, and jobs a second").classes("note")
        place = ui.element("div").classes("charts")
        Queues()

    def draw() -> None:
        with place:
            points = viewer.board.points
            viewer.chart(EChart(charts.depths(points)), EChart(charts.rates(points)))

    # Half of all bytes of the page are the charts' library: it comes when the rest is there.
    ui.timer(LATER_S, draw, once=True)


def _one_at_a_time(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Return the same, but a second click while it is under way does nothing."""
    busy = False

    async def once() -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        try:
            await work()
        finally:
            busy = False

    return once
