"""One browser: what it is given, and what is said when it asks for something that cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nicegui.client import Client as Browser
from nicegui.events import GenericEventArguments
from nicegui.page import page

from services.dashboard.client import Api, open_session
from services.dashboard.hub import Hub
from services.dashboard.viewer import Viewer

NOWHERE = "http://127.0.0.1:1"


@asynccontextmanager
async def viewing() -> AsyncIterator[tuple[Viewer, Browser]]:
    """Give the viewer of a page that no browser has opened, before an API that is away."""
    async with open_session() as session:
        with Browser(page("/nothing")) as browser:
            try:
                yield Viewer(Hub(Api(session, NOWHERE), 10, admin=True), browser), browser
            finally:
                browser.delete()


def notified(browser: Browser) -> list[Any]:
    """Return what a browser would be told at the edge of the page."""
    return [sent["message"] for _, kind, sent in browser.outbox.messages if kind == "notify"]


@pytest.mark.parametrize("odd", ["", "a b", "../dlq", "x" * 65, None])
async def test_a_letter_without_an_id_is_not_asked_for(odd: str | None) -> None:
    """Letters of foreign messages may have any id, or none: a click says why nothing is shown."""
    async with viewing() as (viewer, browser):
        await viewer.inspect(GenericEventArguments(sender=browser.layout, client=browser, args=odd))
        assert notified(browser) == ["This letter has no id that can be asked for."]


async def test_a_letter_with_an_id_is_asked_for() -> None:
    """What comes of it is said in the words of who refuses."""
    async with viewing() as (viewer, browser):
        await viewer.inspect(GenericEventArguments(sender=browser.layout, client=browser, args="job-1"))
        [told] = notified(browser)
        assert told.startswith(f"The API at {NOWHERE} does not answer")
