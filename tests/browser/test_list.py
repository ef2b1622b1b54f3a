"""The list of jobs and whoever reads it: what comes must not move what is looked at."""

from __future__ import annotations

import re

import urllib3
from playwright.sync_api import expect

from tests.acceptance.stack import Stack
from tests.browser.window import Window
from tests.support.waiting import eventually_so

SHIFTS = """() => new Promise(resolve => {
  const found = [];
  const observer = new PerformanceObserver(list => found.push(...list.getEntries()));
  observer.observe({type: "layout-shift", buffered: true});
  requestAnimationFrame(() => setTimeout(() => {
    observer.takeRecords().forEach(entry => found.push(entry));
    const entries = found.filter(entry => !entry.hadRecentInput);
    resolve(entries.reduce((sum, entry) => sum + entry.value, 0));
  }));
})"""
"""Returns how much of the page has moved by itself: https://web.dev/articles/cls."""


COUNT = """async name => {
  const { lab } = await import("/web/store.js");
  return lab.jobs.filter(job => job.id.startsWith(`${name}-`)).length;
}"""
"""Counts jobs that the page knows, also those that it does not draw."""

TOP = "row => row.getBoundingClientRect().top"


def produce(stack: Stack, window: Window, name: str, count: int) -> None:
    """Have jobs come from elsewhere, and wait until the page knows of all."""
    messages = [{"id": f"{name}-{number}", "payload": number} for number in range(count)]
    address = f"{stack.runtime.address('api')}/batch-produce"
    assert urllib3.request("POST", address, json={"messages": messages}).status == 201
    eventually_so(lambda: window.page.evaluate(COUNT, name) == count)


def expect_first(window: Window, name: str) -> None:
    """Wait until such a job stands at the top of the list."""
    expect(window.page.locator(".job[aria-posinset='1']")).to_have_attribute(
        "data-id", re.compile(f"^{name}-")
    )


def test_rows_hold_still_under_the_pointer(window: Window, whole_stack: Stack) -> None:
    """While the pointer is in the list new rows wait, and a note says how many; they come when it leaves."""
    produce(whole_stack, window, "seen", 3)
    expect_first(window, "seen")
    first = window.page.locator(".job[aria-posinset='1']")
    before = first.get_attribute("data-id")
    first.hover()
    produce(whole_stack, window, "fresh", 4)
    expect(window.page.locator(".news")).to_have_text("4 new")
    assert first.get_attribute("data-id") == before
    window.page.get_by_label("Choose pictures").hover(force=True)
    expect_first(window, "fresh")
    expect(window.page.locator(".news")).to_have_text("")


def test_rows_hold_still_under_the_focus(window: Window, whole_stack: Stack) -> None:
    """The same while the keyboard's focus is in the list."""
    produce(whole_stack, window, "typed", 2)
    expect_first(window, "typed")
    window.page.get_by_label("Find a job").focus()
    window.page.keyboard.press("Tab")
    window.page.keyboard.press("Tab")
    focused = window.page.locator(".job[aria-posinset='1'] .name")
    expect(focused).to_be_focused()
    produce(whole_stack, window, "later", 2)
    expect(window.page.locator(".news")).to_have_text("2 new")
    expect(focused).to_be_focused()
    window.page.keyboard.press("Shift+Tab")
    window.page.keyboard.press("Shift+Tab")
    expect_first(window, "later")


def test_the_place_is_kept_further_down(window: Window, whole_stack: Stack) -> None:
    """Whoever has scrolled down sees the same rows at the same height when new ones come above."""
    produce(whole_stack, window, "below", 60)
    expect_first(window, "below")
    window.page.get_by_role("region", name="List of jobs").evaluate("list => list.scrollTo(0, 1010)")
    row = window.page.locator(".job[aria-posinset='26']")
    expect(row).to_be_visible()
    job_id, height = row.get_attribute("data-id"), row.evaluate(TOP)
    produce(whole_stack, window, "above", 30)
    row = window.page.locator(f".job[data-id='{job_id}']")
    expect(row).to_have_attribute("aria-posinset", "56")
    assert row.evaluate(TOP) == height
    window.page.get_by_label("Find a job").fill("above-")
    expect_first(window, "above")
    eventually_so(lambda: window.page.locator(".scroll").evaluate("list => list.scrollTop") == 0)


def test_nothing_moves_by_itself(window: Window, whole_stack: Stack) -> None:
    """While data comes in, on loading and in a burst, the page stays where it is."""
    expect(window.page.locator(".charts canvas")).to_have_count(2)
    expect(window.page.locator(".workers li")).to_have_count(2)
    produce(whole_stack, window, "burst", 40)
    expect_first(window, "burst")
    expect(window.page.locator(".filter.active .num")).to_have_text("0")
    assert window.page.evaluate(SHIFTS) < 0.1
