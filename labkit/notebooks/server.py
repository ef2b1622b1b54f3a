"""JupyterLab on the notebooks. It listens on 127.0.0.1, and keeps what it remembers below `.lab/`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from labkit.errors import MissingProgram
from labkit.project import REPOSITORY
from labkit.settings import base_environment

NOTEBOOKS = REPOSITORY / "notebooks"
FIRST = "1-reading-a-run.ipynb"
HOME = REPOSITORY / ".lab" / "jupyter"
PORT = 8888

# It would ask each learner whether to fetch news from the network.
_QUIET = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def serve(port: int = PORT, *, browser: bool = True, home: Path = HOME) -> int:
    """Run JupyterLab until it ends or Ctrl-C is pressed; return its exit status.

    When `port` is taken it uses the next one that is free. Raises MissingProgram.
    """
    if find_spec("jupyterlab") is None:
        raise MissingProgram(
            "JupyterLab is not installed in this Python environment.",
            "Leave the environment: labctl then uses its own. Or: pip install -c constraints.txt jupyterlab",
        )
    _be_quiet(home)
    environment = {**base_environment(), **_environment(home)}
    command = _command(port, browser=browser)
    with subprocess.Popen(command, cwd=NOTEBOOKS, env=environment) as process:  # noqa: S603 - ours
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()  # it ends its kernels before it ends
            return process.wait()


def _command(port: int, *, browser: bool) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.root_dir": NOTEBOOKS,
        "ServerApp.open_browser": browser,
        "ServerApp.answer_yes": True,  # Ctrl-C means it
        "ServerApp.allow_root": True,  # as in a container
        "Application.log_level": "WARN",
        "LabApp.extension_manager": "readonly",
        "LabApp.default_url": f"/lab/tree/{FIRST}",
    }
    return [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]


def _environment(home: Path) -> Mapping[str, str]:
    return {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
    }


def _be_quiet(home: Path) -> None:
    page = home / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps(_QUIET), encoding="utf-8")
