"""What one identity sees: changes with numbers, and what a browser lacks of them."""

from __future__ import annotations

from typing import Any

import pytest

from services.dashboard.board import SLACK, Board
from services.dashboard.rows import Json

QUIET = {"work": 0, "retry": 0, "dead": 0}


def row(job_id: str, status: str = "queued", at: float = 0.0, generation: int = 1) -> Json:
    """Return the row of a job."""
    return {"id": job_id, "status": status, "at": at, "generation": generation}


def patch(board: Board, since: int) -> Json:
    """Return what is newer; there must be something."""
    found = board.patch(since)
    assert found is not None
    return found


def ids(found: Json) -> set[str]:
    """Return the jobs in a patch."""
    return {job["id"] for job in found["jobs"]}


def test_a_browser_is_given_what_changed() -> None:
    """After what it has, each job once and as it is now; and nothing when nothing changed."""
    board = Board(10)
    board.fill([row("a"), row("b"), row("c")])
    begin = patch(board, -1)
    assert (ids(begin), begin["whole"]) == ({"a", "b", "c"}, True)
    assert board.patch(begin["rev"]) is None
    board.take(row("b", "processing"))
    board.take(row("b", "completed"))
    board.take(row("d"))
    found = patch(board, begin["rev"])
    assert (ids(found), found["whole"]) == ({"b", "d"}, False)
    assert [job["status"] for job in found["jobs"] if job["id"] == "b"] == ["completed"]


def test_what_stays_the_same_is_no_change() -> None:
    """A part or a job that comes again as it was costs no browser anything."""
    board = Board(10)
    board.take(row("a"))
    board.put("workers", {"rows": []})
    rev = board.rev
    board.take(row("a"))
    board.put("workers", {"rows": []})
    assert board.rev == rev
    board.put("workers", {"rows": [1]})
    found = patch(board, rev)
    assert (found["jobs"], found["workers"]) == ([], {"rows": [1]})


def test_after_a_reset_everything_comes_anew() -> None:
    """A browser that has jobs of before is told to forget them."""
    board = Board(10)
    board.fill([row("old")])
    before = board.rev
    board.fill([row("new")])
    found = patch(board, before)
    assert (ids(found), found["whole"]) == ({"new"}, True)


def test_only_the_newest_are_kept() -> None:
    """However many jobs come, those accepted last stay, whatever changed last."""
    board = Board(10)
    for number in range(10 + SLACK):
        board.take(row(f"{number}", at=number))
    board.take(row("0", "failed", at=0))
    board.take(row("last", at=1000))
    found = ids(patch(board, -1))
    assert len(found) == 10
    assert "last" in found
    assert "0" not in found
    assert board.oldest() == f"{SLACK + 1}"


def test_rates_are_what_happened_since_the_point_before() -> None:
    """Arrivals, ends and failures are counted once each; a replay is an arrival."""
    board = Board(100)
    board.point(100.0, QUIET)
    for number in range(6):
        board.take(row(f"{number}"))
    board.take(row("0", "completed"))
    board.take(row("0", "completed"))
    board.take(row("1", "failed"))
    board.take(row("1", "queued", generation=2))
    board.point(102.0, {"work": 4, "retry": 1, "dead": 2})
    point = board.points[-1]
    assert (point.waiting, point.retrying, point.dead) == (4, 1, 2)
    assert (point.accepted, point.completed, point.failed) == (3.5, 0.5, 0.5)


def accepted(board: Board, at: float) -> float:
    """Return how many jobs a second were accepted since the point before."""
    board.point(at, QUIET)
    return board.points[-1].accepted


@pytest.mark.parametrize("apart_s", [1.0, 0.0], ids=["one by one", "as a batch"])
def test_a_job_beyond_the_limit_does_not_arrive_again(apart_s: float) -> None:
    """A burst that is longer than the list counts once, also while its oldest are done; a replay is new."""
    board = Board(10)
    board.point(100.0, QUIET)
    burst = [(f"{number * 37 % 101:03}", number * apart_s) for number in range(80)]
    for job_id, at in burst:
        board.take(row(job_id, at=at))
    assert accepted(board, 101.0) == 80
    for status in ("processing", "failed"):
        for job_id, at in burst:
            board.take(row(job_id, status, at=at))
    assert accepted(board, 102.0) == 0
    board.take(row(burst[0][0], "queued", at=0.0, generation=2))
    board.take(row("new", at=100 * apart_s))
    assert accepted(board, 103.0) == 2


def test_a_job_that_the_list_never_had_does_not_arrive() -> None:
    """Where the table has more jobs than are listed, those of before change and are no arrivals."""
    board = Board(10)
    board.point(100.0, QUIET)
    board.fill([row(f"b{number}", at=50.0) for number in range(10)])
    board.take(row("a", "processing", at=50.0))
    board.take(row("c", "processing", at=50.0))
    board.take(row("old", "completed", at=1.0))
    assert accepted(board, 101.0) == 0
    board.take(row("new", at=51.0))
    assert accepted(board, 102.0) == 1


def test_in_a_short_list_everything_unknown_is_new() -> None:
    """A table that was read to its end has no older jobs; after a reset the old ones count no more."""
    board = Board(10)
    board.fill([row(f"{number}", at=50.0) for number in range(10)])
    board.fill([row("only", at=60.0)])
    board.point(100.0, QUIET)
    board.take(row("late", at=40.0))
    assert accepted(board, 101.0) == 1


def test_parts_have_a_value_before_they_are_put() -> None:
    """Who asks early gets what it gives for that."""
    nothing: Any = Board(10).part("queues", {})
    assert nothing == {}
