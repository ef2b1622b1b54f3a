"""The records on the wire: what they hold, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.common.control import Faults
from services.common.envelopes import changes_envelope, event_envelope, heartbeat_envelope, job_envelope
from services.common.errors import BadMessage
from services.common.jobs.table import table
from services.common.messages import (
    RANK,
    STATUS_AFTER,
    Change,
    Changes,
    Event,
    Heartbeat,
    Job,
    Message,
)
from tests.support.examples import event, heartbeat, job, text_job

_RECORDS: tuple[type[Message], ...] = (Job, Event, Changes, Heartbeat, Faults)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def changes() -> Changes:
    """Return the changes of a commit."""
    return Changes(rows=(Change(seq=1, job_id="j", kind="text", status="queued", generation=1, attempt=1),))


@pytest.mark.parametrize(
    "record", [job(), text_job(), event("job.completed"), event("job.failed"), heartbeat(), changes()]
)
def test_a_record_comes_back_as_it_was(record: Message) -> None:
    """Encoding and decoding are each other's opposite."""
    assert type(record).decode(record.encode()) == record


@given(payload=_JSON)
def test_any_payload_survives(payload: object) -> None:
    """A text job carries any JSON value through all retries, nulls included."""
    again = Job.decode(text_job(payload=payload).encode())
    assert Job.decode(again.encode()).payload == payload


@given(text=st.text(max_size=300))
def test_any_name_survives(text: str) -> None:
    """File names may be in any script."""
    sent = _or_none(lambda: job(filename=text))
    assert sent is None or Job.decode(sent.encode()) == sent


@pytest.mark.parametrize("kind", _RECORDS)
@given(body=st.binary())
def test_bytes_that_are_no_record_are_a_bad_message(kind: type[Message], body: bytes) -> None:
    """Nothing but BadMessage comes of arbitrary bytes."""
    _decode_or_refuse(kind, body)


@pytest.mark.parametrize("kind", _RECORDS)
@given(value=_JSON)
def test_json_that_is_no_record_is_a_bad_message(kind: type[Message], value: object) -> None:
    """Nothing but BadMessage comes of arbitrary JSON."""
    _decode_or_refuse(kind, json.dumps(value).encode())


@given(data=st.data())
def test_a_field_that_is_wrong_is_a_bad_message(data: st.DataObject) -> None:
    """Any value in any field is either accepted and kept, or refused."""
    fields = json.loads(event("job.completed").encode())
    name = data.draw(st.sampled_from(sorted(fields)))
    _decode_or_refuse(Event, json.dumps({**fields, name: data.draw(_JSON)}).encode())


@pytest.mark.parametrize("kind", _RECORDS)
def test_deep_nesting_is_a_bad_message(kind: type[Message]) -> None:
    """A message made to exhaust the stack is refused like any other."""
    _decode_or_refuse(kind, b"[" * 100_000)
    _decode_or_refuse(kind, b'{"payload":' * 100_000)


def test_the_refusal_names_the_field() -> None:
    """Who reads the dead letter sees what was wrong."""
    with pytest.raises(BadMessage, match="Job: priority: Input should be less than or equal to 9"):
        Job.decode(b'{"job_id": "a", "kind": "text", "priority": 10}')
    with pytest.raises(BadMessage, match="Job: body: Invalid JSON"):
        Job.decode(b"\xff")


def test_unknown_fields_are_ignored() -> None:
    """A newer publisher may say more than this reader knows."""
    assert Job.decode(b'{"job_id": "a", "kind": "text", "colour": "red"}').job_id == "a"


def test_another_version_is_refused() -> None:
    """A record whose meaning changed is not guessed at."""
    with pytest.raises(BadMessage, match="version"):
        Job.decode(b'{"job_id": "a", "kind": "text", "version": 2}')


@pytest.mark.parametrize("job_id", ["", "a b", "a/b", "../etc", "ä", "x" * 65, "a\n"])
def test_a_job_id_is_safe_in_paths_and_keys(job_id: str) -> None:
    """Object keys and URLs are made of job ids, so these have a narrow alphabet."""
    with pytest.raises(ValidationError):
        text_job(job_id=job_id)


