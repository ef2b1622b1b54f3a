"""Log lines: the programs' JSON made readable, everything else as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from zlib import crc32

from rich.text import Text

from labkit.runtime.base import LogLine
from labkit.views.style import FAINT

_COLOURS = ("cyan", "magenta", "blue", "yellow", "green")
_LEVELS = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": FAINT}
_SHOWN = ("at", "level", "event", "instance", "exception")
_TIME = slice(11, 23)  # of an ISO time: hours to milliseconds


def log_line(line: LogLine, width: int) -> Text:
    """Return the line behind the name of its instance; `width` is the longest name's."""
    text = Text(line.instance.ljust(width), style=_colour(line.instance))
    text.append("  ")
    record = parse(line.text)
    return text.append(line.text, style="default") if record is None else text.append_text(_readable(record))


def log_record(line: LogLine) -> dict[str, object]:
    """Return the line as an object: the program's own fields, or `message` for a line without any."""
    return {**(parse(line.text) or {"message": line.text}), "instance": line.instance}


def parse(text: str) -> dict[str, object] | None:
    """Return the fields of a JSON line, None when it is none."""
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _readable(record: Mapping[str, object]) -> Text:
    style = _LEVELS.get(str(record.get("level")), "default")
    text = Text(str(record.get("at", ""))[_TIME], style=FAINT)
    text.append(f" {record['event']}", style=style)
    for name, value in record.items():
        if name not in _SHOWN:
            text.append(f" {name}=", style=FAINT)
            text.append(str(value), style="default")
    if "exception" in record:
        text.append(f"\n{record['exception']}", style="red")
    return text


def _colour(instance: str) -> str:
    return _COLOURS[crc32(instance.encode()) % len(_COLOURS)]
