"""docs/webhooks.md has the headers, the errors and the limits that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from services.api.routes.webhooks import MAX_ATTEMPTS
from services.common.messages import MAX_URL
from services.common.signatures import signed
from services.common.topology import RETRY_DELAYS_S
from services.notifier import courier, poster
from services.notifier.settings import NotifierSettings
from tests.docs.render import ROOT
from tests.support.receiver import SECRET

PAGE = " ".join((ROOT / "docs" / "webhooks.md").read_text().split())
CODES = re.compile(r'(?:_error\(|return )"([a-z_]+)", ')


def _first_cells(heading: str) -> set[str]:
    section = (ROOT / "docs" / "webhooks.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_the_headers() -> None:
    """Each header of an attempt is on the page, and no other."""
    assert _first_cells("What is sent") == set(signed(SECRET, "id", "{}", 0))


def test_the_errors() -> None:
    """Every word that an attempt can end with is explained, and no other."""
    source = Path(poster.__file__).read_text()
    used = {*CODES.findall(source), *poster.FINAL, *(code for _, code, _ in poster._ERRORS)}
    assert _first_cells("The delivery log") - {"error_code"} == used


def test_the_limits() -> None:
    """Numbers are those of the code."""
    settings = NotifierSettings()
    for sentence in (
        f"There are {settings.webhook_timeout_s:g} seconds",
        f"At most {settings.webhook_concurrency} attempts",
        f"{settings.webhook_concurrency_per_host} of them to one host",
        f"Up to {courier.IN_LINE} for one host",
        f"at most {MAX_URL:,} characters",
        f"up to the last {MAX_ATTEMPTS}",
        f"at most {poster.READ_BYTES // 1024} kB are read",
        "after {}, {} and {} seconds".format(*RETRY_DELAYS_S),
    ):
        assert sentence in PAGE, sentence
