"""Two sets of runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.analysis.compare import CONFIDENCE, Compared, Comparison
from labkit.runs import RunFiles
from labkit.views.results import spoken
from labkit.views.style import COMMAND, FAINT, duration, house_table, plural

_STYLES: Mapping[bool | None, str] = {True: "bold cyan", False: "bold green", None: "bold yellow"}
_WORDS: Mapping[bool | None, tuple[str, str]] = {
    True: ("differs", "cyan"),
    False: ("alike", "green"),
    None: ("unknown", "yellow"),
}


def comparison_page(found: Comparison) -> RenderableType:
    """Return the answer, both sides, the figures with their intervals, and what to mind."""
    parts: list[RenderableType] = [Text(found.sentence, style=_STYLES[found.differs]), Text("")]
    parts += [_sides(found), Text(""), _figures(found.figures)]
    if any(entry.interval for entry in found.figures):
        share = f"{100 * CONFIDENCE:.0f}%"
        parts.append(Text(f"B - A: the true change lies in all these ranges, {share} sure.", style=FAINT))
    parts += [Text(note, style="yellow") for note in found.notes]
    return Group(*parts)


def comparison_data(found: Comparison) -> dict[str, Any]:
    """Return what `compare --json` prints; changes are shares of A."""
    return {
        "differs": found.differs,
        "sentence": found.sentence,
        "confidence": CONFIDENCE,
        "a": [run.directory for run in found.before],
        "b": [run.directory for run in found.after],
        "figures": {
            entry.figure.name: {
                "unit": entry.figure.unit,
                "a": entry.before,
                "b": entry.after,
                "change": entry.change,
                "low": entry.interval.low if entry.interval else None,
                "high": entry.interval.high if entry.interval else None,
                "differs": entry.differs,
            }
            for entry in found.figures
        },
        "notes": found.notes,
    }


def _sides(found: Comparison) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    own = _own_settings(found.before[0], found.after[0])
    for name, runs in (("A", found.before), ("B", found.after)):
        what = Text.assemble((runs[0].name, COMMAND), f", {plural(len(runs), 'run')}")
        settings = "; ".join(f"{key.replace('_', ' ')} {spoken(runs[0].settings.get(key))}" for key in own)
        table.add_row(Text(name, style="bold"), what, Text(settings or runs[0].directory, style=FAINT))
    return table


def _own_settings(one: RunFiles, two: RunFiles) -> list[str]:
    """Return the names of the settings in which the sides differ."""
    names = dict.fromkeys([*one.settings, *two.settings])
    return [name for name in names if one.settings.get(name) != two.settings.get(name)]


def _figures(figures: Sequence[Compared]) -> Table:
    right = ("A", "B", "change", "from", "to")
    table = house_table("", "A", "B", "change", "from", "to", "", right=right)
    for entry in figures:
        low, high = (_share(entry, value) for value in _ends(entry))
        row = (entry.figure.name, _value(entry, entry.before), _value(entry, entry.after))
        table.add_row(*row, _percent(entry.change), low, high, Text(*_WORDS[entry.differs]))
    return table


def _ends(entry: Compared) -> tuple[float | None, float | None]:
    return (entry.interval.low, entry.interval.high) if entry.interval else (None, None)


def _share(entry: Compared, value: float | None) -> str:
    return _percent(value / entry.before if value is not None and entry.before else None)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.1f}%"


def _value(entry: Compared, value: float) -> str:
    return duration(value / 1000) if entry.figure.unit == "ms" else f"{value:.2f}/s"
