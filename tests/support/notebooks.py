"""Notebooks, as files and executed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from labkit.notebooks.server import NOTEBOOKS

NAMES = [path.name for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]
"""The chapters, which read runs."""
WALKTHROUGH = "api_walkthrough.ipynb"
"""The one that needs a running stack."""

_STRICT = "import warnings\nwarnings.simplefilter('error')\n"
_NO_RUN = "RUN = None"
_API = 'API = "http://127.0.0.1:8000"'
_SENDER = 'SENDER = ROOT / ".lab" / "sns"'
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
    return _execute(notebook, {_NO_RUN: f"RUN = {str(run)!r}"}, scratch)


def walk(name: str, api: str, sender: Path, scratch: Path) -> nbformat.NotebookNode:
    """Return the notebook after all of its cells have asked the API at this address.

    `sender` is the folder with the key of the storage events' sender. Raises nbclient's CellExecutionError.
    """
    changes = {_API: f"API = {api!r}", _SENDER: f"from pathlib import Path\nSENDER = Path({str(sender)!r})"}
    return _execute(read(name), changes, scratch)


def _execute(
    notebook: nbformat.NotebookNode, changes: Mapping[str, str], scratch: Path
) -> nbformat.NotebookNode:
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    for before, after in changes.items():
        assert before in first.source
        first.source = first.source.replace(before, after)
    first.source = _STRICT + first.source
    client = NotebookClient(notebook, timeout=_TIMEOUT_S, resources={"metadata": {"path": str(NOTEBOOKS)}})
    return client.execute(env={**os.environ, "IPYTHONDIR": str(scratch), "MPLCONFIGDIR": str(scratch)})


def printed(notebook: nbformat.NotebookNode) -> str:
    """Return all that was printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def pictures(notebook: nbformat.NotebookNode) -> int:
    """Count the pictures that are shown."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return sum(bool({"image/png", "image/jpeg"} & set(output.get("data", {}))) for output in outputs)


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what was written to standard error."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output.text for output in outputs if output.get("name") == "stderr"]
