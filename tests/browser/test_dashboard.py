"""The dashboard as a person uses it, in a real browser on a real stack."""

from __future__ import annotations

import re

import pytest
import urllib3
from playwright.sync_api import Locator, expect

from tests.acceptance.stack import Stack
from tests.browser.conftest import OpenWindow
from tests.browser.window import PATIENCE_MS, Window
from tests.support.waiting import eventually_so

OUTSIDE = ("crop", "5000,5000,10,10")
TABS = 40


def fail(window: Window, name: str) -> str:
    """Send a picture that cannot be done; return its job when it has failed."""
    window.choose(name)
    window.add(*OUTSIDE)
    window.send()
    window.expect_job(name, "failed")
    return str(window.job(name).get_attribute("data-id"))


def test_an_upload_is_followed_to_its_end(window: Window) -> None:
    """Chosen, looked at, sent: the job appears and is completed, with its result, without loading anew."""
    window.choose("harbour.jpg")
    expect(window.page.locator(".previews img")).to_have_count(1)
    window.add("resize", "40x30")
    window.add("grayscale")
    expect(window.page.locator(".verdict")).to_have_text("resize,40x30 · grayscale")
    window.send()
    window.expect_job("harbour.jpg", "completed")
    expect(window.page.get_by_text("1 job accepted")).to_be_visible()
    row = window.job("harbour.jpg")
    expect(row.locator(".ops")).to_have_text("resize,40x30 · grayscale")
    expect(row.locator(".bar i.queue")).to_have_count(1)
    expect(row.locator(".total")).to_have_text(re.compile(r"\d+ ms|\d\.\d s"))
    expect(window.page.get_by_label("Before and after of harbour.jpg").locator("img")).to_be_visible()
    assert window.loaded_once


def test_before_and_after_stand_side_by_side(window: Window) -> None:
    """A job opens in a dialog with both pictures and its stages; the slider moves by keys, Esc closes it."""
    window.choose("pair.jpg")
    window.send()
    window.expect_job("pair.jpg", "completed")
    window.job("pair.jpg").get_by_role("button", name="pair.jpg").click()
    dialog = window.page.get_by_role("dialog")
    expect(dialog.get_by_alt_text("Before")).to_be_visible()
    for name in ("Before", "After"):
        dialog.get_by_alt_text(name).evaluate("picture => picture.decode()")
    expect(dialog.get_by_role("row", name=re.compile("queue wait"))).to_be_visible()
    slider = dialog.get_by_role("slider")
    slider.focus()
    window.page.keyboard.press("Home")
    expect(dialog.locator(".edge")).to_have_attribute("style", "left: 0%;")
    window.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_failure_shows_its_reason_and_replay_works(window: Window) -> None:
    """The reason stands in the list and at the dead letter; a replay sends the job again."""
    job_id = fail(window, "outside.jpg")
    expect(window.job("outside.jpg").locator(".why")).to_contain_text("outside the image")
    letter = window.letter(job_id)
    expect(letter).to_contain_text("outside the image")
    letter.get_by_role("button", name="Inspect").click()
    expect(window.page.locator(".letter pre").first).to_contain_text('"operations": "crop,5000,5000,10,10"')
    window.page.keyboard.press("Escape")
    expect(window.page.locator(".letter pre")).to_have_count(0)
    letter.get_by_role("button", name="Replay").click()
    expect(window.page.get_by_text("1 sent again")).to_be_visible()
    expect(window.job("outside.jpg")).to_contain_text("replay 1")
    window.expect_job("outside.jpg", "failed")
    window.job("outside.jpg").get_by_role("button", name="Retry").click()
    expect(window.job("outside.jpg")).to_contain_text("replay 2")
    assert window.loaded_once


def test_purge_asks_first(window: Window) -> None:
    """Esc keeps the letters; only a second yes drops them, and then none is left."""
    job_id = fail(window, "dropped.jpg")
    expect(window.letter(job_id)).to_be_visible()
    window.page.get_by_role("button", name="Purge …").click()
    question = window.page.get_by_role("alertdialog")
    expect(question).to_contain_text("Drop")
    window.page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(window.letter(job_id)).to_be_visible()
    window.page.get_by_role("button", name="Purge …").click()
    question.get_by_role("button", name="Purge").click()
    expect(window.page.get_by_text("Nothing was given up")).to_be_visible()


def test_two_browsers_see_the_same(open_window: OpenWindow) -> None:
    """What one sends, both see: the same jobs in the same order, with the same statuses."""
    one, other = open_window(), open_window(1024, 768)
    one.choose("shared-1.jpg", "shared-2.jpg", "shared-3.jpg")
    one.send()
    for name in ("shared-1.jpg", "shared-2.jpg", "shared-3.jpg"):
        one.expect_job(name, "completed")
        other.expect_job(name, "completed")
    # As many as the smaller window draws.
    eventually_so(lambda: one.rows()[:6] == other.rows()[:6])


def test_the_page_recovers_when_the_api_comes_back(window: Window, whole_stack: Stack) -> None:
    """While the API is away the page says so and keeps what it has; then it goes on without loading anew."""
    window.expected = (*window.expected, "503 (Service Unavailable)")
    window.choose("before.jpg")
    window.send()
    window.expect_job("before.jpg", "completed")
    whole_stack.runtime.stop("api-1")
    expect(window.page.get_by_role("alert")).to_contain_text("No news from the API")
    expect(window.job("before.jpg")).to_be_visible()
    whole_stack.runtime.start("api-1")
    expect(window.page.get_by_role("alert")).to_have_count(0)
    window.choose("after.jpg")
    window.send()
    window.expect_job("after.jpg", "completed")
    assert window.loaded_once


def test_operations_are_checked_before_they_are_sent(window: Window) -> None:
    """A wrong argument is told in the API's own words, and nothing can be sent until it is right."""
    window.expected = (*window.expected, "400 (Bad Request)")
    send = window.page.get_by_role("button", name=re.compile("^Send"))
    window.choose("checked.jpg")
    expect(send).to_be_enabled()
    window.add("rotate", "sideways")
    expect(window.page.locator(".verdict")).to_contain_text("'sideways' is not a number")
    expect(send).to_be_disabled()
    window.page.get_by_label("rotate: degrees").fill("-90")
    expect(window.page.locator(".verdict")).to_have_text("rotate,270")
    window.add("convert")
    window.page.get_by_label("Move convert up").click()
    expect(window.page.locator(".verdict")).to_contain_text("· rotate,270")
    window.page.get_by_label("Remove rotate").click()
    expect(window.page.locator(".step")).to_have_count(1)
    expect(send).to_be_enabled()


def test_a_file_that_is_no_picture_is_refused_in_words(window: Window) -> None:
    """What the API does not take stays in the tray, with its reason and the next step."""
    window.expected = (*window.expected, "415 (Unsupported Media Type)")
    window.choose("notes.jpg", data=b"not a picture at all")
    window.send()
    refusal = window.page.locator(".refusals")
    expect(refusal).to_contain_text("notes.jpg")
    expect(refusal).to_contain_text("Send a JPEG, PNG, WebP, GIF, BMP or TIFF file")


