"""The results for people and for programs."""

import json
import textwrap

from labkit import words
from labkit.doctor.check import Results, passed

WIDTH = 80
COLOURS = {"ok": "32", "failed": "31", "unknown": "33", "note": "36"}
STATE_WIDTH = 9
NAME_WIDTH = 25


def as_json(results: Results) -> str:
    """Return {"ok": …, "checks": [{"name", "ok", "detail", "fix"}]}; `ok` of a check may be null."""
    checks = [{"name": r.name, "ok": r.ok, "detail": r.detail, "fix": r.fix} for r in results]
    return json.dumps({"ok": passed(results), "checks": checks}, indent=1)


def as_text(results: Results, *, colour: bool, again: str, then: str = "") -> str:
    """Return a table of 80 columns; `again` is the command that shows it once more, `then` the next one."""
    then = then or words.command("demo")
    lines = []
    for result in results:
        detail = textwrap.wrap(result.detail, WIDTH - STATE_WIDTH - NAME_WIDTH) or [""]
        state = _paint(result.word.ljust(STATE_WIDTH), COLOURS[result.word], colour=colour)
        lines.append(f"{state}{result.name.ljust(NAME_WIDTH)}{detail[0]}".rstrip())
        lines += [" " * (STATE_WIDTH + NAME_WIDTH) + more for more in detail[1:]]
        if result.fix:  # never wrapped: it is there to be copied
            lines.append(f"{' ' * STATE_WIDTH}fix: {result.fix}")
    return "\n".join([*lines, "", _verdict(results, again, then)])


def _verdict(results: Results, again: str, then: str) -> str:
    bad = sum(not result.passed for result in results)
    if not bad:
        return f"Ready. Next: {then}"
    return f"{bad} of {len(results)} checks did not pass. Mend them, then look again:\n{again}"


def _paint(text: str, code: str, *, colour: bool) -> str:
    return f"\033[{code}m{text}\033[0m" if colour else text
