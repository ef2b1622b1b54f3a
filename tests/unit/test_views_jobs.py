"""What the pages about jobs, dead letters, faults and queries look like."""

from __future__ import annotations

import pytest

from labkit.links import Link, Login
from labkit.queries import QUERIES
from labkit.views.dlq import letters_table
from labkit.views.jobs import change_line, job_page, waterfall
from labkit.views.links import links_table
from labkit.views.query import query_page
from labkit.views.status import status_page
from services.common.control import Faults
from tests.unit.test_views import job, lines, overview, text


def test_a_waterfall_of_a_failed_job_shows_its_work() -> None:
    """Where the stages of an image are missing, there is one bar from start to end."""
    clock = {"accepted": 1.0, "published": 1.1, "started": 1.3, "finished": 1.8, "notified": 1.9}
    found = lines(waterfall(clock))
    assert [line[:10].strip() for line in found[1:]] == ["accept", "queue wait", "work", "notify"]
    assert "500 ms" in found[3]


def test_a_waterfall_says_where_earlier_attempts_are() -> None:
    """What a later attempt stamped anew holds those before it."""
    found = text(job_page(job(attempts=2), ""))
    assert "wait, tries" in found
    assert "queue wait" not in found


def test_a_job_lists_its_files() -> None:
    """An image with its pixels, anything else without."""
    picture = {"name": "result", "content_type": "image/png", "size": 5100, "width": 80, "height": 60}
    facts = {"name": "metadata", "content_type": "application/json", "size": 300, "width": 0, "height": 0}
    found = text(job_page(job(outputs=[picture, facts]), ""))
    assert "image/png (80x60, 5 kB)" in found
    assert "application/json (300 B)" in found


def test_a_dead_letter_is_a_line() -> None:
    """The id is whole; the long message is on the letter's own page."""
    letter = {"job_id": "1" * 32, "reason": "attempts_spent", "error_code": "injected_fault", "attempt": 4}
    found = lines(letters_table([{**letter, "replays": 1}, {**letter, "replays": None}]))
    assert found[1].split() == ["1" * 32, "attempts_spent,", "injected_fault", "4", "1"]
    assert len(found) == 3


def test_status_says_which_fault_is_active() -> None:
    """Who looks at slow jobs must see that they are slow on purpose."""
    slow = overview(faults=Faults(delays_s={"convert": 0.5}))
    assert "Fault active: convert takes 500 ms longer." in text(status_page(slow, "local"))
    assert "active" not in text(status_page(overview(faults=Faults()), "local"))


def test_a_query_shows_its_sql_and_lines_up_its_numbers() -> None:
    """Numbers with a point have three digits behind it, whatever the database leaves away."""
    found = lines(query_page("select 1", ("operations", "mean_s"), [("resize", 0.02), ("rotate", None)]))
    assert found[0] == "select 1"
    assert found[3:] == ["resize       0.020", "rotate           -"]


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES)
def test_queries_fit_a_terminal(sql: str) -> None:
    """The SQL is there to be read."""
    assert max(map(len, sql.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 60, 44])
def test_addresses_and_logins_are_never_cut(width: int) -> None:
    """They are there to be copied; at 80 columns nothing else is cut either."""
    links = [Link("rabbitmq management", "http://127.0.0.1:23072", "RabbitMQ in the browser")]
    found = text(links_table(links, [Login("rabbitmq", "lab", "p" * 20)]), width)
    assert "http://127.0.0.1:23072" in found
    assert "p" * 20 in found
    assert ("in the browser" in found) is (width > 60)


def test_a_change_is_a_line_of_a_narrow_screen() -> None:
    """Time, job, status and what took how long; a failure says why."""
    change = job(seq=1795338113758583, clock={"accepted": 1.0, "finished": 1.25})
    assert change_line(change).plain.split() == [
        *("09:01:53", change["job_id"], change["status"], "250", "ms"),
        *(change["worker"], *"; ".join(change["operations"]).split()),
    ]
    failed = job(seq=1, status="failed", error_message="broken", attempts=4)
    assert change_line(failed).plain.endswith("attempt 4 broken")
