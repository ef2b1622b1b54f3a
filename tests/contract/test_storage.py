"""The contract of the object store, held by the in-memory body and by a real S3 server."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Iterator

import pytest

from services.common.errors import ObjectMissing, StorageUnavailable
from services.common.storage import CHUNK_BYTES, ObjectStore, S3Store, original_key, output_key
from services.common.testing import MemoryStore
from tests.support.backing import Backing


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """Give an empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore()
        return
    backing: Backing = request.getfixturevalue("backing")
    s3 = backing.store()
    yield s3
    s3.delete("")
    s3._client.remove_bucket(s3._bucket)


@pytest.fixture
def stopped() -> ObjectStore:
    """Give a store whose server refuses connections."""
    return S3Store("http://127.0.0.1:9", "lab", "lab-secret", "lab")


def _put(store: ObjectStore, key: str, data: bytes, content_type: str = "image/png") -> None:
    store.put(key, io.BytesIO(data), len(data), content_type)


def test_what_was_put_can_be_got(store: ObjectStore) -> None:
    """Bytes come back as they were, and so does what is known of them."""
    _put(store, "originals/a", b"bytes")
    assert store.get("originals/a") == b"bytes"
    found = store.open("originals/a")
    assert (found.size, found.content_type) == (5, "image/png")
    assert found.etag.startswith('"')
    assert b"".join(found.chunks) == b"bytes"


def test_an_object_may_be_empty(store: ObjectStore) -> None:
    """Zero bytes are an object too."""
    _put(store, "originals/empty", b"")
    assert store.get("originals/empty") == b""
    assert store.open("originals/empty").size == 0


def test_a_large_object_comes_in_chunks(store: ObjectStore) -> None:
    """Seven megabytes go in parts and come as a stream of small pieces."""
    data = random.Random(1).randbytes(7 * 1024 * 1024)
    _put(store, "originals/large", data)
    found = store.open("originals/large")
    chunks = list(found.chunks)
    assert max(map(len, chunks)) <= CHUNK_BYTES
    assert (found.size, b"".join(chunks)) == (len(data), data)


def test_a_second_put_replaces_the_first(store: ObjectStore) -> None:
    """A redelivered job overwrites its result, type and etag included."""
    _put(store, output_key("j", "result"), b"first", "image/png")
    before = store.open(output_key("j", "result"))
    before.chunks.close()
    _put(store, output_key("j", "result"), b"second", "image/jpeg")
    after = store.open(output_key("j", "result"))
    assert b"".join(after.chunks) == b"second"
    assert after.content_type == "image/jpeg"
    assert after.etag != before.etag


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    """Reading what is not there is a fault of its own, which no retry mends."""
    with pytest.raises(ObjectMissing, match="originals/none"):
        store.get("originals/none")
    with pytest.raises(ObjectMissing, match="originals/none"):
        store.open("originals/none")


def test_delete_takes_all_of_a_prefix(store: ObjectStore) -> None:
    """Deleting says how many objects went, and leaves the others."""
    for name in ("result", "thumbnail", "thumbnail-64"):
        _put(store, output_key("one", name), b"x")
    _put(store, output_key("other", "result"), b"x")
    assert store.delete("results/one/") == 3
    assert store.delete("results/one/") == 0
    assert store.get(output_key("other", "result")) == b"x"
    with pytest.raises(ObjectMissing):
        store.get(output_key("one", "result"))


def test_an_object_can_be_looked_at_and_read_in_parts(store: ObjectStore) -> None:
    """Its size, type and etag come without its bytes; a part is what was asked for."""
    _put(store, "uploads/a", b"0123456789", "image/jpeg")
    facts = store.look("uploads/a")
    assert (facts.size, facts.content_type) == (10, "image/jpeg")
    assert facts.etag.strip('"') == facts.etag != ""
    assert store.read("uploads/a", 0, 4) == b"0123"
    assert store.read("uploads/a", 4, 6) == b"456789"
    for call in (lambda: store.look("uploads/b"), lambda: store.read("uploads/b", 0, 1)):
        with pytest.raises(ObjectMissing, match="uploads/b"):
            call()


def test_an_object_is_copied_while_it_is_the_same(store: ObjectStore) -> None:
    """The copy has bytes and type of the object; another etag is told, and a missing object too."""
    _put(store, "uploads/a", b"first", "image/jpeg")
    etag = store.look("uploads/a").etag
    assert store.copy("uploads/a", "originals/a", etag)
    assert (store.get("originals/a"), store.look("originals/a").content_type) == (b"first", "image/jpeg")
    _put(store, "uploads/a", b"second", "image/jpeg")
    assert store.look("uploads/a").etag != etag
    assert not store.copy("uploads/a", "originals/b", etag)
    with pytest.raises(ObjectMissing):
        store.copy("uploads/none", "originals/c", etag)


def test_a_bucket_may_be_there_already(store: ObjectStore) -> None:
    """Every program makes sure of the bucket."""
    store.ensure_bucket()
    store.ensure_bucket()
    store.ping()


def test_an_object_that_is_not_read_to_its_end_harms_nobody(store: ObjectStore) -> None:
    """Streams that were given up do not use up the store's connections."""
    _put(store, "originals/large", bytes(4 * CHUNK_BYTES))
    for _ in range(50):
        found = store.open("originals/large")
        next(found.chunks)
        found.chunks.close()
    assert len(store.get("originals/large")) == 4 * CHUNK_BYTES


def test_many_threads_may_use_one_store(store: ObjectStore) -> None:
    """Puts and gets at once do not mix."""
    wrong: list[str] = []

    def work(number: int) -> None:
        data = b"%d" % number * 1000
        for turn in range(5):
            _put(store, f"results/{number}/{turn}", data)
            if store.get(f"results/{number}/{turn}") != data:
                wrong.append(f"{number}/{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.delete("results/") == 40


def test_a_server_that_is_down_is_unavailable(stopped: ObjectStore) -> None:
    """Every call says so, with the error that is tried again."""
    with pytest.raises(StorageUnavailable):
        stopped.ping()
    with pytest.raises(StorageUnavailable):
        stopped.ensure_bucket()
    with pytest.raises(StorageUnavailable):
        stopped.get("originals/a")
    with pytest.raises(StorageUnavailable):
        stopped.delete("originals/")
    with pytest.raises(StorageUnavailable):
        _put(stopped, "originals/a", b"bytes")


def test_a_wrong_key_is_unavailable(backing: Backing) -> None:
    """A store that refuses us can be mended by its keeper, so the job waits and does not die."""
    intruder = S3Store(backing.environment["LAB_S3_ENDPOINT"], "lab", "not-the-secret", "lab")
    with pytest.raises(StorageUnavailable):
        intruder.get("originals/a")


def test_a_missing_bucket_is_unavailable(backing: Backing) -> None:
    """A bucket that nobody made yet may be there soon."""
    env = backing.environment
    store = S3Store(
        env["LAB_S3_ENDPOINT"], env["LAB_S3_ACCESS_KEY"], env["LAB_S3_SECRET_KEY"], "nobody-made-this"
    )
    with pytest.raises(StorageUnavailable, match="not there yet"):
        store.ping()
    with pytest.raises(StorageUnavailable):
        store.get("originals/a")


def test_keys_come_from_the_job_alone() -> None:
    """A redelivered job finds the same keys, another job never does."""
    assert original_key("j1") == original_key("j1") != original_key("j2")
    assert output_key("j1", "result") == output_key("j1", "result") != output_key("j1", "thumbnail")
