"""One browser: what it has been given so far, and what it may have done."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from nicegui import ui
from nicegui.client import Client
from nicegui.elements.echart import EChart
from nicegui.events import GenericEventArguments

from services.dashboard import charts
from services.dashboard.board import Board
from services.dashboard.client import SLOW_TIMEOUT_S, ApiAway, ApiRefused
from services.dashboard.hub import Hub
from services.dashboard.parts import Details, Feed, Words

TICK_S = 0.25
WORDS_S = 6
"""How long a message of what was done stays."""

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tell(Protocol):
    """Tells somebody what came of what was done."""

    def __call__(self, text: str, *, bad: bool = False) -> object:
        """Tell it; bad news look different."""


class Viewer:
    """Gives a browser what is new, four times a second at the most, and only when it has taken the last."""

    def __init__(self, hub: Hub, client: Client) -> None:
        self._hub = hub
        self._client = client
        self._given = self._taken = -1
        self._feed: Feed | None = None
        self._charts: tuple[EChart, ...] = ()
        self.details: Details | None = None
        hub.viewers += 1
        client.on_delete(self._leave)

    @property
    def board(self) -> Board:
        """What there is to see."""
        return self._hub.board

    def first(self) -> Feed:
        """Put what is known already into the page itself."""
        patch = self.board.patch(-1) or {}
        self._given = self._taken = self.board.rev
        self._feed = Feed({**patch, "now": time.time()})
        self._feed.on("taken", self._took)
        ui.timer(TICK_S, self._tick)
        return self._feed

    def chart(self, *elements: EChart) -> None:
        """Keep these two charts current: depths and rates."""
        self._charts = elements

    def _took(self, event: GenericEventArguments) -> None:
        if event.args == self._given:
            self._taken = self._given

    def _tick(self) -> None:
        """Give what is new. Who is not connected, or has not taken the last, is given nothing meanwhile."""
        if self._feed is None or not self._client.has_socket_connection or self._taken != self._given:
            return
        patch = self.board.patch(self._given)
        if patch is None:
            return
        self._given = patch["rev"]
        if patch.pop("history", None) and self._charts:
            for chart, options in zip(self._charts, self._options(), strict=False):
                chart.run_chart_method("setOption", {name: options[name] for name in charts.MOVING})
        self._feed.run_method("take", {**patch, "now": time.time()})

    def _options(self) -> tuple[charts.Options, charts.Options]:
        return charts.depths(self.board.points), charts.rates(self.board.points)

    def _leave(self) -> None:
        self._hub.viewers -= 1
        self._hub.left_at = time.monotonic()

    # What a person does. The ids come from a browser, so they are looked at first.

    def open(self, event: GenericEventArguments) -> None:
        """Show one job."""
        if self.details is not None and (job_id := _id(event)):
            self.details.run_method("open", job_id)

    async def retry(self, event: GenericEventArguments) -> None:
        """Send a failed job again."""
        if job_id := _id(event):
            await self._retry(job_id, notify)

    async def retry_shown(self, event: GenericEventArguments) -> None:
        """Send the job of the dialog again; what came of it stands there, since the dialog hides all else."""
        details, job_id = self.details, _id(event)
        if details is None or not job_id:
            return

        def tell(text: str, *, bad: bool = False) -> None:
            details.run_method("say", job_id, text, bad)

        await self._retry(job_id, tell)

    async def _retry(self, job_id: str, tell: Tell) -> None:
        await self._do(
            lambda: self._hub.api.send("POST", f"/jobs/{job_id}/retry"), lambda _: "Sent again.", tell
        )

    async def replay(self, event: GenericEventArguments) -> None:
        """Send one dead letter again."""
        if job_id := _id(event):
            await self._replay({"ids": [job_id]})

    async def replay_all(self) -> None:
        """Send all dead letters again."""
        await self._replay({"all": True})

    async def purge(self) -> None:
        """Ask, and drop all dead letters."""
        count = (self.board.part("letters") or {}).get("count", 0)
        text = f"Drop {'the dead letter' if count == 1 else f'all {count} dead letters'}?"
        if await confirmed(text, "Their jobs stay failed, and the letters cannot be brought back.", "Purge"):
            await self._do(
                lambda: self._hub.api.send("DELETE", "/dlq"),
                lambda found: f"{found['purged']} dropped.",
            )

    async def inspect(self, event: GenericEventArguments) -> None:
        """Show one dead letter as it lies in the queue."""
        if job_id := _id(event):
            await self._do(lambda: self._hub.api.get(f"/dlq/{job_id}"), _show)
        else:
            # Whoever published it, it was not this pipeline.
            notify("This letter has no id that can be asked for.", bad=True)

    async def _replay(self, wanted: dict[str, Any]) -> None:
        await self._do(
            lambda: self._hub.api.send("POST", "/dlq/replay", wanted, timeout_s=SLOW_TIMEOUT_S), _replayed
        )

    async def _do(
        self, ask: Callable[[], Awaitable[Any]], say: Callable[[Any], str], tell: Tell | None = None
    ) -> None:
        """Do something, and say what came of it, in the API's own words when it refuses."""
        tell = tell or notify
        try:
            found = await ask()
        except (ApiAway, ApiRefused) as error:
            tell(str(error), bad=True)
            return
        finally:
            self._hub.look_soon()
        if text := say(found):
            tell(text)


