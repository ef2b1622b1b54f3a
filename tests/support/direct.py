"""Direct uploads as a client makes them, and what happens around them."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import urllib3

from services.common.jobs import JobRow
from services.common.storage import upload_key
from tests.support.api import Api, answer, picture

WANTED = {"filename": "photo.jpg", "content_type": "image/jpeg", "operations": "resize,100x100"}


def announce(api: Api, **more: object) -> str:
    """Announce a picture; return its job_id."""
    response = api.post("/upload/url", {**WANTED, **more})
    assert response.status == 201
    return str(answer(response)["job_id"])


def bring(api: Api, job_id: str, data: bytes | None = None, content_type: str = "image/jpeg") -> bytes:
    """Put a picture where the URL would have put it."""
    content = picture() if data is None else data
    api.store.put(upload_key(job_id), io.BytesIO(content), len(content), content_type)
    return content


def complete(api: Api, job_id: str) -> urllib3.BaseHTTPResponse:
    """Say that the file has come."""
    return api.post(f"/upload/{job_id}/complete", b"")


def row(api: Api, job_id: str) -> JobRow:
    """Return a job's row."""
    found = api.table.get(job_id)
    assert found is not None
    return found


def track(api: Api) -> None:
    """Do what the tracker does."""
    api.table.apply(api.events())


def refusal(response: urllib3.BaseHTTPResponse) -> tuple[int, str]:
    """Return the status and the code of an error that may have more beside it."""
    return response.status, str(answer(response)["error"]["code"])


def age(tmp_path: Path) -> None:
    """Let the time of all announced uploads be over."""
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        connection.execute("update uploads set expires_at = 1")
    connection.close()


def sweep(api: Api) -> None:
    """Deal with the uploads whose time is over."""
    api.run(api.parts.direct.sweep())
