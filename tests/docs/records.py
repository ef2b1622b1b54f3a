"""docs/messages.md, made from the records themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from services.common.control import Faults
from services.common.messages import (
    Change,
    Changes,
    Event,
    Heartbeat,
    Job,
    JobEvent,
    Output,
    Webhook,
    WebhookAttempt,
)

HEAD = """# Messages

All records that cross the broker, as `services/common/messages.py` defines them. This page is made from the
code: `python -m tests.docs.render` writes it, a test compares it.

- A message body is one record as JSON, UTF-8. Empty fields (null) are left out.
- Readers ignore fields that they do not know, so a field can be added at any time. A changed meaning needs a
  new `version`; a reader refuses versions that it does not know.
- Times are seconds since 1970-01-01 UTC, durations are seconds, sizes are bytes or pixels.
- A body that is no such record goes to the dead-letter queue with the reason `bad_message`.
- The AMQP message id is the `job_id` of a job, and `job_id:generation:attempt:name` of an event: a duplicate
  has the same id. A webhook's is its `webhook_id`, an attempt's its `attempt_id`.
- What travels beside a dead letter (reason, attempts, origin) is in [topology.md](topology.md#dead-letters).

The **stage clock** is a map from a stage to the time when it was reached, written by the service that
reached it: accepted, published (API); started, fetched, processed, stored, finished (worker, or the tracker
for a job that died); notified (notifier).
"""

RECORDS: tuple[tuple[type[BaseModel], str], ...] = (
    (
        Job,
        "Exchange `lab.jobs`, routing key = name of a work or retry queue. Also the body of a dead letter.",
    ),
    (Event, "Exchange `lab.events`, routing key = its `name`."),
    (Output, "Part of an Event that completes a job."),
    (
        Changes,
        "Exchange `lab.events`, routing key `job.changed`. Published by the tracker, for all APIs.",
    ),
    (Change, "Part of Changes."),
    (Heartbeat, "Exchange `lab.events`, routing key `worker.heartbeat`. Published by workers."),
    (Webhook, "Exchange `lab.webhooks`, routing key = `notifier.webhooks` or one of its retry queues."),
    (WebhookAttempt, "Exchange `lab.events`, routing key `webhook.attempted`. Published by the notifier."),
    (Faults, "No message: the object `control/faults.json`; the routing key `control.changed` announces it."),
)

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "maxLength": "at most {} characters",
    "pattern": "`{}`",
}


def messages_page() -> str:
    """Return docs/messages.md."""
    lines = [HEAD]
    for kind, where in RECORDS:
        lines += [f"## {kind.__name__}", "", " ".join((kind.__doc__ or "").split()), "", where, ""]
        lines += ["| field | type | bounds | default | meaning |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(cells)} |" for cells in _rows(kind)]
        lines.append("")
    lines += ["## Names of events", ""]
    lines += [f"- `{name}`" for name in JobEvent.__args__]  # type: ignore[attr-defined]
    return "\n".join(lines) + "\n"


def _rows(kind: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    schema = kind.model_json_schema()
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        told = field.get("description", "")
        default = "required" if name in required else _default(name, kind)
        bounds = ", ".join(_bounds(_plain(field)))
        yield f"`{name}`", _type(field), bounds.replace("|", "\\|"), default, told


def _type(field: Mapping[str, Any]) -> str:
    plain = _plain(field)
    if "$ref" in plain:
        return f"[{_name(plain)}](#{_name(plain).lower()})"
    if "const" in plain:
        return f"`{plain['const']}`"
    if "enum" in plain:
        return " · ".join(f"`{value}`" for value in plain["enum"])
    if plain.get("type") == "array":
        return f"list of {_type(plain['items'])}"
    if plain.get("type") == "object":
        return f"map to {_type(plain['additionalProperties'])}"
    return str(plain.get("type", "any JSON"))


def _plain(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a value without its "or null"."""
    found = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    plain: Mapping[str, Any] = found[0]
    return plain


def _bounds(plain: Mapping[str, Any]) -> Iterator[str]:
    for name, words in _BOUNDS.items():
        if name in plain:
            value = plain[name]
            yield words.format(f"{value:g}" if isinstance(value, float) else value)


def _default(name: str, kind: type[BaseModel]) -> str:
    default = kind.model_fields[name].get_default(call_default_factory=True)
    if default is None or default == "":
        return "none"
    return "empty" if default in ((), {}) else f"`{default}`"


def _name(field: Mapping[str, Any]) -> str:
    return str(field["$ref"]).rpartition("/")[2]
