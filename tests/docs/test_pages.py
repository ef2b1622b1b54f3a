"""The pages agree with the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from labkit.cli.app import app
from labkit.stack import DOCKER_SERVICES, SERVICES
from services.common.logs import EVENTS
from tests.docs.records import RECORDS
from tests.docs.render import PAGES, ROOT

WRITTEN = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "test_images").glob("*.md")]
)
COMMAND = re.compile(r"labctl(?:\.py|\.cmd)? ((?:--project \S+ )?)([a-z]+)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize(("page", "render"), PAGES.items(), ids=PAGES)
def test_generated_pages_are_as_the_code_says(page: str, render: Callable[[], str]) -> None:
    """A generated page is what the code would write today."""
    assert (ROOT / page).read_text() == render(), "Run: python -m tests.docs.render"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_commands_in_pages_exist(page: Path) -> None:
    """Every labctl command that a page names can be typed."""
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    named = {match.group(2) for match in COMMAND.finditer(page.read_text())}
    assert named <= known


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository finds it."""
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_addresses_of_the_api_are_routes() -> None:
    """Whoever opens or sends to an address of the API that a page names does not meet a 404."""
    given = re.compile(r"http://127\.0\.0\.1:8000(/[\w/-]*)")
    pages = [ROOT / "README.md", ROOT / "docker-compose.yml", *(ROOT / "docs").glob("*.md")]
    named = {path for page in pages for path in given.findall(page.read_text())}
    routes = set(re.findall(r"^\| `[A-Z]+ (/[^`]*)`", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE))
    assert {path for path in named if not _is_route(path, routes)} == set()


def _is_route(path: str, routes: set[str]) -> bool:
    return any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path) for route in routes)


def test_the_readme_lists_every_port() -> None:
    """The table of addresses has every port that a person may open, without Docker and with it."""
    text = (ROOT / "README.md").read_text()
    here = {service.name for service in SERVICES}
    more = [service for service in DOCKER_SERVICES if service.name not in here]
    rows = [
        f"| {port.base if service.name in here else '-'} | {port.docker or '-'} |"
        for service in (*SERVICES, *more)
        for port in service.ports
        if port.scheme
    ]
    assert [row for row in rows if row not in text] == []


def test_log_events_are_past_tense_words() -> None:
    """An event's name ends in a word of what has happened."""
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in EVENTS)
    assert len(EVENTS) == len(set(EVENTS))


def test_every_field_of_every_record_is_described() -> None:
    """Nobody has to read the code to know what a field of a message means."""
    silent = [
        f"{kind.__name__}.{name}"
        for kind, _ in RECORDS
        for name, field in kind.model_fields.items()
        if not field.description
    ]
    assert silent == []
