"""JupyterLab, which `labctl notebook` starts."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from labkit.errors import MissingProgram
from labkit.notebooks import server
from labkit.project import REPOSITORY
from tests.support.waiting import eventually

FORBIDDEN = 403
LAB = """
from pathlib import Path
from labkit.notebooks.server import serve
raise SystemExit(serve({}, browser=False, home=Path({!r})))
"""


def test_without_jupyterlab_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In an environment that somebody else made, nothing is installed behind their back."""
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    with pytest.raises(MissingProgram, match="not installed"):
        server.serve(home=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("jupyterlab") is None, reason="JupyterLab is installed by labctl notebook")
def test_it_answers_on_this_machine_only_and_wants_its_token(tmp_path: Path) -> None:
    """The page is there on 127.0.0.1 for who has the token, and everything ends with the program."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = LAB.format(port, str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.PIPE) as process:
        try:
            asyncio.run(eventually(lambda: _status(port) == FORBIDDEN, 60))
        finally:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert f"http://127.0.0.1:{port}/lab/tree/{server.FIRST}?token=" in said.decode()
    assert (tmp_path / "runtime").is_dir()


def _status(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
