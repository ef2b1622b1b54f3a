"""How long an instance may take to end."""

from __future__ import annotations

import pytest

from labkit.runtime.grace import LONGEST_JOB_S, grace_s
from services.worker.settings import WorkerSettings

LONGEST = "LAB_MAX_PROCESSING_TIME_S"


@pytest.mark.parametrize(
    ("chosen", "seconds"),
    [({}, 8), ({LONGEST: "1"}, 8), ({LONGEST: "30"}, 33), ({LONGEST: "a while"}, 8)],
    ids=["default", "short", "long", "nonsense"],
)
def test_an_instance_has_longer_than_its_longest_job(chosen: dict[str, str], seconds: float) -> None:
    """So `restart` and `scale` kill no job."""
    assert grace_s(chosen) == seconds


def test_the_default_is_the_workers() -> None:
    """Both sides know the same longest job."""
    assert WorkerSettings.model_fields["max_processing_time_s"].default == LONGEST_JOB_S
