"""The parts of the page that live in the browser: one file of `web/` each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

WEB = Path(__file__).parent / "web"


class Words(TextElement):
    """An element of HTML with a text in it."""

    def __init__(self, tag: str, text: str) -> None:
        super().__init__(tag=tag, text=text)


class Feed(Element, component=WEB / "feed.js"):
    """Where patches arrive; `taken` tells that one has."""

    def __init__(self, first: dict[str, Any]) -> None:
        super().__init__()
        self._props["first"] = first


class Status(Element, component=WEB / "status.js"):
    """The header. Event: `logout`."""

    def __init__(self, username: str, role: str) -> None:
        super().__init__()
        self._props["username"] = username
        self._props["role"] = role


class Sender(Element, component=WEB / "sender.js"):
    """Where pictures are dropped, and operations put together."""


class Jobs(Element, component=WEB / "jobs.js"):
    """The list of jobs. Events: `open`, `retry`."""


class Gallery(Element, component=WEB / "gallery.js"):
    """The newest results. Event: `open`."""


class Queues(Element, component=WEB / "queues.js"):
    """How deep each queue is."""


class Workers(Element, component=WEB / "workers.js"):
    """The workers. Event: `open`."""


class Letters(Element, component=WEB / "letters.js"):
    """The dead letters. Events: `inspect`, `replay`, `replay_all`, `purge`."""


class Details(Element, component=WEB / "details.js"):
    """One job in a dialog. Methods: `open`, `say`. Event: `retry`."""


class LoginForm(Element, component=WEB / "login.js"):
    """Name and password."""