def notify(text: str, *, bad: bool = False) -> None:
    """Say something at the edge of the page."""
    ui.notify(
        text,
        type="negative" if bad else "info",
        position="bottom",
        timeout=(2 if bad else 1) * WORDS_S * 1000,
        close_button="Close" if bad else False,
        multi_line=True,
        classes="told",
    )


async def confirmed(question: str, more: str, yes: str) -> bool:
    """Ask whether something is really meant; Esc means no."""
    with _dialog() as dialog, ui.element("div").classes("ask panel"):
        dialog.props('role="alertdialog"')
        Words("h2", question).props(f'id="{_title(dialog)}"')
        Words("p", more)
        with ui.element("div").classes("answers"):
            _button("Cancel", lambda: dialog.submit("no")).props("autofocus")
            _button(yes, lambda: dialog.submit("yes")).classes("danger")
    answer: object = await dialog
    dialog.delete()
    return answer == "yes"


def _show(found: dict[str, Any]) -> str:
    with _dialog() as dialog, ui.element("div").classes("ask letter panel"):
        with ui.element("div").classes("bartop"):
            Words("h2", f"Dead letter {found['job_id']}").props(f'id="{_title(dialog)}"')
            ui.element("span").classes("gap")
            _button("Close", dialog.close).props("autofocus")
        about = (
            "reason",
            "error_code",
            "error_message",
            "attempt",
            "replays",
            "origin",
            "worker",
            "at",
            "size",
        )
        with ui.element("dl").classes("facts"):
            for name in about:
                if found[name] is not None:
                    with ui.element("div"):
                        Words("dt", name)
                        Words("dd", str(found[name]))
        for name in ("job", "headers"):
            if found[name]:
                Words("h3", name)
                Words("pre", json.dumps(found[name], indent=2, ensure_ascii=False)).props('tabindex="0"')
    dialog.on("hide", dialog.delete)
    dialog.open()
    return ""


def _dialog() -> ui.dialog:
    """Return a dialog that is called as its title is."""
    dialog = ui.dialog()
    return dialog.props(f'aria-labelledby="{_title(dialog)}"')


def _title(dialog: ui.dialog) -> str:
    return f"title-{dialog.id}"


def _button(text: str, click: Callable[[], object]) -> ui.element:
    return Words("button", text).props('type="button"').classes("small").on("click", lambda _: click())


def _replayed(found: dict[str, Any]) -> str:
    parts = [f"{found['replayed']} sent again"]
    if found["skipped"]:
        parts.append(f"{len(found['skipped'])} are no jobs and stay")
    if found["missing"]:
        parts.append("it was gone already")
    if found["left"]:
        parts.append(f"{found['left']} are left: replay again")
    return f"{', '.join(parts)}."


def _id(event: GenericEventArguments) -> str:
    """Return the id that a browser sent, empty when it is none."""
    sent = event.args
    return sent if isinstance(sent, str) and JOB_ID.fullmatch(sent) else ""
