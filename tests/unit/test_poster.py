"""One POST, over real sockets: what is sent, what counts as taken, and where it may not go."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import TransferEncodingError

from services.common import targets
from services.common.messages import Webhook
from services.notifier.poster import HttpPoster, Posted
from tests.support.receiver import (
    SECRET,
    Receiver,
    answer,
    authentic,
    endless,
    endless_head,
    hang_up,
    silent,
)


class Names(AbstractResolver):
    """A name server that gives the next of its answers each time, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  (aiohttp's)
    ) -> list[ResolveResult]:
        """Return the addresses whose turn it is."""
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0)
            for each in found
        ]

    async def close(self) -> None:
        """Do nothing."""


def webhook(url: str, **changes: Any) -> Webhook:  # noqa: ANN401  (any field)
    fields: dict[str, Any] = {
        "webhook_id": "job-1:1",
        "job_id": "job-1",
        "generation": 1,
        "type": "job.completed",
        "callback_url": url,
        "body": '{"type":"job.completed","data":{"file_name":"größe.png"}}',
    }
    return Webhook(**(fields | changes))


async def post(
    url: str,
    *,
    timeout_s: float = 5,
    allow_private: bool = True,
    resolver: AbstractResolver | None = None,
    secret: str = SECRET,
) -> Posted:
    poster = HttpPoster(secret, timeout_s=timeout_s, allow_private=allow_private, resolver=resolver)
    async with poster:
        return await poster.post(webhook(url))


@pytest.fixture
def other_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.2 count as a public address, so that there is one that can be connected to."""
    real = targets.permitted

    def permitted(address: str, *, allow_private: bool) -> bool:
        return address == "127.0.0.2" or real(address, allow_private=allow_private)

    monkeypatch.setattr("services.notifier.poster.permitted", permitted)


async def test_what_is_sent() -> None:
    """A POST of the body as it is, with the scheme's headers, that another make verifies."""
    async with Receiver().serving() as receiver:
        posted = await post(receiver.url)
        [got] = receiver.posts
    assert (posted.status_code, posted.error_code) == (204, None)
    assert got.path == "/hook?of=lab"
    assert got.id == "job-1:1"
    assert got.headers["content-type"] == "application/json"
    assert authentic(got.headers, got.body)
    assert got.body.decode() == webhook("").body


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_taken(status: int) -> None:
    """The receiver has it when it answers with any 2xx."""
    async with Receiver([answer(status, b"" if status == 204 else b"thanks")]).serving() as receiver:
        posted = await post(receiver.url)
    assert (posted.status_code, posted.error_code, posted.error_message) == (status, None, None)


@pytest.mark.parametrize(
    ("status", "code"),
    [(304, "bad_status"), (400, "bad_status"), (410, "gone"), (429, "bad_status"), (500, "bad_status")],
)
async def test_every_other_status_is_not(status: int, code: str) -> None:
    """Anything else is a failure; 410 says that nothing more is wanted."""
    async with Receiver([answer(status)]).serving() as receiver:
        posted = await post(receiver.url)
    assert (posted.status_code, posted.error_code) == (status, code)
    assert str(status) in str(posted.error_message)


async def test_redirects_are_not_followed() -> None:
    """Where a receiver points to is never asked."""
    async with Receiver().serving() as other:
        pointing = answer(307, b"", b"Location: " + other.url.encode())
        async with Receiver([pointing]).serving() as receiver:
            posted = await post(receiver.url)
        assert other.connections == 0
    assert (posted.status_code, posted.error_code) == (307, "bad_status")
    assert "not followed" in str(posted.error_message)


async def test_a_silent_receiver_is_left() -> None:
    """An attempt ends after the time-out."""
    async with Receiver([silent]).serving() as receiver:
        posted = await post(receiver.url, timeout_s=0.2)
    assert (posted.status_code, posted.error_code) == (None, "timeout")
    assert posted.duration_s >= 0.2


