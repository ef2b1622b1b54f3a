"""Direct uploads when something is gone, late, replaced or dead: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.api import direct
from services.api.context import Context
from services.common.broker import Outgoing
from services.common.errors import StorageUnavailable
from services.common.jobs.uploads import Claim
from services.common.storage import ObjectFacts, upload_key
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import EVENTS, JOBS, declarations
from tests.checkout import eventually
from tests.support.api import Api, answer, code, picture, running, unconfirmed
from tests.support.direct import age, announce, bring, complete, refusal, row, sweep, track


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def test_without_a_store_it_can_be_said_again(api: Api) -> None:
    """A store that is gone at complete is a 503; nothing is lost, and the next try works."""
    job_id = announce(api)
    bring(api, job_id)
    api.store.available = False
    assert code(complete(api, job_id)) == (503, "storage_unavailable")
    assert row(api, job_id).status == "pending"
    api.store.available = True
    assert complete(api, job_id).status == 202
    assert len(api.jobs()) == 1


class Fading(MemoryStore):
    """A store that goes away in the middle of a check."""

    fades = True

    def read(self, key: str, start: int, length: int) -> bytes:
        """Fail the first time."""
        if self.fades:
            self.fades = False
            raise StorageUnavailable
        return super().read(key, start, length)


def test_a_store_that_goes_away_meanwhile_refuses_nothing(tmp_path: Path) -> None:
    """What could not be read is no bad file."""
    with running(tmp_path, store=Fading) as api:
        job_id = announce(api)
        bring(api, job_id)
        assert code(complete(api, job_id)) == (503, "storage_unavailable")
        assert complete(api, job_id).status == 202


class Hanging(MemoryStore):
    """A store that does not answer until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def look(self, key: str) -> ObjectFacts:
        """Wait."""
        assert self.free.wait(10)
        return super().look(key)


def test_a_store_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while the answer is a 503, and the claim is given back."""
    store = Hanging()
    with running(tmp_path, store=lambda: store) as api:
        monkeypatch.setattr(api.parts.objects, "_timeout_s", 0.1)
        job_id = announce(api)
        bring(api, job_id)
        assert code(complete(api, job_id)) == (503, "storage_unavailable")
        monkeypatch.setattr(api.parts.objects, "_timeout_s", 10)
        store.free.set()
        assert complete(api, job_id).status == 202


class Swapping(MemoryStore):
    """A store in which the client puts another file while the first is looked at."""

    swaps = True

    def look(self, key: str) -> ObjectFacts:
        """Look, and let the other file come."""
        facts = super().look(key)
        if self.swaps and key.startswith("uploads/"):
            self.swaps = False
            other = picture(80, 80)
            self.put(key, io.BytesIO(other), len(other), "image/jpeg")
        return facts


def test_what_was_checked_is_what_is_worked_on(tmp_path: Path) -> None:
    """A file that is replaced meanwhile is not taken; the next try looks at the new one."""
    with running(tmp_path, store=Swapping) as api:
        job_id = announce(api)
        bring(api, job_id)
        response = complete(api, job_id)
        assert refusal(response) == (503, "upload_busy")
        assert list(api.store.objects) == [upload_key(job_id)]
        assert complete(api, job_id).status == 202
        assert api.get(f"/jobs/{job_id}/original").data == picture(80, 80)


def test_without_a_broker_nothing_is_decided(api: Api) -> None:
    """No connection to RabbitMQ is a 503, for good files and for bad ones."""
    good, bad = announce(api), announce(api)
    bring(api, good)
    bring(api, bad, b"text")
    api.broker.connected = False
    assert code(complete(api, good)) == (503, "broker_unavailable")
    assert code(complete(api, bad)) == (503, "broker_unavailable")
    api.broker.connected = True
    assert (complete(api, good).status, complete(api, bad).status) == (202, 415)


class Forgetful(MemoryBroker):
    """A broker that does not confirm the first message of an exchange."""

    exchange = JOBS
    lost = False

    def publish(self, message: Outgoing) -> asyncio.Future[None]:
        """Route a message; break the connection before the first confirm."""
        outcome = super().publish(message)
        if message.exchange != self.exchange or self.lost:
            return outcome
        self.lost = True
        return unconfirmed()


class Unheard(Forgetful):
    """A broker that does not confirm the first event."""

    exchange = EVENTS


def test_without_a_confirm_it_may_be_said_again(tmp_path: Path) -> None:
    """The 503 says that the outcome is unknown; the next try sends the same job, also after the expiry."""
    with running(tmp_path, broker=lambda: Forgetful(declarations())) as api:
        job_id = announce(api)
        bring(api, job_id)
        response = complete(api, job_id)
        assert refusal(response) == (503, "unconfirmed")
        assert answer(response)["outcome"] == "unknown"
        age(tmp_path)
        sweep(api)
        assert row(api, job_id).status == "pending"
        assert complete(api, job_id).status == 202
        assert {job.job_id for job in api.jobs()} == {job_id}


def test_a_refusal_that_nobody_heard_is_said_again(tmp_path: Path) -> None:
    """Without the confirm of the event the file stays, and the next try refuses it."""
    with running(tmp_path, broker=lambda: Unheard(declarations())) as api:
        job_id = announce(api)
        bring(api, job_id, b"text")
        assert refusal(complete(api, job_id)) == (503, "broker_unavailable")
        assert refusal(complete(api, job_id)) == (415, "not_an_image")


def test_an_abandoned_upload_expires(api: Api, tmp_path: Path) -> None:
    """The job fails with its own reason, what was brought is deleted, and complete is a 410."""
    job_id, kept = announce(api), announce(api)
    bring(api, job_id)
    assert api.table.oldest_waiting() is None
    age(tmp_path)
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        connection.execute("update uploads set expires_at = 9e12 where job_id = ?", (kept,))
    connection.close()
    sweep(api)
    assert refusal(complete(api, job_id)) == (410, "upload_expired")
    track(api)
    found = row(api, job_id)
    assert (found.status, found.reason, found.error_code) == ("failed", "upload_expired", "upload_expired")
    assert refusal(complete(api, job_id)) == (410, "upload_expired")
    assert row(api, kept).status == "pending"
    age(tmp_path)
    sweep(api)
    assert not api.store.objects
    assert api.table.uploads.get(job_id) is None
    assert api.jobs() == []


def test_a_file_that_comes_after_all_is_cleaned_up(api: Api, tmp_path: Path) -> None:
    """A second PUT to a URL that is still good changes nothing, and is deleted when the URL is not."""
    job_id = announce(api)
    sent = bring(api, job_id)
    complete(api, job_id)
    eventually(lambda: upload_key(job_id) not in api.store.objects)
    bring(api, job_id, picture(9, 9))
    assert answer(complete(api, job_id))["status"] == "queued"
    assert api.get(f"/jobs/{job_id}/original").data == sent
    age(tmp_path)
    sweep(api)
    assert upload_key(job_id) not in api.store.objects
    assert row(api, job_id).status == "queued"
    assert answer(complete(api, job_id))["status"] == "queued"


def test_an_expired_upload_needs_a_broker_to_end(api: Api, tmp_path: Path) -> None:
    """Without it the sweep leaves everything as it is, and the next one does it."""
    job_id = announce(api)
    age(tmp_path)
    api.broker.connected = False
    with pytest.raises(Exception, match="no connection"):
        sweep(api)
    api.broker.connected = True
    sweep(api)
    track(api)
    assert row(api, job_id).reason == "upload_expired"


def test_a_claim_whose_owner_died_runs_out(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then others wait for a while and are told to come again; then one of them takes over."""
    monkeypatch.setattr(direct, "WAIT_S", 0.2)
    job_id = announce(api)
    bring(api, job_id)
    assert api.table.uploads.claim(Claim(job_id, "dead"), now=1.0, until=9e12)
    assert refusal(complete(api, job_id)) == (503, "upload_busy")
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        connection.execute("update uploads set claimed_until = 1")
    connection.close()
    assert complete(api, job_id).status == 202


