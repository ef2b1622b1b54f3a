"""Notebooks, as files and executed."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from labkit.notebooks.server import NOTEBOOKS

NAMES = [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))]

_STRICT = "import warnings\nwarnings.simplefilter('error')\n"
_NO_RUN = "RUN = None"
_TIMEOUT_S = 100


def read(name: str) -> nbformat.NotebookNode:
    """Return a stored notebook."""
    notebook: nbformat.NotebookNode = nbformat.read(NOTEBOOKS / name, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def execute(name: str, run: Path, scratch: Path) -> nbformat.NotebookNode:
    """Return the notebook after all of its cells have read `run`, every warning being an error.

    Raises nbclient's CellExecutionError.
    """
    notebook = read(name)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert _NO_RUN in first.source
    first.source = _STRICT + first.source.replace(_NO_RUN, f"RUN = {str(run)!r}")
    client = NotebookClient(notebook, timeout=_TIMEOUT_S, resources={"metadata": {"path": str(NOTEBOOKS)}})
    return client.execute(env={**os.environ, "IPYTHONDIR": str(scratch), "MPLCONFIGDIR": str(scratch)})


def pictures(notebook: nbformat.NotebookNode) -> int:
    """Count the pictures that were drawn."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what was written to standard error."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output.text for output in outputs if output.get("name") == "stderr"]
