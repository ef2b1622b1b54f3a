"""Jobs as HTTP requests, complete before the first one is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.client import form_bytes
from labkit.load.workloads import Planned


@dataclass(frozen=True, slots=True)
class Request:
    """A request, ready to leave."""

    path: str
    body: bytes
    headers: dict[str, str]


async def requests(
    jobs: Sequence[Planned], images: Mapping[str, bytes], keys: Sequence[str]
) -> list[Request]:
    """Return the request of each job under its key; jobs that send the same form share its bytes."""
    forms: dict[tuple[str, str, int], tuple[bytes, str]] = {}
    found = []
    for planned, key in zip(jobs, keys, strict=True):
        if planned.kind == "text":
            found.append(_text(planned, key))
            continue
        kind = (planned.image, planned.operations, planned.priority)
        if kind not in forms:
            image, operations, priority = kind
            forms[kind] = await form_bytes(images[image], image, operations, priority)
        body, content_type = forms[kind]
        found.append(Request("/upload", body, {"Content-Type": content_type, "Idempotency-Key": key}))
    return found


def _text(planned: Planned, key: str) -> Request:
    message = {
        "id": key,
        "payload": {"sequence": planned.sequence},
        "processing_time": planned.processing_time_s,
        "priority": planned.priority,
    }
    return Request("/produce", json.dumps(message).encode(), {"Content-Type": "application/json"})
