"""Faults in force, in a line."""

from __future__ import annotations

from rich.text import Text

from labkit.views.style import duration
from services.common.control import Faults


def faults_text(faults: Faults) -> Text:
    """Return what goes wrong on purpose, or that nothing does."""
    if not faults.active:
        return Text("No fault is active.", style="green")
    parts = []
    if faults.fail_rate:
        parts.append(f"{100 * faults.fail_rate:g}% of attempts fail")
    parts += [f"{name} takes {duration(seconds)} longer" for name, seconds in faults.delays_s.items()]
    if faults.store_latency_s:
        parts.append(f"each store call takes {duration(faults.store_latency_s)} longer")
    return Text(f"Fault active: {'; '.join(parts)}.", style="bold yellow")
