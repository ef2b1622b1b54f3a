"""JSON log lines, and the closed list of their events."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.logs import EVENTS, JsonFormatter, configure

SERVICES = Path(__file__).resolve().parents[2] / "services"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """Give the root logger, and put it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [logging.getLogger(name) for name in ("pika", "urllib3", "uvicorn", "python_multipart")]
    levels = [logger.level for logger in loggers]
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, old in zip(loggers, levels, strict=True):
        logger.setLevel(old)


def _line(**extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "job_started", "levelname": "INFO", "created": 0.5, **extra})
    found: dict[str, object] = json.loads(JsonFormatter("worker-1").format(record))
    return found


def test_a_line_says_when_what_and_who() -> None:
    """Each line is an object with time, level, event and instance."""
    assert _line(job_id="j", attempt=2) == {
        "at": "1970-01-01T00:00:00.500+00:00",
        "level": "info",
        "event": "job_started",
        "instance": "worker-1",
        "job_id": "j",
        "attempt": 2,
    }


def test_a_traceback_is_part_of_the_line() -> None:
    """An exception does not spread over several lines."""
    try:
        raise ValueError("no")  # noqa: TRY301  (a traceback is wanted)
    except ValueError as error:
        line = _line(exc_info=(ValueError, error, error.__traceback__))
    assert "ValueError: no" in str(line["exception"])


def test_anything_can_be_logged() -> None:
    """What JSON does not know is written as text."""
    assert _line(path=Path("/a"), name_of="ü\n") | {"path": "/a", "name_of": "ü\n"} == _line(
        path=Path("/a"), name_of="ü\n"
    )


def test_lines_go_to_standard_error(root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """One line an event; other libraries only speak when something is wrong."""
    configure("info", "api-1")
    logging.getLogger("services.x").info("upload_accepted", extra={"job_id": "j"})
    logging.getLogger("services.x").debug("events_applied")
    logging.getLogger("urllib3.connectionpool").warning("Retrying")
    logging.getLogger("pika.connection").error("Connection lost")
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [json.loads(line) for line in captured.err.splitlines()]
    assert [(line["event"], line["instance"], line["job_id"]) for line in lines] == [
        ("upload_accepted", "api-1", "j")
    ]


def test_the_list_has_no_event_twice() -> None:
    """Names are words in the past tense, joined by an underscore."""
    assert len(set(EVENTS)) == len(EVENTS)
    assert all(name.isidentifier() and name.islower() and "_" in name for name in EVENTS)


def test_the_code_logs_what_is_listed_and_nothing_else() -> None:
    """Every log call of the programs names an event of the list, and every event of the list is logged."""
    logged = {name for path in SERVICES.rglob("*.py") for name in _logged(path)}
    assert logged == set(EVENTS)


def _logged(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
        ):
            event = node.args[0]
            assert isinstance(event, ast.Constant), f"{path}:{node.lineno}: an event has a fixed name"
            yield str(event.value)