class Slow(MemoryStore):
    """A store in which somebody else takes the upload over while it is copied."""

    overtake: Callable[[], Any] = staticmethod(lambda: None)

    def copy(self, source: str, target: str, etag: str) -> bool:
        """Copy, and be overtaken."""
        copied = super().copy(source, target, etag)
        self.overtake()
        return copied


def test_who_lost_its_claim_sends_nothing(tmp_path: Path) -> None:
    """An owner that slept too long finds its claim gone, leaves nothing, and enqueues nothing."""
    store = Slow()
    with running(tmp_path, store=lambda: store) as api:
        job_id = announce(api)
        bring(api, job_id)

        def overtake() -> None:
            assert api.table.uploads.claim(Claim(job_id, "other"), now=9e12, until=9e13)

        store.overtake = overtake
        assert refusal(complete(api, job_id)) == (503, "upload_busy")
        assert api.jobs() == []
        eventually(lambda: list(api.store.objects) == [upload_key(job_id)])


def test_a_reset_forgets_announcements(api: Api) -> None:
    """Clearing the job table clears them too."""
    job_id = announce(api)
    api.table.clear()
    assert api.table.uploads.get(job_id) is None
    assert code(complete(api, job_id)) == (404, "job_not_found")


def test_the_sweep_goes_on_after_a_fault(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It runs in the background, and a store that is away for a while does not end it."""
    monkeypatch.setattr(direct, "SWEEP_S", 0.01)
    job_id = announce(api)
    bring(api, job_id)
    complete(api, job_id)
    age(tmp_path)
    api.store.available = False

    async def begin(parts: Context) -> asyncio.Task[None]:
        return asyncio.create_task(parts.direct.sweep_forever())

    task = api.run(begin(api.parts))
    api.store.available = True
    eventually(lambda: api.table.uploads.get(job_id) is None)
    api.loop.call_soon_threadsafe(task.cancel)
