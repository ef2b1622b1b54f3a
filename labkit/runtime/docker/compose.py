"""The Compose command line, for what only Compose knows: making containers from docker-compose.yml."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labkit.runtime.docker import trouble

_OLDEST = 2
_TICK_S = 0.15
# What somebody set for a Compose of their own must not lead ours to other files.
_FOREIGN = ("COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES")


def nothing() -> None:
    """Do nothing meanwhile."""


class Compose:
    """One Compose project of one file.

    environ: what the command and its plugins need (PATH, HOME, DOCKER_HOST …), without LAB_ variables.
    """

    def __init__(self, file: Path, project: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._project = project
        self._environ = {name: value for name, value in environ.items() if name not in _FOREIGN}

    def check(self) -> None:
        """Refuse to go on without Compose v2. Raises NoDocker."""
        done = subprocess.run(  # noqa: S603 - the docker command
            [self._program(), "compose", "version", "--short"],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        major = re.match(r"v?(\d+)\.", done.stdout.strip())
        if done.returncode or major is None or int(major[1]) < _OLDEST:
            raise trouble.no_compose()

    def config(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """Return the file with all variables filled in, profiles included."""
        text = self.run("--profile", "*", "config", "--format", "json", variables=variables)
        return dict(json.loads(text))

    def up(
        self,
        counts: Mapping[str, int],
        variables: Mapping[str, str],
        meanwhile: Callable[[], None],
        *words: str,
    ) -> None:
        """Make and start so many containers of each of the services; what fits is left alone.

        What they need is not started, and nobody waits for anything. words: further options of `up`.
        """
        scale = [word for name, count in counts.items() for word in ("--scale", f"{name}={count}")]
        fixed = ("up", "-d", "--no-deps", "--no-build", *words)
        self.run(*fixed, *scale, *counts, variables=variables, meanwhile=meanwhile)

    def down(self, *words: str, meanwhile: Callable[[], None]) -> None:
        """Stop and remove all containers and the network. words: further options of `down`."""
        self.run("--profile", "*", "down", "--remove-orphans", *words, meanwhile=meanwhile)

    def run(
        self,
        *words: str,
        variables: Mapping[str, str] | None = None,
        meanwhile: Callable[[], None] = nothing,
    ) -> str:
        """Run a command, calling `meanwhile` now and then; return what it printed.

        Raises NoDocker, PortTaken, ImageMissing, DockerRefused.
        """
        command = [self._program(), "compose", "--ansi", "never", "-p", self._project]
        command += ["-f", str(self._file), "--project-directory", str(self._file.parent), *words]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with subprocess.Popen(  # noqa: S603 - the docker command
                command,
                env={**self._environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            ) as process:
                _wait(process, meanwhile)
            if process.returncode:
                raise trouble.explain(_text(err) + "\n" + _text(out))
            return _text(out)

    def _program(self) -> str:
        program = shutil.which("docker", path=self._environ.get("PATH"))
        if program is None:
            raise trouble.no_docker()
        return program


def _wait(process: "subprocess.Popen[bytes]", meanwhile: Callable[[], None]) -> None:
    try:
        while process.poll() is None:
            meanwhile()
            time.sleep(_TICK_S)
    except BaseException:
        process.terminate()
        raise


def _text(file: Any) -> str:  # noqa: ANN401 - a temporary file has no type of its own
    file.seek(0)
    return str(file.read().decode(errors="replace"))
