"""docs/topology.md has every exchange, queue, binding and argument that is declared, and no other."""

from __future__ import annotations

import re
from typing import get_args

from services.common import dead_letters
from services.common.messages import JobEvent
from services.common.topology import (
    NOTIFIER_WEBHOOKS,
    RETRY_DELAYS_S,
    WORK_QUEUES,
    declarations,
    retry_queue,
    run_queue,
)
from tests.docs.render import ROOT

PAGE = (ROOT / "docs" / "topology.md").read_text()


def _table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _rows() -> dict[str, tuple[str, dict[str, str]]]:
    """Return each queue that the page names: its bindings' cell, and its arguments."""
    rows: dict[str, tuple[str, dict[str, str]]] = {}
    for names, bound, arguments in _table("Queues"):
        told = dict(word.split("=", 1) for word in _words(arguments))
        for name in _words(names):
            for queue in WORK_QUEUES if name.startswith("{queue}") else ("",):
                rows[name.replace("{queue}", queue)] = (bound, told)
    return rows


def test_the_exchanges() -> None:
    """Names and kinds are those that are declared."""
    told = {_words(name)[0]: kind for name, kind, _ in _table("Exchanges")}
    assert told == {exchange.name: exchange.kind for exchange in declarations().exchanges}


def test_the_queues_and_their_arguments() -> None:
    """Every queue is on the page with all of its arguments, and the page has no other queue."""
    rows = _rows()
    declared = {queue.name: queue for queue in (*declarations().queues, run_queue("{id}"))}
    assert set(rows) == set(declared)
    retried = (*WORK_QUEUES, NOTIFIER_WEBHOOKS)
    retries = {retry_queue(work, delay): (work, delay) for work in retried for delay in RETRY_DELAYS_S}
    for name, queue in declared.items():
        told = dict(rows[name][1])
        if name in retries:
            work, delay = retries[name]
            delays = told["x-message-ttl"].split(", ")
            told["x-message-ttl"] = delays[RETRY_DELAYS_S.index(delay)]
            told["x-dead-letter-routing-key"] = work
        assert told == {key: str(value) for key, value in queue.arguments.items()}, name


def test_the_bindings() -> None:
    """Each queue is bound as the page says."""
    for name, (bound, _) in _rows().items():
        queue = next(q for q in (*declarations().queues, run_queue("{id}")) if q.name == name)
        exchange, *keys = _words(bound)
        assert {binding.exchange for binding in queue.bindings} == {exchange}
        if "key = its name" in bound:
            keys = [name]
        elif "all six names" in bound:
            keys = list(get_args(JobEvent))
        assert {binding.key for binding in queue.bindings} == set(keys or [""]), name


def test_every_argument_has_its_reason() -> None:
    """The page says why for each argument that some queue has."""
    used = {key for queue in (*declarations().queues, run_queue("r")) for key in queue.arguments}
    assert {_words(name)[0] for name, _ in _table("Why these arguments")} == used


def test_the_headers_of_a_dead_letter() -> None:
    """The page has every header that a worker writes, and every reason."""
    letter = dead_letters.DeadLetter(
        reason="", error_code="", error_message="", attempt=1, origin="", worker="", at=0, started=0
    )
    rows = {_words(name)[0]: meaning for name, meaning in _table("Dead letters")}
    assert set(rows) == set(letter.headers())
    assert all(f"`{reason}`" in PAGE for reason in dead_letters.REASONS)
