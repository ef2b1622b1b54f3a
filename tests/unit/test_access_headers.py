"""What answers tell a browser, and which pages may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.api.access.shelter import HEADERS
from tests.support.api import answer, picture, running
from tests.support.people import town

PAGE = "https://lab.example:8443"


@pytest.mark.parametrize(
    "path", ["/", "/health", "/metrics", "/nowhere", "/jobs", "/openapi.json", "/jobs/nobody/result"]
)
def test_every_answer_is_sheltered(tmp_path: Path, path: str) -> None:
    """Whatever is answered, no browser guesses its type, runs anything of it or frames it."""
    with running(tmp_path) as api:
        headers = api.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "Cache-Control" not in headers


def test_bytes_are_sheltered_too(tmp_path: Path) -> None:
    """What somebody has uploaded is an image and nothing else; where it is personal no cache keeps it."""
    with town(tmp_path) as people:
        job_id = answer(people.anna.upload())["job_id"]
        sent = people.anna.ask("GET", f"/jobs/{job_id}/original")
    assert sent.data == picture()
    assert sent.headers["Content-Type"] == "image/jpeg"
    assert {name: sent.headers[name] for name in HEADERS} == HEADERS
    assert sent.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>1</script>",
        b"GIF89a<script>",
    ],
)
def test_a_page_is_no_image(tmp_path: Path, data: bytes) -> None:
    """SVG, HTML and what only begins like an image are not taken."""
    with town(tmp_path) as people:
        assert people.anna.upload(data=data).status == 415


def test_pages_that_are_allowed_may_ask(tmp_path: Path) -> None:
    """Their browser is told so, of refusals too; that of another page is not."""
    with town(tmp_path, allowed_origins=f"{PAGE}, http://other.example") as people:
        mine = people.stranger.ask("GET", "/jobs", Origin=PAGE)
        assert (mine.status, mine.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
        assert mine.headers["Access-Control-Allow-Credentials"] == "true"
        foreign = people.stranger.ask("GET", "/jobs", Origin="http://evil.example")
        assert "Access-Control-Allow-Origin" not in foreign.headers
        asked = {"Access_Control_Request_Method": "DELETE", "Access_Control_Request_Headers": "authorization"}
        preflight = people.stranger.ask("OPTIONS", "/dlq", Origin=PAGE, **asked)
        assert preflight.status == 200
        assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
        refused = people.stranger.ask("OPTIONS", "/dlq", Origin="http://evil.example", **asked)
        assert refused.status == 400


def test_without_the_setting_no_page_may(tmp_path: Path) -> None:
    """By default no other page reads anything."""
    with running(tmp_path) as api:
        assert "Access-Control-Allow-Origin" not in api.get("/", Origin=PAGE).headers


def test_the_document_says_what_a_route_wants(tmp_path: Path) -> None:
    """Tools learn from /openapi.json where a token is needed, and how a route refuses without."""
    with town(tmp_path) as people:
        document = people.stranger.get("/openapi.json")
    assert set(document["components"]["securitySchemes"]) == {"bearer", "cookie"}
    assert "security" not in document["paths"]["/auth/login"]["post"]
    upload = document["paths"]["/upload"]["post"]
    assert upload["security"] == [{"bearer": []}, {"cookie": []}]
    assert {"401", "429"} <= set(upload["responses"])
    assert "`admin_only`" in document["paths"]["/dlq"]["get"]["responses"]["403"]["description"]