@pytest.mark.parametrize(
    "fields",
    [
        {"attempt": 0},
        {"attempt": 10**10},
        {"generation": 0},
        {"at": "Infinity"},
        {"clock": {"started": "nan"}},
        {"clock": {"eaten": 1.0}},
        {"error_message": "x" * 501},
        {"worker": "x" * 101},
        {"name": "job.eaten"},
    ],
    ids=str,
)
def test_events_have_bounds(fields: dict[str, Any]) -> None:
    """What the job table cannot hold is refused at the door."""
    with pytest.raises(BadMessage):
        Event.decode(json.dumps({**json.loads(event("job.started").encode()), **fields}).encode())


def test_texts_fit_their_columns() -> None:
    """A record that passed can be stored on every database."""
    columns = {"original_key": "original_path"}
    for name, field in Event.model_fields.items():
        bound = next((item.max_length for item in field.metadata if hasattr(item, "max_length")), None)
        column = table.c.get(columns.get(name, name))
        if bound is not None and column is not None:
            assert isinstance(column.type, sa.String)
            assert bound <= (column.type.length or 0), name
    assert {"worker", "queue", "reason", "error_code", "error_message"} <= _bounded(Event)


def test_an_event_has_a_stable_identity() -> None:
    """Duplicates have one id; another attempt, generation or name has another."""
    one = event("job.started", "j", at=1.0)
    assert one.event_id == event("job.started", "j", at=2.0).event_id
    others = [
        event("job.started", "j", attempt=2),
        event("job.started", "j", generation=2),
        event("job.completed", "j"),
        event("job.started", "k"),
    ]
    assert len({one.event_id, *(other.event_id for other in others)}) == 5


def test_an_event_of_a_job_repeats_what_the_table_needs() -> None:
    """An event alone is enough to make a row."""
    sent = job(priority=4, generation=3)
    made = Event.of(sent, "job.started", attempt=2, clock={"started": 1.0}, worker="w")
    assert (made.job_id, made.kind, made.generation, made.attempt) == (sent.job_id, "image", 3, 2)
    assert (made.operations, made.filename, made.original_key, made.priority) == (
        sent.operations,
        sent.filename,
        sent.original_key,
        4,
    )


def test_ranks_only_grow_in_an_attempt() -> None:
    """Queued, processing and retrying lead to one of two ends."""
    assert RANK["pending"] < RANK["queued"] < RANK["processing"] < RANK["retrying"] < RANK["completed"]
    assert RANK["completed"] == RANK["failed"]
    assert set(STATUS_AFTER.values()) == set(RANK) - {"pending"}


def test_envelopes() -> None:
    """Jobs and events must be received, the rest may be; each has its routing key and a message id."""
    sent, happened = text_job(priority=7), event("job.failed")
    on_its_way = job_envelope(sent, "text.jobs")
    assert (on_its_way.exchange, on_its_way.routing_key, on_its_way.mandatory) == (
        "lab.jobs",
        "text.jobs",
        True,
    )
    assert (on_its_way.message_id, on_its_way.priority) == (sent.job_id, 7)
    told = event_envelope(happened)
    assert (told.exchange, told.routing_key, told.mandatory) == ("lab.events", "job.failed", True)
    assert told.message_id == happened.event_id
    for envelope, key in (
        (changes_envelope(changes()), "job.changed"),
        (heartbeat_envelope(heartbeat()), "worker.heartbeat"),
    ):
        assert (envelope.exchange, envelope.routing_key, envelope.mandatory) == ("lab.events", key, False)
        assert envelope.message_id


def _bounded(kind: type[Message]) -> set[str]:
    return {
        name
        for name, field in kind.model_fields.items()
        if any(getattr(item, "max_length", None) for item in field.metadata)
    }


def _decode_or_refuse(kind: type[Message], body: bytes) -> None:
    try:
        record = kind.decode(body)
    except BadMessage:
        return
    assert kind.decode(record.encode()) == record


def _or_none(make: Any) -> Job | None:  # noqa: ANN401  (a function)
    try:
        made: Job = make()
    except ValidationError:
        return None
    return made
