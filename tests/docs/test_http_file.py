"""docs/api.http has every route; tests/acceptance sends its requests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.api import answer, running
from tests.support.http_file import HttpFile

FILE = Path("docs/api.http")
ENDLESS = {"GET /events"}
"""Answers that do not end are nothing to send from top to bottom."""
SHARED = {"GET /health", "GET /live", "GET /metrics", "GET /openapi.json"}
LARGEST_BYTES = 100_000


def test_every_route_is_sent(tmp_path: Path) -> None:
    """Each route of the API is in the file, and each request of the file goes to a route or to the store."""
    with running(tmp_path) as api:
        paths = answer(api.get("/openapi.json"))["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} | SHARED
    patterns = {route: re.compile(re.sub(r"{\w+}", "[^/]+", route)) for route in served}
    sent = set[str]()
    for request in HttpFile(FILE).requests():
        url = request.url.partition("?")[0]
        if not url.startswith("{{host}}"):
            assert url == "{{announce.response.body.$.url}}"
            continue
        path = f"{request.method} {url.removeprefix('{{host}}')}"
        fitting = {route for route, pattern in patterns.items() if pattern.fullmatch(path)}
        assert fitting, path
        # /jobs/{job_id}/{name} fits what has a route of its own.
        sent |= {min(fitting, key=lambda route: route.count("{"))}
        sent |= {route for route in fitting if path.endswith(("/result", "/thumbnail"))}
    assert served - ENDLESS - sent == set()


def test_names_are_given_once_and_before_they_are_used() -> None:
    """What a request takes from an answer is there by then."""
    known: list[str] = []
    for request in HttpFile(FILE).requests():
        text = " ".join([request.url, *request.headers.values(), request.body])
        assert set(re.findall(r"{{(\w+)\.response", text)) <= set(known), request.title
        assert request.name not in known
        known.append(request.name)


def test_its_picture_is_small() -> None:
    """It is a part of every download."""
    assert (FILE.parent / "photo.jpg").stat().st_size < LARGEST_BYTES
