"""Where webhooks may go."""

from __future__ import annotations

import pytest

from services.common.errors import BadCallback
from services.common.targets import check_url, origin, permitted

PUBLIC = ("8.8.8.8", "93.184.216.34", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808")
PRIVATE = (
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "198.18.0.1"),
    *("::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1"),
)
NEVER = (
    *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200"),
    *("168.63.129.16", "192.0.0.192", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"),
    *("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "fec0::1"),
    *("100.64.0.1", "2001:0:4136:e378::1", "localhost", "", "1.2.3"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    """A webhook goes to any public host."""
    assert permitted(address, allow_private=False)
    assert permitted(address, allow_private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_open_when_allowed(address: str) -> None:
    """This machine and private networks are closed, however written, unless the setting opens them."""
    assert not permitted(address, allow_private=False)
    assert permitted(address, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_open(address: str) -> None:
    """Where clouds keep credentials, what is no single host, and what is no address stay closed."""
    assert not permitted(address, allow_private=False)
    assert not permitted(address, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org/hook?token=a%20b#part",
        "https://example.org:8443/",
        "http://sub_domain.example.org.:80/x",
        "http://8.8.8.8:1024/",
        "http://[2001:4860:4860::8888]:8000/",
        "HTTPS://EXAMPLE.ORG/",
    ],
)
def test_urls_that_are_fine(url: str) -> None:
    """Host, path and query are up to the client."""
    assert check_url(url, allow_private=False) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/", "neither http:// nor https://"),
        ("example.org/hook", "neither http:// nor https://"),
        ("javascript:alert(1)", "neither http:// nor https://"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:password@example.org/", "carries a login"),
        ("http://user@example.org/", "carries a login"),
        ("http://example.org:0/", "port"),
        ("http://example.org:25/", "port"),
        ("http://example.org:65536/", "port"),
        ("http://example.org:99999999/", "names no host"),
        ("http://exa mple.org/", "percent-encoded"),
        ("http://example.org/\r\nX: y", "percent-encoded"),
        ("http://exämple.org/", "percent-encoded"),
        ("http://example.org\\@evil.org/", "carries a login"),
        ("http://example.org\\evil.org/", "names no host"),
        ("http://[::1", "cannot be read"),
        ("http://[fe80::1%25eth0]/", "names no host"),
        ("http://127.0.0.1/", "not sent to"),
        ("http://[::ffff:127.0.0.1]/", "not sent to"),
        ("http://169.254.169.254/latest/meta-data/", "not sent to"),
        ("http://localhost:8000/", "not sent to"),
        ("http://a.localhost./", "not sent to"),
        ("http://example.org/" + "x" * 2000, "longer than 2,000"),
    ],
)
def test_urls_that_are_refused(url: str, said: str) -> None:
    """What is wrong is said in words."""
    with pytest.raises(BadCallback, match=said):
        check_url(url, allow_private=False)


def test_private_urls_are_fine_when_allowed() -> None:
    """A receiver on this machine can be named; the addresses that are never open cannot."""
    for url in ("http://127.0.0.1:8070/", "http://localhost:8070/", "http://[::1]:8070/", "http://10.1.2.3/"):
        assert check_url(url, allow_private=True) == url
    with pytest.raises(BadCallback):
        check_url("http://169.254.169.254/", allow_private=True)


def test_a_log_shows_the_host_only() -> None:
    """What a path or a query may hold is left out."""
    assert origin("https://Example.org:8443/hook/secret?token=1") == "example.org:8443"
    assert origin("https://user:password@example.org/") == "example.org"
    assert origin("http://[::1") == ""
