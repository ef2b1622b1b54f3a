"""docs/api.md shows the routes, fields, limits and errors that the code has."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api.access.table import RULES, SOCKET
from services.api.errors import PROBLEMS
from services.api.routes.direct import WantedUrl
from services.api.routes.events import MAX_JOB_IDS, wanted
from services.api.routes.jobs import MAX_LISTED
from services.api.routes.text import MAX_BODY_BYTES, MAX_MESSAGES, TextMessage
from services.api.settings import ApiSettings
from services.api.views import change_view
from services.common.messages import Change
from tests.support.api import Api, answer, running

PAGE = Path("docs/api.md").read_text(encoding="utf-8")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


def table(heading: str) -> list[list[str]]:
    """Return the cells of the tables under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip("`") for cell in row] for row in rows]


def test_the_routes_are_those_of_the_app(api: Api) -> None:
    """Every route is on the page, and the page has no other."""
    paths = answer(api.get("/openapi.json"))["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    served |= {"GET /health", "GET /live", "GET /metrics", "GET /ws"}
    assert {row[0] for row in table("Routes")[1:]} == served


def test_who_may_ask_is_as_the_table_says() -> None:
    """The page names for each route whom the gate lets in."""
    shown = {tuple(route.split(" ")): who for route, _, who in table("Routes")[1:]}
    shown[SOCKET, "/ws"] = shown.pop(("GET", "/ws"))
    undescribed = {("GET", "/openapi.json")}
    assert shown == {name: rule.need.value for name, rule in RULES.items() if name not in undescribed}


def test_the_errors_are_those_of_the_code() -> None:
    """Each code stands on the page once, with its status and its next step."""
    shown = [tuple(row) for row in table("Errors")[1:]]
    assert shown == [(code, str(problem.status), problem.hint) for code, problem in PROBLEMS.items()]


def test_the_fields_of_a_job_are_those_of_the_answer(api: Api) -> None:
    """Every field of a status is on the page, and no other."""
    job_id = answer(api.upload())["job_id"]
    shown = {name for row in table("Follow a job")[1:] for name in row[0].split("`, `")}
    assert shown == set(answer(api.get(f"/status/{job_id}")))


def test_the_fields_of_a_message_are_those_of_the_record() -> None:
    """Every field of a text job is on the page, and no other."""
    assert {row[0] for row in table("Send text jobs")[1:]} == set(TextMessage.model_fields)


def test_the_fields_of_a_change_are_those_of_the_stream() -> None:
    """Every field of a change is on the page, and no other; so is each filter."""
    change = Change(seq=1, job_id="j", kind="text", status="queued", generation=1, attempt=1)
    shown = [row[0] for row in table("Follow what changes")]
    fields = {name for row in shown[1 : shown.index("parameter")] for name in row.split("`, `")}
    assert fields == set(change_view(change))
    filters = set(shown[shown.index("parameter") + 1 :])
    assert filters == {"after", *inspect.signature(wanted).parameters}


def test_the_fields_of_an_announcement_are_those_of_the_record() -> None:
    """Every field of a direct upload is on the page, and no other."""
    assert {row[0] for row in table("Direct upload")[1:]} == set(WantedUrl.model_fields)


def test_the_limits_are_those_of_the_code() -> None:
    """Limits and settings that the page names are as the code has them."""
    assert f"at most {MAX_MESSAGES} messages and {MAX_BODY_BYTES // 1024**2} MiB" in PAGE
    assert f"1 to {MAX_LISTED}" in PAGE
    assert f"up to {MAX_JOB_IDS} times" in PAGE
    named = {name.removeprefix("LAB_").lower() for name in re.findall(r"LAB_\w+", PAGE)}
    assert named <= set(ApiSettings.model_fields)
