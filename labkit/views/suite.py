"""The end of `test`: each part, its time and its budget."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from labkit.suite import Outcome
from labkit.views import style


def suite_table(outcomes: Sequence[Outcome]) -> Table:
    """Return one line a part; times over the budget are yellow."""
    table = style.house_table("part", "result", "took", "budget", right=("took", "budget"))
    for outcome in outcomes:
        result = Text("passed", style="green") if outcome.passed else Text("failed", style="red")
        took = Text(style.duration(outcome.seconds), style="yellow" if outcome.slow else "")
        table.add_row(outcome.part.name, result, took, style.coarse(outcome.part.budget_s))
    return table
