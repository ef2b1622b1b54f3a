"""What every notebook begins with: the kit on the path, runs as tables, one style."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from labkit.analysis import queueing
from labkit.notebooks.entry import entry
from labkit.notebooks.pictures import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    duration_axis,
    name_lines,
    say,
    show_marks,
    use_style,
)
from labkit.notebooks.tables import Run, level, percentiles, read_run, read_runs
from labkit.project import REPOSITORY as ROOT
from labkit.sns import Sender

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PURPLE",
    "RED",
    "ROOT",
    "SKY",
    "Run",
    "Sender",
    "duration_axis",
    "entry",
    "level",
    "name_lines",
    "percentiles",
    "queueing",
    "read_run",
    "read_runs",
    "say",
    "show_marks",
]

use_style()
