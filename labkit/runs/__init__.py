"""Run directories: whatever was just done is on disk, in `experiments/runs/<UTC>-<name>/`, and `latest`."""

from labkit.runs.about import machine
from labkit.runs.files import COLUMNS, FORMAT, RUNS, SAMPLE_COLUMNS, STAGES
from labkit.runs.read import RunFiles, open_run
from labkit.runs.write import Run

__all__ = [
    "COLUMNS",
    "FORMAT",
    "RUNS",
    "SAMPLE_COLUMNS",
    "STAGES",
    "Run",
    "RunFiles",
    "machine",
    "open_run",
]
