"""Who may ask for a route, as docs/api.md says it and as the API does it: two declarations, one truth."""

from __future__ import annotations

import re
from pathlib import Path

from services.api.access.table import RULES

API = Path("docs/api.md")
UNSAID = {("GET", "/openapi.json")}
"""The description of the routes is none of them."""


def test_the_page_says_who_may_ask() -> None:
    """Each row of the table of routes has the words of its rule, and no route is missing."""
    rows = re.findall(r"^\| `(GET|POST|DELETE) (/\S*)` \| .* \| ([^|]+) \|$", API.read_text(), re.MULTILINE)
    said = {("WEBSOCKET" if path == "/ws" else method, path): who for method, path, who in rows}
    assert said == {name: rule.need.value for name, rule in RULES.items() if name not in UNSAID}
