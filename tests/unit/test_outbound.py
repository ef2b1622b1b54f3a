"""Requests to the outside: to public addresses only, to a host that proves its name, bounded."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api.outbound import Outbound, PrivateAddress, Unreachable, is_public
from tests.support.sns import HOST, Page, serving

URL = f"https://{HOST}/path?query=1"
MAX = 1000


@pytest.fixture
def page() -> Page:
    return Page(body=b"hello")


@pytest.fixture
def outbound(page: Page, tmp_path: Path) -> Iterator[Outbound]:
    """Give the way to a server on this machine, as if its address were a public one."""
    with serving(page, tmp_path) as (port, trusted):
        yield Outbound(lambda _: ["127.0.0.1"], lambda _: True, port=port, authorities=trusted)


def test_a_page_is_fetched(outbound: Outbound, page: Page) -> None:
    """The host is asked by its name, with path and query."""
    assert outbound.fetch(URL, MAX) == b"hello"
    assert page.asked == [f"{HOST}/path?query=1"]


def test_redirects_are_not_followed(outbound: Outbound, page: Page) -> None:
    """Whatever is no 200 is no answer."""
    page.status, page.headers = 302, {"Location": "http://127.0.0.1/"}
    with pytest.raises(Unreachable, match="302"):
        outbound.fetch(URL, MAX)
    assert len(page.asked) == 1


def test_a_long_answer_is_cut_off(outbound: Outbound, page: Page) -> None:
    """More than was allowed is an error."""
    page.body = bytes(50_000)
    with pytest.raises(Unreachable, match="more than 1,000 bytes"):
        outbound.fetch(URL, MAX)


def test_the_host_proves_its_name(tmp_path: Path, page: Page) -> None:
    """A certificate for another name is refused, and so is one that nobody vouches for."""
    with serving(page, tmp_path, host="sns.elsewhere.test") as (port, trusted):
        for authorities in (trusted, None):
            outbound = Outbound(lambda _: ["127.0.0.1"], lambda _: True, port=port, authorities=authorities)
            with pytest.raises(Unreachable):
                outbound.fetch(URL, MAX)
    assert page.asked == []


def resolved(addresses: list[str], _: str) -> list[str]:
    return addresses


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "224.0.0.1", "255.255.255.255"),
    ],
)
def test_private_addresses_are_refused(address: str) -> None:
    """A name that stands for an address inside leads nowhere, also when another one is public."""
    assert not is_public(address)
    for found in ([address], ["93.184.215.14", address]):
        with pytest.raises(PrivateAddress):
            Outbound(functools.partial(resolved, found)).fetch(URL, MAX)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(address: str) -> None:
    """The address is looked at, not the name."""
    assert is_public(address)


def test_nobody_there_is_unreachable() -> None:
    """No address, no connection."""

    def unknown(_: str) -> list[str]:
        raise socket.gaierror(-2, "unknown")

    with pytest.raises(Unreachable):
        Outbound(unknown).fetch(URL, MAX)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable):
        Outbound(lambda _: ["127.0.0.1"], lambda _: True, port=port).fetch(URL, MAX)
