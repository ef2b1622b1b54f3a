"""How a notebook is let into the API of the stack that runs here."""

from __future__ import annotations

from labkit.errors import LabError
from labkit.passes import LONG_S, Pass
from labkit.runtime import open_runtime
from labkit.settings import LabSettings


def entry() -> dict[str, str]:
    """Return the headers that let labctl into the stack of LAB_PROJECT; none when it is not up."""
    try:
        return Pass.of(open_runtime(LabSettings()).environment()).headers(LONG_S)
    except LabError:
        return {}
