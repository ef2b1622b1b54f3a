"""By which names a program is reached that has no users: whoever reaches it may do everything there.

A page of the internet can make its own name lead to this machine, and is of the same origin then:
https://en.wikipedia.org/wiki/DNS_rebinding
"""

from __future__ import annotations

import re

_OWN_NAME = re.compile(r"[^.]*|(.+\.)?localhost(:\d+)?|[\d.]+(:\d+)?|\[[^\]]+\](:\d+)?")
"""A Host that no stranger can have made lead here: an address, or a name that is not of the internet."""


def is_own(host: str) -> bool:
    """Whether a Host header names this machine or this network; without one, a program asks and no page."""
    return bool(_OWN_NAME.fullmatch(host.lower()))


def same_origin(origin: str, host: str | None) -> bool:
    """Whether a page of this origin came from the server that is asked by this Host header."""
    # Compared, not parsed: whatever a client writes into them, they are the same text or they are not.
    return bool(host and host_of(origin) == host.lower())


def host_of(origin: str) -> str:
    """Return what follows the scheme of an origin, which has no path."""
    return origin.partition("://")[2].lower()