def test_the_keyboard_is_enough(window: Window) -> None:
    """Keys alone choose a picture, put an operation together, send it and look at what became of it."""
    page, keyboard = window.page, window.page.keyboard
    tab_to(window, page.get_by_label("Choose pictures"))
    with page.expect_file_chooser() as chooser:
        keyboard.press("Space")
    chooser.value.set_files(window.files("typed.jpg"))
    tab_to(window, page.get_by_label("Add an operation"))
    keyboard.press("g")
    expect(page.get_by_label("Remove grayscale")).to_be_visible()
    send = page.get_by_role("button", name=re.compile("^Send"))
    expect(send).to_be_enabled()
    tab_to(window, send)
    assert send.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    keyboard.press("Enter")
    window.expect_job("typed.jpg", "completed")
    opener = window.job("typed.jpg").get_by_role("button", name="typed.jpg")
    tab_to(window, opener)
    keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("slider")).to_be_visible()  # before it is open, Tab goes on through the page
    tab_to(window, dialog.get_by_role("slider"))
    tab_to(window, dialog.get_by_role("button", name="Close"), "Shift+Tab")
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def tab_to(window: Window, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus; it must not be far."""
    for _ in range(TABS):
        window.page.keyboard.press(key)
        if target.evaluate("node => node === document.activeElement"):
            return
    pytest.fail(f"{TABS} times {key} do not lead to {target}")


def test_the_look_is_remembered(window: Window) -> None:
    """The button turns the colours, whatever the system says, and the page comes back with them."""
    button = window.page.get_by_role("button", name="Colours: auto")
    button.click()
    window.page.get_by_role("button", name="Colours: light").click()
    window.go()
    expect(window.page.get_by_role("button", name="Colours: dark")).to_be_visible()
    expect(window.page.locator("body")).to_have_css("background-color", "rgb(15, 20, 26)")


def test_a_retry_in_the_dialog_is_answered_there(window: Window) -> None:
    """The dialog hides the rest of the page, so it says itself what came of the retry."""
    fail(window, "again.jpg")
    window.job("again.jpg").get_by_role("button", name="again.jpg", exact=True).click()
    dialog = window.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Retry").click()
    expect(dialog.get_by_role("status")).to_have_text("Sent again.")
    expect(dialog.locator(".facts")).to_contain_text("generation 2")


def test_all_letters_are_sent_again(window: Window) -> None:
    """Replay all sends each, and says how many; who has the focus at a letter that goes keeps one."""
    jobs = [fail(window, f"letter-{number}.jpg") for number in (1, 2)]
    for job_id in jobs:
        expect(window.letter(job_id)).to_be_visible()
    count = window.page.locator(".letters .count").inner_text()
    window.page.get_by_role("button", name="Replay all").click()
    expect(window.page.get_by_text(f"{count} sent again.")).to_be_visible()
    for job_id in jobs:
        expect(window.letter(job_id)).to_contain_text("replayed 1")


def test_the_page_has_names_for_all_its_parts(window: Window) -> None:
    """A heading, and charts that say their numbers to whoever cannot see them."""
    expect(window.page.get_by_role("heading", level=1)).to_have_text("Queue Lab")
    for name in (r"Messages: waiting [\d,]+, retrying", r"Jobs a second: in [\d.]+, done"):
        expect(window.page.get_by_role("img", name=re.compile(name))).to_be_visible()


def test_five_hundred_jobs_are_listed(window: Window, whole_stack: Stack) -> None:
    """They are counted and can be scrolled to; only those in sight are drawn, on a phone too.

    A picture that was sent before them is not among them, but its result is shown, and opens whole.
    """
    window.choose("old.jpg")
    window.add("sleep", "4")
    window.send()
    expect(window.job("old.jpg")).to_be_visible()
    messages = [{"id": f"many-{number}", "payload": number} for number in range(520)]
    address = f"{whole_stack.runtime.address('api')}/batch-produce"
    assert urllib3.request("POST", address, json={"messages": messages}).status == 201
    count = window.page.locator(".filter.all .num")
    expect(count).to_have_text("500")
    expect(window.page.get_by_text("of the newest 500")).to_be_visible()
    expect(window.page.locator(".filter.active .num")).to_have_text("0", timeout=2 * PATIENCE_MS)
    for width in (1440, 390):
        window.page.set_viewport_size({"width": width, "height": 844})
        eventually_so(lambda: window.page.locator(".job").count() < 60)
    scroll = window.page.get_by_role("region", name="List of jobs")
    scroll.evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(window.page.locator(".job[aria-posinset='500']")).to_be_visible()
    window.page.get_by_label("Find a job").fill("many-519")
    expect(window.page.locator(".job")).to_have_count(1)
    window.page.get_by_label("Find a job").fill("old.jpg")
    expect(window.page.locator(".job")).to_have_count(0)
    window.page.get_by_label("Before and after of old.jpg").click()
    dialog = window.page.get_by_role("dialog")
    expect(dialog.locator(".status")).to_have_text("completed")
    expect(dialog.get_by_alt_text("After")).to_be_visible()
    expect(dialog.get_by_role("row", name=re.compile("queue wait"))).to_be_visible()


def test_nothing_sticks_out(window: Window) -> None:
    """At any width all fits, and the ground is as light or dark as the system says."""
    expect(window.page.locator(".workers li")).to_have_count(2)
    expect(window.page.locator(".charts canvas")).to_have_count(2)
    for width in (390, 768, 1024, 1440):
        window.page.set_viewport_size({"width": width, "height": 900})
        eventually_so(lambda: not window.overflows())
    for scheme, ground in (("dark", "rgb(15, 20, 26)"), ("light", "rgb(243, 244, 246)")):
        window.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        expect(window.page.locator("body")).to_have_css("background-color", ground)
