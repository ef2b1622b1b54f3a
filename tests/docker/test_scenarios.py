"""The scenarios of the acceptance tests, on containers."""

from __future__ import annotations

import pytest

from tests.acceptance.test_faults import (
    test_a_killed_broker_loses_nothing,
    test_a_worker_killed_at_work_loses_nothing,
    test_all_workers_killed_and_started_later_lose_nothing,
    test_one_corrupt_image_does_not_hold_up_the_others,
)
from tests.acceptance.test_layouts import faulty, test_the_layout_changes_there_and_back_under_load
from tests.acceptance.test_recovery import empty, test_a_replay_under_load_loses_nothing
from tests.acceptance.test_walkthrough import test_every_request_of_the_file_is_answered_as_it_says

__all__ = [
    "empty",
    "faulty",
    "test_a_killed_broker_loses_nothing",
    "test_a_replay_under_load_loses_nothing",
    "test_a_worker_killed_at_work_loses_nothing",
    "test_all_workers_killed_and_started_later_lose_nothing",
    "test_every_request_of_the_file_is_answered_as_it_says",
    "test_one_corrupt_image_does_not_hold_up_the_others",
    "test_the_layout_changes_there_and_back_under_load",
]

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
