"""Which pages may use the API through somebody's browser, which sends its cookies along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from services.api.errors import ApiError
from services.common.hosts import host_of, is_own, same_origin

_ORIGIN = re.compile(r"https?://[^/*@?#\s]+")


class Origins:
    """The API's own pages, and those that a setting names, separated by commas."""

    def __init__(self, allowed: str) -> None:
        self.allowed = listed(allowed)

    def check(self, headers: Mapping[str, str], *, by_browser: bool) -> None:
        """Raise an `ApiError` when a foreign page makes a request; `by_browser`: one has to say which does.

        Programs say nothing. A browser says where a request comes from, by one header or by another.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None:
            self.check_origin(origin, headers.get("host"))
        elif site not in ("same-origin", "none") and (by_browser or site is not None):
            raise ApiError("origin_refused", "a request with a cookie has to say which page makes it")

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Let in programs and the pages that may. Raises an `ApiError`."""
        if origin is None or origin in self.allowed or same_origin(origin, host):
            return
        raise ApiError("origin_refused", f"pages of {origin[:200]} may not do this")

    def check_host(self, host: str | None) -> None:
        """Refuse a name that may be anybody's, where whoever reaches the API is its admin."""
        name = (host or "").lower()
        if not is_own(name) and name not in map(host_of, self.allowed):
            raise ApiError("origin_refused", f"without users the API is not reached by the name {name[:200]}")


def listed(allowed: str) -> tuple[str, ...]:
    """Return the origins that a setting names."""
    return tuple(allowed.replace(",", " ").split())


def _check(allowed: str) -> str:
    for origin in listed(allowed):
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin} is no origin; one looks like https://lab.example:8443")
    return allowed


AllowedOrigins = Annotated[str, AfterValidator(_check)]
