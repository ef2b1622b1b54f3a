"""The API, walked through on a running stack: by the requests of docs/api.http, and by the notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import urllib3
from typer.testing import CliRunner

from labkit.cli.app import app
from labkit.cli.context import Lab
from tests.acceptance.stack import Stack, eventually
from tests.support.http_file import HttpFile
from tests.support.notebooks import WALKTHROUGH, complaints, pictures, printed, walk

FILE = Path("docs/api.http")


def test_every_request_of_the_file_is_answered_as_it_says(stack: Stack) -> None:
    """Sent from top to bottom, each has the status that stands above it."""
    file = HttpFile(FILE, {"host": stack.runtime.address("api")})
    wrong = []
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        for request in file.requests():
            answer = file.send(request, pool)
            if answer.status != request.expect:
                wrong.append(f"{request.title}: {answer.status}, not {request.expect}: {answer.data[:300]!r}")
    assert wrong == []


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_the_notebook_walks_through(stack: Stack, tmp_path: Path, *, trusted: bool) -> None:
    """All cells run without a warning; an event is taken when its sender is trusted, else refused."""
    folder = _senders(stack) if trusted else tmp_path / "sns"
    done = walk(WALKTHROUGH, stack.runtime.address("api"), folder, tmp_path)
    assert complaints(done) == []
    assert pictures(done) == 2
    said = printed(done)
    assert "completed" in said
    assert "409 upload_missing" in said
    assert "415 not_an_image" in said
    assert ("200 ['queued']" if trusted else "403 sns_refused") in said


def test_the_sender_of_the_command_line_is_heard(stack: Stack) -> None:
    """An announced upload that was brought is done after the event, however often that comes."""
    address = stack.runtime.address("api")
    wanted = {"filename": "photo.jpg", "content_type": "image/jpeg"}
    photo = (FILE.parent / "photo.jpg").read_bytes()
    lab = Lab(open_runtime=lambda _: stack.runtime)
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        permit = pool.request("POST", f"{address}/upload/url", json=wanted).json()
        assert pool.request("PUT", permit["url"], body=photo, headers=permit["headers"]).status == 200
        arguments = ["sns", "send", permit["job_id"], "--times", "3", "--json"]
        heard = CliRunner().invoke(app, arguments, obj=lab)
        assert heard.exit_code == 0, heard.output
        records = [answer["records"] for answer in json.loads(heard.stdout)["answers"]]
        assert [record["job_id"] for [record] in records] == [permit["job_id"]] * 3
        refused = CliRunner().invoke(app, ["sns", "send", permit["job_id"], "--tamper"], obj=lab)
        assert refused.exit_code == 1
        assert "signature" in refused.stderr
        eventually(lambda: stack.status(permit["job_id"])["status"] == "completed", 30)
    assert stack.status(permit["job_id"])["attempts"] == 1


def _senders(stack: Stack) -> Path:
    return stack.runtime.project.root / ".lab" / "sns"
