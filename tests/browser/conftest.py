"""One stack with a dashboard for all tests here, and a real Chromium; each test has a window of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from labkit.install import programs
from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.screenshots import FLAGS
from labkit.settings import program_settings
from labkit.stack import Options
from tests.acceptance.stack import Stack
from tests.browser.window import PATIENCE_MS, Window
from tests.support.ports import free_offset

OpenWindow = Callable[..., Window]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Give Chromium; without it these tests are skipped, and where CI is set they fail."""
    path = programs.find("chromium")
    if path is None:
        if "CI" in os.environ:
            pytest.fail("Chromium is not installed: labctl test --yes installs it", pytrace=False)
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def whole_stack(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Stack]:
    """Start the stack once, and leave nothing of it behind."""
    root: Path = tmp_path_factory.mktemp("browser")
    runtime = LocalRuntime(Project("browser", root=root, port_offset=free_offset()), environ=dict(os.environ))
    try:
        options = Options(counts={"worker": 2}, settings=program_settings(), extras={"dashboard": True})
        runtime.up(options)
        yield Stack(runtime)
    finally:
        runtime.down(delete_data=True)


@pytest.fixture
def open_window(whole_stack: Stack, chromium: Browser) -> Iterator[OpenWindow]:
    """Give a way to open windows of the stack's own dashboard."""
    with windows(whole_stack.runtime.address("dashboard"), chromium) as open_one:
        yield open_one


@contextlib.contextmanager
def windows(address: str, chromium: Browser) -> Iterator[OpenWindow]:
    """Give a way to open windows; at the end, none of them may have had anything to complain of."""
    opened: list[Window] = []
    with contextlib.ExitStack() as contexts:

        def open_one(width: int = 1440, height: int = 900, *, scheme: str = "light") -> Window:
            context = chromium.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            contexts.callback(context.close)
            window = Window(context.new_page(), address)
            opened.append(window)
            window.go()
            return window

        yield open_one
        assert [line for window in opened for line in window.complaints] == []
        assert {host for window in opened for host in window.hosts} <= {address.removeprefix("http://")}


@pytest.fixture
def window(open_window: OpenWindow) -> Window:
    """Give a window that shows the dashboard."""
    return open_window()
