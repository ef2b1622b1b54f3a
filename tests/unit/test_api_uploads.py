"""POST /upload on the in-memory twins."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from services.api.forms import SPOOL_BYTES
from services.api.operations import canonical
from services.common.jobs import Filter
from services.common.topology import EVENTS, declarations
from services.worker.processors import BadOperation
from test_images import generate_sample
from tests.checkout import eventually
from tests.support.api import Api, Unconfirming, answer, code, picture, running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


class Uneventful(Unconfirming):
    """A broker that confirms jobs and no events."""

    exchange = EVENTS


def rows(api: Api) -> int:
    return len(api.table.list(Filter()))


def raw(api: Api, request: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the connection ends."""
    address = urlsplit(api.url)
    assert address.hostname is not None
    assert address.port is not None
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def head(length: int) -> bytes:
    return (
        b"POST /upload HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=edge\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )


PART = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'


def test_an_upload_is_answered_with_its_job(api: Api) -> None:
    """The answer is a 202 with the keys of the contract; `id` is the job_id."""
    response = api.upload(operations="rotate,90;resize,800x600")
    found = answer(response)
    assert response.status == 202
    assert set(found) == {"job_id", "id", "filename", "status", "operations", "message", "links"}
    assert found["id"] == found["job_id"]
    assert found["filename"] == "photo.jpg"
    assert found["status"] == "queued"
    assert found["operations"] == ["rotate,90", "resize,800x600"]
    assert found["links"]["status"] == response.headers["Location"] == f"/status/{found['job_id']}"


def test_a_202_means_stored_registered_and_published(api: Api) -> None:
    """When the answer is there, so are the original, the row and the message."""
    sent = picture()
    job_id = answer(api.upload(sent))["job_id"]
    [job] = api.jobs()
    row = api.table.get(job_id)
    assert row is not None
    assert api.store.objects[job.original_key] == (sent, "image/jpeg")
    assert (row.status, row.attempt, row.file_size) == ("queued", 1, len(sent))
    assert (job.job_id, job.kind, job.operations) == (job_id, "image", "resize,800x600")
    assert job.clock == row.clock
    assert job.clock["accepted"] <= job.clock["published"]


def test_the_event_follows(tmp_path: Path) -> None:
    """`job.queued` is published with the clock of the job and the queue that it went to."""
    with running(tmp_path, layout="per-operation") as api:
        job_id = answer(api.upload(operations="rotate,90"))["job_id"]
        [job] = api.jobs("image.rotate")
        [event] = api.events()
    assert (event.name, event.job_id, event.attempt) == ("job.queued", job_id, 1)
    assert (event.queue, event.clock) == ("image.rotate", job.clock)


@pytest.mark.parametrize("field", ["file", "image"])
def test_either_field_takes_the_file(api: Api, field: str) -> None:
    """The file may come as `file` or as `image`."""
    assert api.form({field: ("a.png", picture(kind="PNG"))}).status == 202


@pytest.mark.parametrize(
    "fields",
    [
        {"operations": "resize"},
        {"file": "text"},
        {"other": ("a.jpg", b"x")},
        {"file": ("a.jpg", b"x"), "image": ("b.jpg", b"x")},
        [("file", ("a.jpg", b"x")), ("file", ("b.jpg", b"x"))],
    ],
)
def test_not_exactly_one_file_is_refused(api: Api, fields: object) -> None:
    """None, two, or a field without a file name are a 400, and leave nothing."""
    assert code(api.form(fields)) == (400, "one_file")
    assert rows(api) == 0
    assert not api.store.objects


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", ["resize,800x600"]),
        ("resize,watermark", ["resize,800x600", "watermark,Queue Lab"]),
        ("rotate,90|resize,800x600", ["rotate,90", "resize,800x600"]),
        ("rotate,90;resize,800x600", ["rotate,90", "resize,800x600"]),
    ],
)
def test_operations_are_repeated_as_understood(api: Api, text: str, parsed: list[str]) -> None:
    """The answer says how the operations were read."""
    assert answer(api.upload(operations=text))["operations"] == parsed


