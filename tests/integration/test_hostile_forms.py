"""Forms, names and connections that mean harm: each is answered or cut off, others are served meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from services.api.forms import MAX_NAME
from services.common.jobs import Filter
from tests.support.api import Api, answer, code, picture, running
from tests.support.wire import chunked, connect, form, head, part, send, send_endless

MOST_SENT = 8 * 1024 * 1024
"""What fits between a client and a server that reads no more: buffers of both sides, and a few chunks."""
SLOW_CLIENTS = 300


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path, max_upload_bytes=1024 * 1024) as api:
        yield api


def nothing_left(api: Api) -> bool:
    """Whether no job and no object came of it, and the API still answers."""
    healthy = api.get("/health").status == 200
    return healthy and not api.table.list(Filter()) and not api.store.objects


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"../../etc/passwd", "passwd"),
        (rb"..\\..\\boot.ini", "boot.ini"),
        (b"a%0d%0aX-Evil: 1.jpg", "a%0d%0aX-Evil: 1.jpg"),
        (b"%2e%2e%2fetc%2fpasswd", "%2e%2e%2fetc%2fpasswd"),
        (b"a;b=c, d.jpg", "a;b=c, d.jpg"),
        (b"nul\x00byte.jpg", "nulbyte.jpg"),
        ("Grüße aus 東京 🖼.jpg".encode(), "Grüße aus 東京 🖼.jpg"),
        ("line\u2028end\x85.jpg".encode(), "lineend.jpg"),
        (b"\xff\xfe.jpg", "ÿþ.jpg"),
        (("漢" * 400).encode(), "漢" * MAX_NAME),
    ],
)
def test_a_name_comes_back_clean_and_whole(api: Api, sent: bytes, shown: str) -> None:
    """What a client calls its file is data: kept where it prints, and never a path or a header."""
    body = form(part(filename=sent, data=picture()))
    found = send(api.url, head("/upload", len(body)) + body)
    assert found.startswith(b"HTTP/1.1 202")
    [row] = api.table.list(Filter())
    assert row.filename == shown
    response = api.get(f"/jobs/{row.job_id}/original")
    assert response.status == 200
    assert unquote(response.headers["Content-Disposition"].partition("filename*=UTF-8''")[2]) == shown
    assert "X-Evil" not in response.headers


@pytest.mark.parametrize("name", [b'a"\r\nX-Evil: 1\r\n\r\nb', b"a\r\n\r\n<html>", b"a\nb.jpg"])
def test_a_name_cannot_begin_a_header(api: Api, name: bytes) -> None:
    """A line end inside a name is no part of it; whatever is made of it, the answer has one head."""
    body = form(part(filename=name, data=picture()))
    found = send(api.url, head("/upload", len(body)) + body)
    assert found.split(b" ", 2)[1] in (b"202", b"400", b"415")
    assert b"X-Evil" not in found.split(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "path",
    ["/status/%00", "/jobs/a%00b", "/jobs/%00/original", "/jobs/x/%00", "/dlq/%00", "/batches/%00"],
)
def test_zero_bytes_name_nothing(api: Api, path: str) -> None:
    """An id with a zero byte is an id of nothing: a 404."""
    assert api.get(path).status == 404


@pytest.mark.parametrize(
    "query",
    ["operation=%00", "operation=resize%00", "status=%00", "limit=%00", "cursor=1%00", "operation=%ff"],
)
def test_zero_bytes_ask_for_nothing(api: Api, query: str) -> None:
    """A query with a zero byte, or with bytes that are no text, is a 400."""
    assert code(api.get(f"/jobs?{query}")) == (400, "bad_field")


@pytest.mark.parametrize(
    "charset", ["utf-7", "undefined", "idna", "rot13", "zlib", "utf-16", "none", "x" * 200]
)
def test_a_form_in_another_charset_is_refused(api: Api, charset: str) -> None:
    """Only UTF-8 is text that every answer can carry."""
    kind = f"multipart/form-data; boundary=edge; charset={charset}"
    body = form(part(data=picture()), part("operations", None, b"+2AA-"))
    response = api.http.request("POST", f"{api.url}/upload", body=body, headers={"Content-Type": kind})
    assert code(response) == (400, "bad_form")
    assert nothing_left(api)


ENDLESS = {
    "a file": (part(), itertools.repeat(b"x" * 65536), b"413"),
    "a field": (part("operations", None), itertools.repeat(b"x" * 65536), b"400"),
    "fields": (b"", itertools.repeat(part("a", None, b"b\r\n") * 10), b"400"),
    "files": (b"", itertools.repeat(part("files", b"a.jpg", b"b\r\n") * 10), b"4"),
    "headers of a part": (b"--edge\r\n", itertools.repeat(b"X-A: b\r\n" * 100), b"400"),
    "a header of a part": (b"--edge\r\nX-A: ", itertools.repeat(b"b" * 65536), b"400"),
    "a name": (b"--edge\r\n", itertools.repeat(b"x" * 65536), b"400"),
    "text before the form": (b"\r\n", itertools.repeat(b"\r\n" * 30000), b"4"),
    "text after the form": (form(part(data=b"x")), itertools.repeat(b"x" * 65536), b"4"),
}


@pytest.mark.parametrize("path", ["/upload", "/upload/batch"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_form_without_end_is_cut_off(tmp_path: Path, kind: str, path: str) -> None:
    """However it goes on, the API answers, reads no further and keeps nothing."""
    begin, chunks, status = ENDLESS[kind]
    with running(tmp_path, max_upload_bytes=1024 * 1024, max_batch_bytes=1024 * 1024) as api:
        start = b"%x\r\n%s\r\n" % (len(begin), begin) if begin else b""
        found, sent = send_endless(api.url, head(path) + start, chunked(chunks))
        assert found.startswith(b"HTTP/1.1 " + status), found[:200]
        assert sent < MOST_SENT
        assert nothing_left(api)


@pytest.mark.parametrize(
    ("begin", "chunk"),
    [
        (b"GET /", b"x" * 65536),
        (b"GET /live HTTP/1.1\r\nHost: lab\r\n", b"X-A: b\r\n" * 1000),
        (b"GET /live HTTP/1.1\r\nX-A: ", b"b" * 65536),
        (head() + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 1000),
        (head() + b"1;", b"x" * 65536),
    ],
    ids=["path", "headers", "header", "trailers", "chunk"],
)
def test_a_head_without_end_is_cut_off(api: Api, begin: bytes, chunk: bytes) -> None:
    """A path, headers, trailers or a chunk's extension that goes on and on is a 400, and is not kept."""
    found, sent = send_endless(api.url, begin, itertools.repeat(chunk))
    assert not found or found.startswith(b"HTTP/1.1 400"), found[:200]
    assert sent < MOST_SENT
    assert nothing_left(api)


