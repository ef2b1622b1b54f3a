"""The suite on the screen: what begins, what it printed, and each part's time and budget at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from labkit.suite import Outcome
from labkit.views import style


def suite_line(outcome: Outcome) -> Text:
    """Return the line above what a part printed."""
    return Text.assemble(
        f"{outcome.part.name}: ", _result(outcome), f" after {style.duration(outcome.seconds)}"
    )


def suite_table(outcomes: Sequence[Outcome]) -> Table:
    """Return one line a part; times over the budget are yellow."""
    table = style.house_table("part", "result", "took", "budget", right=("took", "budget"))
    for outcome in outcomes:
        took = Text(style.duration(outcome.seconds), style="yellow" if outcome.slow else "")
        table.add_row(outcome.part.name, _result(outcome), took, style.coarse(outcome.part.budget_s))
    return table


def _result(outcome: Outcome) -> Text:
    return Text("passed", style="green") if outcome.passed else Text("failed", style="red")