def test_an_unknown_operation_is_named(api: Api) -> None:
    """The 400 names what is unknown, and lists what is known."""
    response = api.upload(operations="explode")
    assert code(response) == (400, "bad_operation")
    message = answer(response)["error"]["message"]
    assert "explode" in message
    assert "resize, rotate" in message


def test_sleeps_are_capped_together(api: Api) -> None:
    """Sleeps that add up to more than the limit are refused, naming its setting."""
    response = api.upload(operations="sleep,3;sleep,3")
    assert code(response) == (400, "processing_time_too_long")
    assert "LAB_MAX_PROCESSING_TIME_S" in answer(response)["error"]["message"]


def test_operations_that_grow_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Canonical text is longer than what was sent; a message has room for so much of it."""
    monkeypatch.setattr("services.api.operations.MAX_OPERATIONS", 20)
    with pytest.raises(BadOperation, match="longer than 20"):
        canonical("resize,watermark,hello", 5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", (415, "not_an_image")),
        ("empty", (415, "not_an_image")),
        ("bomb", (413, "too_many_pixels")),
    ],
)
def test_content_decides(api: Api, kind: str, expected: tuple[int, str]) -> None:
    """What is no image by its content, or has too many pixels, is refused whatever its name."""
    assert code(api.upload(generate_sample.corrupt(kind))) == expected
    assert rows(api) == 0
    assert not api.store.objects


def test_a_truncated_image_is_let_through(api: Api) -> None:
    """Its header is good; the worker finds out, and dead-letters it."""
    assert api.upload(generate_sample.corrupt("truncated")).status == 202


def test_the_largest_file_passes_and_one_byte_more_does_not(tmp_path: Path) -> None:
    """LAB_MAX_UPLOAD_BYTES is the largest size that is accepted."""
    image = picture()
    with running(tmp_path, max_upload_bytes=len(image)) as api:
        assert api.upload(image).status == 202
        assert code(api.upload(image + b"x")) == (413, "file_too_large")
        assert rows(api) == 1


def test_too_long_a_body_is_not_read(tmp_path: Path) -> None:
    """A Content-Length over the limit is answered before any of the body has come."""
    with running(tmp_path, max_upload_bytes=1000) as api:
        found = raw(api, head(10_000_000_000))
    assert found.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in found.lower()


def test_a_body_without_length_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    """A chunked body is counted while it comes."""
    chunks = (b"x" * 65536 for _ in range(200))
    with running(tmp_path, max_upload_bytes=1000) as api:
        response = api.http.request(
            "POST",
            api.url + "/upload",
            body=(part for source in ((PART,), chunks) for part in source),
            headers={"Content-Type": "multipart/form-data; boundary=edge", "Transfer-Encoding": "chunked"},
        )
        assert code(response) == (413, "file_too_large")


def test_a_slow_client_is_given_up(tmp_path: Path) -> None:
    """A body that does not come in time ends in a 408."""
    with running(tmp_path, body_timeout_s=0.1) as api:
        assert raw(api, head(1000) + PART).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PART + b"abc", id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no form", id="no form"),
        pytest.param(PART.replace(b'name="file"; ', b"") + b"\r\n--edge--\r\n", id="no name"),
        pytest.param(b"--edge\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--edge--\r\n", id="long header"),
        pytest.param(PART * 20 + b"\r\n--edge--\r\n", id="files"),
        pytest.param(
            b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"y" * 9000 + b"\r\n--edge--\r\n",
            id="long field",
        ),
        pytest.param(
            b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 40 + b"--edge--\r\n",
            id="many fields",
        ),
    ],
)
def test_a_form_that_cannot_be_read_is_a_400(api: Api, body: bytes) -> None:
    """Forms that are broken, cut off, or have too many or too large parts are refused."""
    found = raw(api, head(len(body)) + body)
    assert found.startswith(b"HTTP/1.1 400")
    assert b"bad_form" in found


def test_other_bodies_are_a_400(api: Api) -> None:
    """Anything but multipart/form-data is refused."""
    assert code(api.post("/upload", {"file": "x"})) == (400, "bad_form")


def test_a_client_that_leaves_leaves_nothing(api: Api) -> None:
    """An upload cut off by its client makes no job, and the API goes on."""
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(head(1000) + PART)
    assert api.upload().status == 202
    assert rows(api) == 1


def test_without_a_store_nothing_is_accepted(api: Api) -> None:
    """A store that does not answer is a 503 to try again, with no row and no message."""
    api.store.available = False
    response = api.upload()
    assert code(response) == (503, "storage_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert rows(api) == 0
    assert not api.jobs()


def test_without_room_for_files_nothing_is_accepted(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that cannot be kept on the way is a 503 that says where room is missing."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    large = picture() + bytes(2 * SPOOL_BYTES)
    assert code(api.upload(large)) == (503, "no_room")
    assert code(api.batch(picture())) == (503, "no_room")
    assert api.upload().status == 202


def test_without_a_job_table_nothing_is_left(api: Api, tmp_path: Path) -> None:
    """When the row cannot be written, there is no message, and the original goes again."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/lab.db")
    with engine.begin() as connection:
        connection.execute(sa.text("drop table jobs"))
    engine.dispose()
    assert code(api.upload()) == (503, "database_unavailable")
    assert not api.jobs()
    eventually(lambda: not api.store.objects)


