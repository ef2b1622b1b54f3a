"""Requests that nobody would send, made from the API's own description: no 500, no undescribed answer.

The suite sends some hundreds; `LAB_FUZZ_REQUESTS=10000` sends that many.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from services.api.app import ENDLESS
from services.common.messages import Event
from tests.support.api import Api, answer, picture, running

REQUESTS = int(os.environ.get("LAB_FUZZ_REQUESTS", "400"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.allow_header_conformance,
    checks.negative_data_rejection,
]
SETTINGS = settings(
    max_examples=12,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
Operation = APIOperation[Any, Any, Any, Any]

IDS = ("done", "failed", "waiting")
PICTURES = [picture(8, 8), picture(8, 8, "PNG"), b"GIF89a", b""]

schemathesis.openapi.format("binary", st.sampled_from(PICTURES) | st.binary())

log = logging.getLogger(__name__)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Give an API with a text job of each kind, so that some ids are found."""
    with running(tmp_path, max_processing_time_s=1) as api:
        api.post("/batch-produce", {"messages": [{"id": name, "payload": name} for name in IDS]})
        done, failed, _ = api.jobs("text.jobs")
        api.table.apply([Event.of(done, "job.completed", attempt=1, clock=done.clock)])
        api.table.apply([Event.of(failed, "job.failed", attempt=1, clock=failed.clock, reason="permanent")])
        yield api


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value
)
@pytest.mark.timeout(3600)
def test_no_request_breaks_the_api(api: Api, mode: GenerationMode) -> None:
    """Valid and invalid requests to every route get the answers that the OpenAPI document describes."""
    schema = schemathesis.openapi.from_dict(answer(api.get("/openapi.json")))
    schema.config.update(base_url=api.url)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    operations = [found for found in operations if found.path not in ENDLESS]
    assert len(operations) > 10
    seen: Counter[int] = Counter()
    with requests.Session() as session:
        for number in itertools.count():
            operations = [each for each in operations if send_some(each, mode, number, session, seen)]
            if seen.total() >= REQUESTS // 2:
                break
    log.info("%s: %s requests, by status: %s", mode.value, seen.total(), dict(sorted(seen.items())))
    assert {status for status in seen if status >= 500} == set()
    assert api.get("/health").status == 200


def send_some(
    operation: Operation, mode: GenerationMode, number: int, session: requests.Session, seen: Counter[int]
) -> bool:
    """Send requests to one route, and check each answer; return whether there was anything to send."""

    @seed(number)
    @SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode), known=st.sampled_from([None, *IDS]))
    def send(case: Case[Any], known: str | None) -> None:
        if known and "job_id" in case.path_parameters:
            case.path_parameters["job_id"] = known
        response = case.call(session=session)
        seen[response.status_code] += 1
        # In a form everything is text or bytes, so what is wrong as JSON may be right there.
        is_form = case.media_type == "multipart/form-data"
        case.validate_response(response, checks=CHECKS[: -1 if is_form else None])

    # Where any text is good, there is nothing wrong to send.
    try:
        send()
    except Unsatisfiable:
        return False
    return True
