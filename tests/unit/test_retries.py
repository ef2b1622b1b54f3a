"""What becomes of a failed attempt."""

from __future__ import annotations

import pytest

from services.common.errors import (
    BadMessage,
    ObjectMissing,
    PermanentError,
    QueueLabError,
    StorageUnavailable,
    TransientError,
)
from services.common.topology import RETRY_DELAYS_S
from services.worker.processors import TruncatedImage
from services.worker.retries import GiveUp, Requeue, Retry, RetryPolicy, after_failure


@pytest.mark.parametrize(("attempt", "delay_s"), [(1, 1), (2, 5), (3, 15)])
def test_transient_faults_are_retried_with_growing_delays(attempt: int, delay_s: int) -> None:
    """Each retry waits longer than the one before."""
    assert after_failure(StorageUnavailable(), attempt) == Retry(delay_s)


@pytest.mark.parametrize("attempt", [4, 5, 100])
def test_attempts_are_spent_after_the_last_delay(attempt: int) -> None:
    """A job that was crash-looped before does not get more attempts than there are delays."""
    assert after_failure(TransientError(), attempt) == GiveUp("attempts_spent")


@pytest.mark.parametrize("error", [PermanentError(), ObjectMissing(), TruncatedImage()])
@pytest.mark.parametrize("policy", ["delayed", "requeue", "none"])
def test_permanent_faults_are_never_retried(error: QueueLabError, policy: RetryPolicy) -> None:
    """No policy repeats what cannot succeed."""
    assert after_failure(error, 1, policy) == GiveUp("permanent")


def test_a_bad_message_has_a_reason_of_its_own() -> None:
    """Dead letters tell a job that cannot be read from one that cannot be done."""
    assert after_failure(BadMessage(), 1) == GiveUp("bad_message")


def test_the_other_policies() -> None:
    """Requeue never gives up by itself, none always does."""
    assert after_failure(TransientError(), 50, "requeue") == Requeue()
    assert after_failure(TransientError(), 1, "none") == GiveUp("attempts_spent")


def test_there_is_a_queue_for_each_delay() -> None:
    """Every delay that a retry can have is one that the topology has."""
    delays = [after_failure(TransientError(), attempt) for attempt in range(1, 4)]
    assert delays == [Retry(delay) for delay in RETRY_DELAYS_S]
