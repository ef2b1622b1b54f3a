"""Where a webhook may go: the URL when it is taken in, and the address when it is connected to.

Both are needed. A name can lead anywhere, and to another place a second later, so the address decides; the
URL is looked at early, so that a client learns of its mistake from the API.

Addresses: https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from services.common.errors import BadCallback
from services.common.messages import MAX_URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

WEB_PORTS = (80, 443)
FIRST_USER_PORT = 1024

_PRINTABLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""IPv4 in the last 32 bits: NAT64, and the old IPv4-compatible addresses."""
_NEVER = (
    ipaddress.ip_network("0.0.0.0/8"),  # this machine, to some
    ipaddress.ip_network("168.63.129.16"),  # Azure's own services, at a public address
    ipaddress.ip_network("fd00:ec2::/32"),  # Amazon's metadata, among private addresses
    ipaddress.ip_network("100.100.100.200"),  # Alibaba's
    ipaddress.ip_network("192.0.0.192"),  # Oracle's
)


def check_url(url: str, *, allow_private: bool) -> str:
    """Return the URL when a webhook may be sent to it; raise `BadCallback` that says why not."""
    if len(url) > MAX_URL:
        raise BadCallback(f"the URL is longer than {MAX_URL:,} characters")
    if not _PRINTABLE.fullmatch(url):
        raise BadCallback("the URL has spaces or letters beyond ASCII; write them percent-encoded")
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise BadCallback("the URL begins with neither http:// nor https://")
    if "@" in parts.netloc:
        raise BadCallback("the URL carries a login; a signature tells the receiver who sends")
    if not _HOST.fullmatch(parts.netloc):
        raise BadCallback("the URL names no host, as in https://example.org/hook")
    _check_port(parts)
    _check_host(parts.hostname or "", allow_private=allow_private)
    return url


def permitted(address: str, *, allow_private: bool) -> bool:
    """Tell whether a webhook may be sent to an IP address.

    `allow_private` opens this machine and private networks. Link-local addresses, those where clouds keep a
    machine's credentials, and what is no single host stay closed.
    """
    try:
        found = _inner(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(found in network for network in _NEVER) or _is_nobody(found):
        return False
    if found.is_loopback:
        return allow_private
    if found.is_global:
        return not found.is_reserved
    return allow_private and found.is_private and not found.is_reserved


def origin(url: str) -> str:
    """Return the host and port of a URL, all that a log may show of it; empty when it cannot be read."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise BadCallback(f"the URL cannot be read: {error}") from None


def _check_port(parts: SplitResult) -> None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    # Below 1024 live services such as mail, which a POST may talk into something.
    if port is not None and port not in WEB_PORTS and port < FIRST_USER_PORT:
        raise BadCallback("the port is none of 80, 443 and 1024 to 65535")


def _check_host(host: str, *, allow_private: bool) -> None:
    name = host.rstrip(".")
    local = name == "localhost" or name.endswith(".localhost")
    if (local and not allow_private) or (
        _is_address(name) and not permitted(name, allow_private=allow_private)
    ):
        raise BadCallback(f"{host} is an address that webhooks are not sent to")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if any(address in network for network in _TRANSLATED) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_nobody(address: Address) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or getattr(address, "teredo", None) is not None
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )
