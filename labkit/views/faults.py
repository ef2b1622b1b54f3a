"""Faults in force, in a line."""

from __future__ import annotations

from rich.text import Text

from labkit.control.chaos import sentences
from services.common.control import Faults


def faults_text(faults: Faults) -> Text:
    """Return what goes wrong on purpose, or that nothing does."""
    if not faults.active:
        return Text("No fault is active.", style="green")
    return Text(f"Fault active: {'; '.join(sentences(faults))}.", style="bold yellow")
