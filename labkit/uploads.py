"""Sending pictures, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.client import Answer, ApiClient

POLL_S = 0.2
ENDED = ("completed", "failed")
ACCEPTED = 202
_FOUND = 200


@dataclass(frozen=True)
class Upload:
    """A file on its way: the job as the API shows it, or the error that refused it."""

    path: Path
    job: Mapping[str, Any]
    error: str = ""

    @property
    def status(self) -> str:
        """The job's status, or "refused"."""
        return "refused" if self.error else str(self.job.get("status", ""))

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return bool(self.error) or self.status in ENDED


async def send(
    client: ApiClient, paths: Sequence[Path], operations: str, callback_url: str = ""
) -> list[Upload]:
    """Upload the files one after the other. Raises ApiUnreachable."""
    return [
        _upload(path, await client.upload(_read(path), path.name, operations, callback_url=callback_url))
        for path in paths
    ]


async def follow(
    client: ApiClient, uploads: Sequence[Upload], show: Callable[[Sequence[Upload]], None] = lambda _: None
) -> list[Upload]:
    """Ask until every job has ended, telling `show` after each round. Raises ApiUnreachable."""
    current = list(uploads)
    show(current)
    while not all(upload.ended for upload in current):
        await asyncio.sleep(POLL_S)
        current = [upload if upload.ended else await _refreshed(client, upload) for upload in current]
        show(current)
    return current


async def _refreshed(client: ApiClient, upload: Upload) -> Upload:
    answer = await client.get(f"/jobs/{upload.job['job_id']}")
    return Upload(upload.path, answer.body) if answer.status == _FOUND else upload


def _upload(path: Path, answer: Answer) -> Upload:
    if answer.status == ACCEPTED:
        return Upload(path, answer.body)
    return Upload(path, answer.body, answer.error or f"The API answered {answer.status}.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabError(
            f"{path} cannot be read: {error.strerror}.", "Check the name and its rights."
        ) from None
