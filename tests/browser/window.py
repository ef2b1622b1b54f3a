"""A window of a real browser that shows the dashboard, by the words that a person sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, Request, expect

from tests.support.api import picture

PATIENCE_MS = 20_000
EXPECTED = ("net::ERR_NETWORK_CHANGED",)
"""Another program's network came or went; Chromium breaks off what it loads then, of whatever server."""


class Window:
    """One page, and what it complained of."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.expected: tuple[str, ...] = EXPECTED
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)

    def go(self, path: str = "/") -> None:
        """Open a page and wait until it is there; what happens later happens without loading anew."""
        self.page.goto(self.address + path)
        self.page.locator(".jobs, .login").first.wait_for()
        self.page.evaluate("window.opened = 1")

    @property
    def loaded_once(self) -> bool:
        """Whether the page has not been loaded anew since `go`."""
        return bool(self.page.evaluate("window.opened === 1"))

    def choose(self, *names: str, data: bytes = b"") -> None:
        """Choose picture files to send."""
        self.page.get_by_label("Choose pictures").set_input_files(self.files(*names, data=data))

    def files(self, *names: str, data: bytes = b"") -> Sequence[FilePayload]:
        """Return files with these names."""
        return [{"name": name, "mimeType": "image/jpeg", "buffer": data or picture(80, 60)} for name in names]

    def add(self, operation: str, *arguments: str) -> None:
        """Put an operation at the end, with arguments."""
        self.page.get_by_label("Add an operation").select_option(operation)
        fields = self.page.locator(".step").last.locator("input")
        for place, argument in enumerate(arguments):
            fields.nth(place).fill(argument)

    def send(self) -> None:
        """Send what was chosen."""
        self.page.get_by_role("button", name=re.compile("^Send")).click()

    def job(self, name: str) -> Locator:
        """Return the row of the newest job with a name."""
        return self.page.locator(".job", has=self.page.get_by_role("button", name=name, exact=True)).first

    def expect_job(self, name: str, status: str) -> None:
        """Wait until a job has a status."""
        expect(self.job(name).locator(".status")).to_have_text(status)

    def rows(self) -> list[tuple[str, str]]:
        """Return the jobs that are listed: id and status."""
        script = "rows => rows.map(row => [row.dataset.id, row.querySelector('.status').textContent])"
        found: list[Any] = self.page.locator(".job").evaluate_all(script)
        return [(one, status) for one, status in found]

    def letter(self, job_id: str) -> Locator:
        """Return the dead letter of a job."""
        return self.page.locator(f".letters li[data-id='{job_id}']")

    def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(word in message.text for word in self.expected):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss"):
            self.hosts.add(parts.netloc)
