"""Where users have to log in: who sees what, and that without a login there is nothing to see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser, expect

from labkit import accounts
from tests.acceptance.stack import Stack
from tests.browser.conftest import OpenWindow, windows
from tests.browser.window import Window
from tests.support.programs import healthy

PASSWORD = "violet-anvil-42"  # noqa: S105 - of a stack that lives for a minute
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")

LogIn = Callable[[str], Window]


@pytest.fixture(scope="module")
def guarded(whole_stack: Stack) -> Iterator[str]:
    """Give the address of a second dashboard with an API of its own, which knows users; the rest is shared.

    teacher is an admin, anna and ben are not.
    """
    for name in ("teacher", "anna", "ben"):
        accounts.add(whole_stack.access, name, PASSWORD, admin=name == "teacher")
    environment = {**whole_stack.runtime.environment(), "LAB_AUTH": "required"}
    with start_blocking_portal() as portal, ExitStack() as programs:

        def start(name: str, **more: str) -> str:
            program = healthy(name, {**environment, **more})
            return programs.enter_context(portal.wrap_async_context_manager(program)).url

        yield start("dashboard", LAB_API_URL=start("api"))


@pytest.fixture
def open_guarded(guarded: str, chromium: Browser) -> Iterator[OpenWindow]:
    """Give a way to open windows of the dashboard that knows users."""
    with windows(guarded, chromium) as open_one:
        yield open_one


@pytest.fixture
def log_in(open_guarded: OpenWindow) -> LogIn:
    """Give a way to log in with a window of one's own."""

    def log_in_one(name: str) -> Window:
        window = open_guarded()
        sign_in(window, name)
        expect(window.page.locator(".jobs")).to_be_visible()
        window.page.evaluate("window.opened = 1")
        return window

    return log_in_one


def sign_in(window: Window, name: str, password: str = PASSWORD) -> None:
    """Type name and password, and send them with Enter."""
    window.page.get_by_label("Name").fill(name)
    window.page.get_by_label("Password").fill(password)
    window.page.keyboard.press("Enter")


def test_without_a_login_there_is_nothing_to_see(open_guarded: OpenWindow) -> None:
    """The page leads to the login; a wrong password is told, a new account is let in, logging out ends it."""
    window = open_guarded()
    window.expected = (*window.expected, "401 (Unauthorized)")
    expect(window.page).to_have_url(f"{window.address}/login")
    sign_in(window, "carla", "not-her-password")
    expect(window.page.get_by_role("alert")).to_contain_text("no user of this name has this password")
    window.page.get_by_role("button", name="Make an account").click()
    sign_in(window, "carla")
    expect(window.page.locator(".who")).to_have_text("carla")
    window.page.get_by_role("button", name="Log out").click()
    expect(window.page).to_have_url(f"{window.address}/login")
    window.page.goto(window.address)
    expect(window.page).to_have_url(f"{window.address}/login")


def test_users_see_their_own_jobs_and_admins_all(log_in: LogIn) -> None:
    """Queues, workers and dead letters are an admin's; a job is its owner's, and the admins'."""
    anna, ben, teacher = map(log_in, ("anna", "ben", "teacher"))
    anna.choose("of-anna.jpg")
    anna.send()
    anna.expect_job("of-anna.jpg", "completed")
    teacher.expect_job("of-anna.jpg", "completed")
    ben.choose("of-ben.jpg")
    ben.send()
    ben.expect_job("of-ben.jpg", "completed")
    expect(ben.job("of-anna.jpg")).to_have_count(0)
    for window, parts in ((anna, 0), (teacher, 1)):
        for part in (".workers", ".letters", ".charts"):
            expect(window.page.locator(part)).to_have_count(parts)
    theirs = anna.job("of-anna.jpg").get_attribute("data-id")
    stolen = ben.page.request.get(f"{ben.address}/files/{theirs}/original")
    assert stolen.status == 404


def test_the_token_never_reaches_the_browser(log_in: LogIn) -> None:
    """Neither the page, nor its storage, nor a cookie has it; and no script can read the cookie."""
    window = log_in("teacher")
    stored = window.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    cookies = window.page.context.cookies()
    assert TOKEN.search(window.page.content()) is None
    assert TOKEN.search(stored) is None
    assert [cookie for cookie in cookies if TOKEN.search(cookie["value"])] == []
    assert [cookie["httpOnly"] for cookie in cookies] == [True]


def test_a_session_that_was_ended_leads_to_the_login(whole_stack: Stack, log_in: LogIn) -> None:
    """When the password was changed elsewhere, the open page shows nothing any more, by itself."""
    window = log_in("ben")
    window.expected = (*window.expected, "401 (Unauthorized)")
    accounts.set_password(whole_stack.access, "ben", PASSWORD + "-new")
    expect(window.page).to_have_url(f"{window.address}/login")
