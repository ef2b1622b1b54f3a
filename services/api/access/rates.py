"""How often somebody may log in, and upload. Each API counts for itself, in its memory."""

from __future__ import annotations

import ipaddress
import math
import time
from typing import Annotated, Literal

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import AfterValidator

from services.api.errors import ApiError

PER_ADDRESS = 10
"""A class shares one address behind its router: so many times as much may come from it."""

What = Literal["login", "upload"]


class Rates:
    """Counts by user and by address in a sliding window, so that no edge of a minute lets twice as many in.

    What is kept of a user or an address is two numbers, for two windows: strangers choose what they type as
    their names, and an exact window would remember each of their attempts.
    """

    def __init__(self, login: str, upload: str) -> None:
        self._limits: dict[What, RateLimitItem] = {"login": parse(login), "upload": parse(upload)}
        self._kept = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._kept)

    def count(self, what: What, address: str, user: str = "", times: int = 1) -> None:
        """Count something in; raise an `ApiError` that says when to come again when it is too much."""
        limit = self._limits[what]
        many = type(limit)(limit.amount * PER_ADDRESS, limit.multiples)
        keys = [(many, "address", _household(address)), *([(limit, "user", user)] if user else [])]
        for item, kind, key in keys:
            if times > item.amount:
                raise ApiError("too_often", f"{_words(item, what, kind)}: send fewer at a time")
            if not self._limiter.test(item, what, kind, key, cost=times):
                raise self._refusal(what, item, kind, key)
        for item, kind, key in keys:
            self._limiter.hit(item, what, kind, key, cost=times)

    def _refusal(self, what: What, item: RateLimitItem, kind: str, key: str) -> ApiError:
        reset_at = self._limiter.get_window_stats(item, what, kind, key).reset_time
        wait_s = max(1, math.ceil(reset_at - time.time()))
        return ApiError("too_often", _words(item, what, kind), retry_after_s=wait_s)

    def remembered(self) -> int:
        """Return how many counts are kept."""
        return len(self._kept.storage)


def _words(item: RateLimitItem, what: What, kind: str) -> str:
    whose = "from one address" if kind == "address" else "of one user"
    return f"{item.amount} {what}s {whose} in {item.get_expiry()} s are the limit"


def _household(address: str) -> str:
    """Return what counts as one address: with IPv6 a network of 64 bits, since every client has that many."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 - the number is its name
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def _check(text: str) -> str:
    try:
        parse(text)
    except ValueError:
        raise ValueError("must look like 10/minute") from None
    return text


Rate = Annotated[str, AfterValidator(_check)]
