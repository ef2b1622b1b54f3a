"""A real PostgreSQL, the image of docker-compose.yml, for the tests that need one."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobStore
from tests.support.compose import compose_file

START_S = 60
PASSWORD = "lab-secret"  # noqa: S105  (of a server that lives as long as the tests)


@contextlib.contextmanager
def serve() -> Iterator[str]:
    """Give the URL of a new, empty database; its server ends with the block."""
    image = compose_file()["services"]["postgres"]["image"]
    settings = {"POSTGRES_USER": "lab", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "lab"}
    variables = [f"--env={name}={value}" for name, value in settings.items()]
    server = _docker("run", "--detach", "--rm", "--publish=127.0.0.1::5432", *variables, image)
    try:
        url = f"postgresql+psycopg://lab:{PASSWORD}@{_docker('port', server, '5432/tcp')}/lab"
        _wait_for(url)
        yield url
    finally:
        _docker("rm", "--force", "--volumes", server)


def _wait_for(url: str) -> None:
    jobs = JobStore(url)
    deadline = time.monotonic() + START_S
    while True:
        try:
            jobs.query("select 1")
        except DatabaseUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            jobs.close()
            return


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
