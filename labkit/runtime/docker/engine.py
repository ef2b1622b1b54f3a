"""The Docker engine, found as the docker command finds it: DOCKER_HOST, else the context in use."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from labkit.errors import DockerRefused
from labkit.runtime.docker import trouble

if TYPE_CHECKING:
    from docker.api import APIClient

_ANSWER_S = 60
_HANDS = 8
_CONTEXT = ("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Gone(DockerRefused):
    """The container has been removed meanwhile."""


class Engine:
    """A connection that is made on first use. Every method raises NoDocker and DockerRefused."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    @cached_property
    def api(self) -> "APIClient":
        """The SDK's client; use it inside `asking`."""
        import docker  # noqa: PLC0415 - slow, and needed by this runtime only

        if "DOCKER_HOST" in self._environ:
            return docker.from_env(environment=self._environ, timeout=_ANSWER_S).api
        host = self._context()
        return docker.DockerClient(base_url=host, timeout=_ANSWER_S, max_pool_size=2 * _HANDS).api

    def _context(self) -> str:
        path = self._environ.get("PATH")
        if not (program := shutil.which("docker", path=path)):
            raise trouble.no_docker()
        done = subprocess.run(  # noqa: S603 - the docker command
            [program, *_CONTEXT], env=self._environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise trouble.explain(done.stderr)
        return done.stdout.strip()

    @contextmanager
    def asking(self) -> Iterator["APIClient"]:
        """Give the client, and turn its errors into words. Raises Gone for a container that is not there."""
        from docker.errors import APIError, DockerException, NotFound  # noqa: PLC0415 - slow
        from requests.exceptions import RequestException  # noqa: PLC0415 - slow

        try:
            yield self.api
        except NotFound as error:
            raise Gone(str(error.explanation), "See what runs: labctl ps") from error
        except APIError as error:
            raise trouble.explain(str(error.explanation or error)) from error
        except (DockerException, RequestException) as error:
            raise trouble.explain(str(error)) from error

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Describe the containers with these labels, stopped ones too, as `inspect` does."""
        with self.asking() as api:
            found = api.containers(all=True, filters={"label": list(labels)})
        described = self.each(self._inspect, [str(entry["Id"]) for entry in found])
        return [entry for entry in described if entry is not None]

    def listed(self, labels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """List containers that run, in short."""
        with self.asking() as api:
            return list(api.containers(filters={"label": list(labels)}))

    def _inspect(self, container: str) -> dict[str, Any] | None:
        try:
            with self.asking() as api:
                return dict(api.inspect_container(container))
        except Gone:
            return None

    def each(self, ask: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Ask about several things at once."""
        if not items:
            return []
        _ = self.api  # made here: two threads would make two
        with ThreadPoolExecutor(min(len(items), _HANDS)) as pool:
            return list(pool.map(ask, items))

    def run_inside(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in a container; return its exit status and its words."""
        with self.asking() as api:
            started = api.exec_create(container, list(command))
            output = api.exec_start(started["Id"])
            status = api.exec_inspect(started["Id"])["ExitCode"]
        return 0 if status is None else int(status), output.decode(errors="replace").strip()

    def image_id(self, image: str) -> str:
        """Return the id of an image; "" when it is not there."""
        try:
            with self.asking() as api:
                return str(api.inspect_image(image)["Id"])  # type: ignore[no-untyped-call]  # the stubs have none
        except Gone:
            return ""
