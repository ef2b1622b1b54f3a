"""What is sent from the page: from wherever it is dropped, as it was when the button was pressed."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.browser.window import Window

DROP = """(node, name) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["anything"], name, {type: "image/jpeg"}));
  const event = (kind) => new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true});
  node.dispatchEvent(event("dragenter"));
  return ["dragover", "drop"].map(kind => !node.dispatchEvent(event(kind)));
}"""
"""Drops a file on a node; returns of both events whether the browser was told to leave it to the page."""


def test_a_file_may_be_dropped_anywhere(window: Window) -> None:
    """On the field or beside it: it is taken once, and the browser does not open it in place of the page."""
    places = ("body", ".drop", ".scroll")
    for number, place in enumerate(places, 1):
        assert window.page.locator(place).evaluate(DROP, f"dropped-{number}.jpg") == [True, True]
        expect(window.page.locator(".previews img")).to_have_count(number)
        expect(window.page.locator(".drop")).not_to_have_class(re.compile("over"))


def test_what_is_sent_stays_as_it_was_when_it_was_sent(window: Window) -> None:
    """Operations that are added while copies are on their way are for the next time."""
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    window.page.route("**/send", hold_first)
    window.choose("twice.jpg")
    window.add("grayscale")
    window.page.get_by_label("Copies").fill("2")
    window.send()
    expect(window.page.locator(".previews .sending")).to_be_visible()
    window.add("convert")
    expect(window.page.locator(".verdict")).to_contain_text("grayscale · convert")
    window.page.get_by_label("Priority").fill("5")
    held[0].continue_()
    expect(window.page.get_by_text("2 jobs accepted")).to_be_visible()
    rows = window.page.locator(".job", has_text="twice.jpg")
    expect(rows).to_have_count(2)
    expect(rows.locator(".ops")).to_have_text(["grayscale", "grayscale"])


def test_a_name_with_markup_is_text(window: Window) -> None:
    """A file may be called like an element of HTML; it is shown as it is called, and does nothing."""
    name = "<img src=x onerror=alert(1)>.jpg"
    window.choose(name)
    expect(window.page.get_by_label(f"Leave out {name}")).to_be_visible()
    window.send()
    window.expect_job(name, "completed")
    expect(window.page.get_by_label(f"Before and after of {name}")).to_be_visible()
    window.job(name).get_by_role("button", name=name).click()
    expect(window.page.get_by_role("dialog").get_by_role("heading", name=name)).to_be_visible()
    assert window.page.locator("img[src=x]").count() == 0


def test_the_focus_goes_to_a_neighbour(window: Window) -> None:
    """What is removed with the keyboard leaves the focus at what comes next; at last, where more is added."""
    page = window.page
    window.choose("one.jpg", "two.jpg")
    for name, then in (("one.jpg", "Leave out two.jpg"), ("two.jpg", "Choose pictures")):
        page.get_by_label(f"Leave out {name}").press("Enter")
        expect(page.get_by_label(then)).to_be_focused()
    window.add("grayscale")
    window.add("convert")
    for name, then in (("convert", "Remove grayscale"), ("grayscale", "Add an operation")):
        page.get_by_label(f"Remove {name}").press("Enter")
        expect(page.get_by_label(then)).to_be_focused()


def test_a_late_verdict_is_not_for_what_was_typed_since(window: Window) -> None:
    """While an argument is checked another one is typed: that one is sent, not the one of the late answer."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    window.page.route(re.compile("rotate%2C30$"), hold)
    window.choose("turned.jpg")
    with window.page.expect_request(re.compile("rotate%2C30$")):
        window.add("rotate", "30")
    window.page.get_by_label("rotate: degrees").fill("60")
    held[0].continue_()
    window.send()
    expect(window.job("turned.jpg").locator(".ops")).to_have_text("rotate,60")