def test_a_head_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing, and one that stops inside its head, are closed; a kept one is not."""
    monkeypatch.setattr("services.common.heads.HEAD_TIMEOUT_S", 0.3)
    with running(tmp_path) as api, connect(api.url) as silent, connect(api.url) as stopped:
        stopped.sendall(b"GET /live HTTP/1.1\r\nHost:")
        assert api.get("/live").status == 200
        assert silent.recv(100) == stopped.recv(100) == b""
        assert api.get("/live").status == 200
        assert api.http.pools[next(iter(api.http.pools.keys()))].num_connections == 1


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: +5",),
        (b"Content-Length: 5, 6",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding : chunked",),
    ],
)
def test_a_request_has_one_end(api: Api, lines: tuple[bytes, ...]) -> None:
    """Two ways to read a request's length are none: it is refused, and what follows is no request."""
    first = b"\r\n".join((b"POST /produce HTTP/1.1", b"Host: lab", *lines)) + b"\r\n\r\n"
    hidden = b"0\r\n\r\nDELETE /dlq HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
    found = send(api.url, first + hidden)
    assert found.count(b"HTTP/1.1 ") <= 1
    assert b"purged" not in found
    assert found.startswith(b"HTTP/1.1 400") or not found
    assert nothing_left(api)


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, and has no pixel."""
    about = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", about), (b"IDAT", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (1, 50_000_001)])
def test_a_pixel_bomb_is_a_413(api: Api, size: tuple[int, int]) -> None:
    """The size in the header is enough to refuse it."""
    assert code(api.upload(png_header(*size))) == (413, "too_many_pixels")
    assert nothing_left(api)


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"%PDF-1.7", b"MZ" + bytes(100), b"\xff\xd8\xff"]
)
def test_what_is_no_image_is_a_415(api: Api, data: bytes) -> None:
    """The content counts, whatever name and type a client gives it."""
    assert code(api.form({"file": ("photo.jpg", data, "image/jpeg")})) == (415, "not_an_image")
    assert nothing_left(api)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/json",
        "multipart/mixed; boundary=edge",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-datax",
    ],
)
def test_what_is_no_form_is_a_400(api: Api, kind: str) -> None:
    """A body of another type, or without its boundary, is refused."""
    body = form(part(data=picture()))
    response = api.http.request("POST", f"{api.url}/upload", body=body, headers={"Content-Type": kind})
    assert code(response) == (400, "bad_form")
    assert nothing_left(api)


def test_a_media_type_is_read_in_any_case(api: Api) -> None:
    """Multipart/Form-Data is a form as well."""
    body = form(part(data=picture()))
    kind = "Multipart/Form-Data; boundary=edge"
    response = api.http.request("POST", f"{api.url}/upload", body=body, headers={"Content-Type": kind})
    assert response.status == 202


def test_slow_clients_do_not_keep_others_waiting(tmp_path: Path) -> None:
    """Hundreds of uploads that trickle are given up in time, and are nobody else's trouble until then."""
    body = form(part(data=picture()))
    with running(tmp_path, body_timeout_s=4) as api, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(api.url)) for _ in range(SLOW_CLIENTS)]
        for number, connection in enumerate(slow):
            connection.sendall(head("/upload" if number % 2 else "/upload/batch", len(body)) + body[:20])
        for place in range(20, 30):
            for connection in slow:
                connection.sendall(body[place : place + 1])
            assert api.upload().status == 202
        answers = {connection.recv(65536).split(b"\r\n")[0] for connection in slow}
        assert answers == {b"HTTP/1.1 408 Request Timeout"}
        assert answer(api.batch(picture()))["jobs"][0]["status"] == "queued"
