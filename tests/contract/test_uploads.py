"""The contract of announced uploads, on SQLite and (where LAB_TEST_DATABASE_URL is set) on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from services.common.jobs import JobStore
from services.common.jobs.uploads import Claim, Upload
from tests.support.examples import event, new_job


@pytest.fixture
def upload(jobs: JobStore) -> Upload:
    """Give an upload that was announced at 100 s and may come until 1000 s."""
    born = new_job()
    announced = Upload(born.job_id, "image/jpeg", 12345, 1000.0)
    jobs.uploads.announce(replace(born, original_key=""), announced)
    return announced


def claimed(jobs: JobStore, upload: Upload, owner: str = "mine", now: float = 100.0) -> Claim:
    claim = Claim(upload.job_id, owner)
    assert jobs.uploads.claim(claim, now=now, until=now + 60)
    return claim


def test_an_announced_upload_is_a_pending_job(jobs: JobStore, upload: Upload) -> None:
    """Both rows are there, and the job has no original yet."""
    assert jobs.uploads.get(upload.job_id) == upload
    found = jobs.get(upload.job_id)
    assert found is not None
    assert (found.status, found.original_path) == ("pending", None)
    assert jobs.uploads.get("nobody") is None


def test_an_announced_upload_does_not_wait(jobs: JobStore, upload: Upload) -> None:
    """Nothing waits for a worker before the file has come; an unconfirmed job does, and an accepted one."""
    assert jobs.oldest_waiting() is None
    jobs.add([new_job(created_at=500.0)])
    assert jobs.oldest_waiting() == 500.0
    assert jobs.uploads.accept(claimed(jobs, upload), original_path="originals/x", file_size=5, at=200.0)
    assert jobs.oldest_waiting() == 200.0


def test_one_of_many_gets_the_claim(jobs: JobStore, upload: Upload) -> None:
    """Many who ask at once: one has it, until its time is over or it gives it back."""

    def ask(number: int) -> bool:
        return jobs.uploads.claim(Claim(upload.job_id, f"token-{number}"), now=100.0, until=160.0)

    with ThreadPoolExecutor(8) as others:
        assert sum(others.map(ask, range(40))) == 1
    claimed(jobs, upload, "later", now=161.0)
    assert not jobs.uploads.claim(Claim(upload.job_id, "other"), now=200.0, until=300.0)
    assert jobs.uploads.release(Claim(upload.job_id, "later"))
    claimed(jobs, upload, "other", now=200.0)
    assert not jobs.uploads.claim(Claim("nobody", "x"), now=1e9, until=2e9)


def test_an_accepted_upload_is_known_to_its_job(jobs: JobStore, upload: Upload) -> None:
    """Path, size and time are in its row; a second acceptance is none."""
    claim = claimed(jobs, upload)
    assert jobs.uploads.accept(claim, original_path="originals/x", file_size=5, at=200.0)
    found = jobs.get(upload.job_id)
    assert found is not None
    assert (found.original_path, found.file_size, found.created_at) == ("originals/x", 5, 200.0)
    assert not jobs.uploads.accept(claim, original_path="originals/y", file_size=6, at=300.0)
    sent = jobs.uploads.get(upload.job_id)
    assert sent is not None
    assert sent.state == "sent"


def test_without_the_claim_nothing_is_changed(jobs: JobStore, upload: Upload) -> None:
    """Who lost its claim, or never had it, accepts, refuses, releases and deletes nothing."""
    claimed(jobs, upload)
    other = Claim(upload.job_id, "other")
    assert not jobs.uploads.accept(other, original_path="originals/x", file_size=5, at=200.0)
    assert not jobs.uploads.refuse(other, "not_an_image")
    assert not jobs.uploads.postpone(other, 2000.0)
    assert not jobs.uploads.release(other)
    assert not jobs.uploads.forget(other)
    assert jobs.uploads.get(upload.job_id) == upload


def test_expired_uploads_are_found(jobs: JobStore, upload: Upload) -> None:
    """Those whose time is over and that nobody deals with, the oldest first."""
    assert jobs.uploads.expired(999.0, 10) == []
    assert jobs.uploads.expired(1001.0, 10) == [upload]
    claim = claimed(jobs, upload, now=1001.0)
    assert jobs.uploads.expired(1001.0, 10) == []
    jobs.uploads.postpone(claim, 2000.0)
    jobs.uploads.release(claim)
    assert jobs.uploads.expired(1500.0, 10) == []
    refused = claimed(jobs, upload, now=2001.0)
    assert jobs.uploads.refuse(refused, "upload_expired")
    jobs.uploads.release(refused)
    [found] = jobs.uploads.expired(2001.0, 10)
    assert (found.state, found.problem) == ("refused", "upload_expired")


def test_a_forgotten_upload_leaves_its_job(jobs: JobStore, upload: Upload) -> None:
    """The row of the job stays; clearing the table takes both."""
    assert jobs.uploads.forget(claimed(jobs, upload))
    assert jobs.uploads.get(upload.job_id) is None
    assert jobs.get(upload.job_id) is not None


def test_a_failure_ends_a_pending_job(jobs: JobStore, upload: Upload) -> None:
    """The tracker moves the row of an upload that was given up, and keeps what is known of it."""
    jobs.apply([event("job.failed", upload.job_id, reason="upload_expired")])
    found = jobs.get(upload.job_id)
    assert found is not None
    assert (found.status, found.reason, found.original_path) == ("failed", "upload_expired", None)
