"""What one identity sees: changes with numbers, and what a browser lacks of them."""

from __future__ import annotations

from typing import Any

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


def test_parts_have_a_value_before_they_are_put() -> None:
    """Who asks early gets what it gives for that."""
    nothing: Any = Board(10).part("queues", {})
    assert nothing == {}