def test_without_a_broker_nothing_is_read(api: Api) -> None:
    """No connection to the broker is a 503 at once, before anything is stored."""
    api.broker.connected = False
    assert code(api.upload()) == (503, "broker_unavailable")
    assert not api.store.objects
    assert rows(api) == 0


def test_a_blocked_broker_gets_nothing(api: Api) -> None:
    """While RabbitMQ is out of disk or memory, an upload is refused at once, and the answer says why."""
    api.broker.blocked = "low on disk"
    response = api.upload()
    assert code(response) == (503, "broker_blocked")
    assert "low on disk" in answer(response)["error"]["message"]
    assert rows(api) == 0
    api.broker.blocked = ""
    assert api.upload().status == 202


def test_without_a_confirm_the_outcome_is_unknown(tmp_path: Path) -> None:
    """The 503 carries the job_id; the job stays pending, and what the broker has may still be worked on."""
    with running(tmp_path, broker=lambda: Unconfirming(declarations())) as api:
        response = api.upload()
        found = answer(response)
        assert code(response) == (503, "unconfirmed")
        assert found["outcome"] == "unknown"
        assert int(response.headers["Retry-After"]) > 0
        row = api.table.get(found["job_id"])
        assert row is not None
        assert row.status == "pending"
        assert f"originals/{found['job_id']}" in api.store.objects


def test_an_event_that_fails_takes_nothing_back(tmp_path: Path) -> None:
    """The 202 stands when only the event was not confirmed."""
    with running(tmp_path, broker=lambda: Uneventful(declarations())) as api:
        assert api.upload().status == 202


def test_without_a_queue_the_job_is_refused(api: Api) -> None:
    """A job that no queue took is a 503 that says so."""
    api.run(api.broker.delete("image.jobs"))
    response = api.upload()
    assert code(response) == (503, "unroutable")
    assert answer(response)["outcome"] == "refused"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ("Grüße aus 東京.png", "Grüße aus 東京.png"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("..", "upload"),
        ("x" * 400, "x" * 300),
    ],
)
def test_file_names_are_cleaned(api: Api, sent: str, shown: str) -> None:
    """Folders and what does not print are cut from a name, other scripts are kept."""
    assert answer(api.form({"file": (sent, picture())}))["filename"] == shown


def test_many_uploads_at_once_all_arrive(api: Api) -> None:
    """Uploads side by side each have their own job, row and object."""
    with ThreadPoolExecutor(12) as clients:
        found = list(clients.map(lambda _: api.upload(), range(40)))
    ids = {answer(response)["job_id"] for response in found}
    assert {response.status for response in found} == {202}
    assert len(ids) == len(api.store.objects) == rows(api) == len(api.jobs()) == 40
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", job_id) for job_id in ids)
