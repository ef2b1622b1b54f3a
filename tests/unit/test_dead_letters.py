"""What travels with a dead letter, written by a worker, by the broker, or by somebody else."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import dead_letters
from services.common.dead_letters import DeadLetter
from services.common.errors import BrokerUnavailable, StorageUnavailable
from services.common.messages import Event
from tests.support.examples import text_job
from tests.support.workshop import Bench

_READ = {"spent": 2, "now": 50.0}


def _letter(headers: dict[str, Any]) -> DeadLetter:
    return dead_letters.read(Bench().delivery(text_job(), headers=headers), spent=2, now=50.0)


async def test_what_a_worker_writes_is_what_is_read() -> None:
    """Reason, code, words, attempt, origin, worker and time come back."""
    bench = Bench()
    async with bench.broker:
        sent = text_job()
        error = StorageUnavailable("no answer " + 600 * "!")
        await dead_letters.bury(
            bench.broker, bench.delivery(sent), error, reason="attempts_spent", attempt=4, by="worker-7"
        )
        delivery = await bench.take("dead-letter")
        letter = dead_letters.read(delivery, spent=0, now=0)
        assert (letter.reason, letter.error_code) == ("attempts_spent", "storage_unavailable")
        assert (letter.attempt, letter.origin, letter.worker) == (4, "text.jobs", "worker-7")
        assert letter.error_message == str(error)[:500]
        assert letter.at > 0
        assert (delivery.body, delivery.message_id) == (sent.encode(), sent.job_id)


async def test_without_a_confirm_the_delivery_stays_unsettled() -> None:
    """A dead letter that the broker does not confirm is not acknowledged."""
    bench = Bench()
    async with bench.broker:
        bench.broker.connected = False
        with pytest.raises(BrokerUnavailable):
            await dead_letters.bury(
                bench.broker, bench.delivery(text_job()), StorageUnavailable(), reason="x", attempt=1, by="w"
            )
        assert bench.broker.log == []


def test_the_brokers_own_time() -> None:
    """A letter of the broker has its stamp, one of a worker has none of that kind."""
    at = datetime(2026, 5, 1, tzinfo=UTC)
    deaths = [{"reason": "delivery_limit", "queue": "image.jobs", "time": at}]
    stamped = Bench().delivery(text_job(), headers={"x-death": deaths})
    assert dead_letters.died_at(stamped) == at.timestamp()
    assert dead_letters.died_at(Bench().delivery(text_job())) == 0


def test_the_brokers_own_words() -> None:
    """A job that the broker gave up on has the attempts of its last stay added."""
    letter = _letter({"x-death": [{"reason": "delivery_limit", "queue": "image.jobs"}]})
    assert (letter.reason, letter.error_code, letter.origin) == ("delivery_limit",) * 2 + ("image.jobs",)
    assert (letter.attempt, letter.worker, letter.at) == (2 + 6, "", 50.0)
    assert "handed out 6 times" in letter.error_message


@pytest.mark.parametrize(
    "headers",
    [
        {
            "x-death": [
                {"reason": "delivery_limit", "queue": "image.jobs"},
                {"reason": "expired", "queue": "image.jobs.retry.1s"},
            ],
            "x-first-death-reason": "expired",
            "x-first-death-queue": "image.jobs.retry.1s",
        },
        {
            "x-death": [{"reason": "expired", "queue": "image.jobs.retry.1s"}],
            "x-last-death-reason": "delivery_limit",
            "x-last-death-queue": "image.jobs",
        },
    ],
    ids=["RabbitMQ 3.10", "newer"],
)
def test_the_last_death_counts(headers: dict[str, Any]) -> None:
    """An earlier stay in a retry queue is no reason."""
    letter = _letter(headers)
    assert (letter.reason, letter.origin) == ("delivery_limit", "image.jobs")


def test_a_letter_without_any_word() -> None:
    """Somebody may publish a job to the dead-letter exchange by hand."""
    letter = _letter({})
    assert (letter.reason, letter.origin, letter.attempt) == ("unknown", "", 3)


_ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=600), st.lists(st.text(max_size=3))
)
_NAMES = ("reason", "error_code", "error_message", "attempt", "origin", "worker", "at", "x-death")


@given(headers=st.dictionaries(st.sampled_from(_NAMES), _ODD))
def test_any_headers_make_an_event(headers: dict[str, Any]) -> None:
    """Whatever stands in the headers, the tracker can say that the job failed."""
    letter = _letter(headers)
    assert math.isfinite(letter.at)
    failed = Event.of(
        text_job(),
        "job.failed",
        attempt=letter.attempt,
        clock={"finished": letter.at},
        worker=letter.worker or None,
        queue=letter.origin or None,
        reason=letter.reason,
        error_code=letter.error_code,
        error_message=letter.error_message,
    )
    assert Event.decode(failed.encode()) == failed
