"""Results are looked at; what nobody could look at is not called broken."""

from __future__ import annotations

from typing import cast

import pytest

from labkit.client import ApiClient
from labkit.errors import ApiUnreachable
from labkit.load import verify as verifying
from labkit.load.records import Record
from labkit.load.workloads import Expected
from test_images import generate_sample
from tests.support.records import record

PICTURE = generate_sample.photo(32, 24, seed=1)


class Answers:
    """A client that gets these answers in turn, the last one again and again; None: no answer."""

    def __init__(self, *answers: tuple[int, bytes] | None) -> None:
        self.left = [*answers]

    async def download(self, _path: str) -> tuple[int, bytes]:
        """Return the next answer."""
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if answer is None:
            raise ApiUnreachable("The API did not answer.", "")
        return answer


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "POLL_S", 0.001)
    monkeypatch.setattr(verifying, "BEHIND_S", 0.05)


async def _verified(*answers: tuple[int, bytes] | None) -> bool | None:
    looked_at = _completed()
    await verifying.verify(cast("ApiClient", Answers(*answers)), [looked_at])
    return looked_at.verified


def _completed() -> Record:
    made = record(job_id="j1", outcome="completed")
    made.planned = type(made.planned)(sequence=0, image="a", expected=Expected("JPEG", 32, 24))
    return made


async def test_a_result_as_planned_is_verified() -> None:
    """Format, size, and bytes that decode."""
    assert await _verified((200, PICTURE)) is True
    assert await _verified((200, PICTURE[:200])) is False
    assert await _verified((404, b"")) is False


@pytest.mark.parametrize("first", [None, (503, b""), (409, b"")], ids=["no API", "no store", "table behind"])
async def test_who_is_away_for_a_moment_is_waited_for(first: tuple[int, bytes] | None) -> None:
    """An API that starts again while results are looked at breaks no promise."""
    assert await _verified(first, first, (200, PICTURE)) is True


async def test_without_an_answer_nothing_is_known() -> None:
    """That a result could not be looked at does not mean that it is broken."""
    assert await _verified(None) is None
    assert await _verified((503, b"")) is None
    assert await _verified((409, b"")) is False
