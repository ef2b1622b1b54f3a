"""The contract of the job table where databases differ: versions, text, numbers, and SQL for people."""

from __future__ import annotations

import json

import pytest

from labkit.queries import QUERIES
from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobStore
from tests.contract.conftest import ByHand
from tests.support.examples import RESULT, event, new_job


@pytest.mark.parametrize(
    "change", ["drop column filename", "add column colour text"], ids=["one less", "one more"]
)
def test_a_table_of_another_version_is_said(jobs: JobStore, by_hand: ByHand, change: str) -> None:
    """Whoever meets it learns what to do, and the table is left as it is."""
    by_hand("drop view images", f"alter table jobs {change}")
    with pytest.raises(DatabaseUnavailable, match="made by another version of Queue Lab"):
        jobs.create_schema()


def test_a_missing_column_is_said_to_readers_too(jobs: JobStore, by_hand: ByHand) -> None:
    """Programs that did not make the table meet it in their health check."""
    jobs.ping()
    by_hand("alter table jobs drop column fingerprint")
    with pytest.raises(DatabaseUnavailable, match=r"made by another version.*fingerprint"):
        jobs.ping()


def test_text_and_numbers_that_not_every_database_takes(jobs: JobStore) -> None:
    """No event may stop the tracker for ever, whatever somebody wrote into it."""
    large = RESULT.model_copy(update={"name": "thumbnail", "size": 5_000_000_000})
    odd = event("job.completed", filename="c\0at\U0001f408.jpg", outputs=(large,), worker="w\0")
    jobs.apply([odd])
    row = jobs.get(odd.job_id)
    assert row is not None
    assert (row.filename, row.worker) == ("c\ufffdat\U0001f408.jpg", "w\ufffd")
    assert row.thumbnail_size == 5_000_000_000
    failed = event("job.failed", error_message="\0" * 500, clock={"accepted": 1e300})
    jobs.apply([failed])
    row = jobs.get(failed.job_id)
    assert row is not None
    assert row.error_message == "\ufffd" * 500


def test_the_classic_view_has_the_images(jobs: JobStore) -> None:
    """Who brings queries from the classic gallery finds its table, without text jobs."""
    jobs.add([image := new_job(), new_job(kind="text")])
    jobs.apply([event("job.completed", image.job_id)])
    columns, rows = jobs.query("select * from images")
    assert columns == (
        *("id", "filename", "original_path", "thumbnail_path", "file_size", "thumbnail_size", "status"),
        *("created_at", "processing_started_at", "processed_at", "operations", "error_message", "user_id"),
    )
    [[_, filename, _, thumbnail, size, *_]] = rows
    assert (filename, thumbnail, size) == ("cat.jpg", "results/j/thumbnail", 12345)


def test_the_classic_questions_are_answered(jobs: JobStore) -> None:
    """The SQL that `labctl db` shows runs on each database, with numbers that JSON can carry."""
    ended = event("job.completed", clock={"accepted": 100.0, "started": 102.0}, at=102.5)
    jobs.apply([ended, event("job.completed", at=104.0), event("job.failed")])
    answers = {name: jobs.query(sql) for name, sql in QUERIES.items()}
    assert json.loads(json.dumps(answers)) == {
        "stats": [["status", "jobs"], [["completed", 2], ["failed", 1]]],
        "recent": [list(answers["recent"][0]), [list(line) for line in answers["recent"][1]]],
        "times": [
            ["kind", "operations", "jobs", "min_s", "mean_s", "max_s"],
            [["image", "resize,800x600", 2, 0.5, 1.25, 2.0]],
        ],
    }
    assert [line[-1] for line in answers["recent"][1]][1:] == [4.0, 2.5]
