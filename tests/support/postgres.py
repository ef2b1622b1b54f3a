"""A real PostgreSQL, the image of docker-compose.yml, for the tests that need one."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from services.common.errors import DatabaseUnavailable
from services.common.jobs import JobStore
from tests.support.compose import compose_file
from tests.support.loops import run
from tests.support.waiting import eventually

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
        run(eventually(lambda: _answers(url), START_S))
        yield url
    finally:
        _docker("rm", "--force", "--volumes", server)


def _answers(url: str) -> bool:
    with contextlib.closing(JobStore(url)) as jobs, contextlib.suppress(DatabaseUnavailable):
        jobs.query("select 1")
        return True
    return False


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],  # noqa: S607  (wherever it is installed)
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