async def test_an_endless_answer_is_not_read() -> None:
    """The status counts; of the rest a little is read, and its sender is left."""
    async with Receiver([endless]).serving() as receiver:
        async with asyncio.timeout(5):
            posted = await post(receiver.url, timeout_s=60)
    assert (posted.status_code, posted.error_code) == (200, None)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """Bytes that claim to be compressed are not looked into."""
    bomb = answer(200, b"\x1f\x8b no gzip", b"Content-Encoding: gzip")
    async with Receiver([bomb]).serving() as receiver:
        assert (await post(receiver.url)).error_code is None


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (endless_head, "bad_answer"),
        (hang_up, "no_answer"),
        (b"220 mail.example.org ESMTP\r\n", "bad_answer"),
        (b"HTTP/1.1 999999 x\r\n\r\n", "bad_answer"),
    ],
    ids=["endless head", "hang up", "another protocol", "impossible status"],
)
async def test_what_is_no_answer_is_a_failure(how: Any, code: str) -> None:  # noqa: ANN401
    """Nonsense ends the attempt; none of it is repeated in the log."""
    async with Receiver([how]).serving() as receiver:
        async with asyncio.timeout(10):
            posted = await post(receiver.url, timeout_s=60)
    assert (posted.status_code, posted.error_code) == (None, code)
    assert "ESMTP" not in str(posted.error_message)


async def test_what_the_parser_in_python_says_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where aiohttp has no compiled parser, its errors are of a kind of their own."""

    async def broken(*_: object) -> int:
        raise TransferEncodingError("a chunk without its size")

    monkeypatch.setattr(HttpPoster, "_send", broken)
    posted = await post("https://example.org/", timeout_s=60)
    assert (posted.status_code, posted.error_code) == (None, "bad_answer")


async def test_a_receiver_that_is_gone() -> None:
    """A port where nobody listens."""
    async with Receiver().serving() as receiver:
        url = receiver.url
    posted = await post(url)
    assert posted.error_code == "no_connection"
    assert "refused" in str(posted.error_message)


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """Give the server's side of TLS with a certificate that nobody has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    wanted = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    named = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        [openssl, "req", *wanted, *named, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_must_be_trusted(self_signed: ssl.SSLContext) -> None:
    """HTTPS is verified: a receiver with a certificate of its own making is not told."""
    async with Receiver(tls=self_signed).serving() as receiver:
        posted = await post(receiver.url)
        assert receiver.posts == []
    assert posted.error_code == "bad_certificate"


async def test_without_a_secret_nothing_is_sent() -> None:
    """An unsigned webhook would be worth nothing."""
    async with Receiver().serving() as receiver:
        assert (await post(receiver.url, secret="")).error_code == "no_secret"
        assert receiver.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"])
async def test_this_machine_is_refused(host: str) -> None:
    """However its address is written, a receiver here is not told unless the setting opens this machine."""
    async with Receiver().serving() as receiver:
        posted = await post(f"http://{host}:{receiver.port}/", allow_private=False)
        assert receiver.connections == 0
    assert posted.error_code in ("bad_callback_url", "target_refused")


async def test_a_name_that_leads_here_is_refused() -> None:
    """A harmless name with a private address is seen when it is connected to."""
    async with Receiver().serving() as receiver:
        url = f"http://hooks.example.org:{receiver.port}/"
        for addresses in (["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["169.254.169.254"]):
            posted = await post(url, allow_private=False, resolver=Names(addresses))
            assert posted.error_code == "target_refused"
        assert receiver.connections == 0


async def test_a_name_that_changes_its_mind(other_loopback: None) -> None:
    """DNS rebinding: what was looked at is what is connected to, in each attempt anew."""
    async with contextlib.AsyncExitStack() as stack:
        public = await stack.enter_async_context(Receiver(host="127.0.0.2").serving())
        here = await stack.enter_async_context(Receiver(host="127.0.0.1").serving(public.port))
        names = Names(["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1", "127.0.0.2"])
        url = f"http://hooks.example.org:{public.port}/"
        first = await post(url, allow_private=False, resolver=names)
        assert (first.error_code, names.asked) == (None, 1)
        second = await post(url, allow_private=False, resolver=names)
        assert (second.error_code, names.asked) == ("target_refused", 2)
        third = await post(url, allow_private=False, resolver=names)
        assert (third.error_code, names.asked) == (None, 3)
        assert (public.connections, here.connections) == (2, 0)


async def test_a_name_without_an_address() -> None:
    """A name that nobody knows is a failure like any other, and so is one that can be none."""
    assert (await post("http://nobody.invalid/")).error_code == "unknown_host"
    assert (await post(f"http://{'a' * 64}.invalid/")).error_code in ("unknown_host", "bad_callback_url")


def test_the_patched_address_is_no_public_one() -> None:
    """What the test above lets count as public is not."""
    assert ipaddress.ip_address("127.0.0.2").is_loopback
