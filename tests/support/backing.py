"""A real RabbitMQ and a real S3 server for the tests that need them."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.install.rabbitmq import find_server
from labkit.project import Project
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import base_environment
from labkit.stack import Options
from services.common.storage import S3Store
from tests.support.ports import free_offset

OUTSIDE = ("LAB_AMQP_URL", "LAB_S3_ENDPOINT")


class Unavailable(Exception):
    """There is no broker on this machine to test with."""


@dataclass(frozen=True, slots=True)
class Backing:
    """Where the servers are; `environment` has the LAB_ variables of a program that uses them."""

    environment: dict[str, str]

    @property
    def amqp_url(self) -> str:
        """The broker."""
        return self.environment["LAB_AMQP_URL"]

    def store(self, bucket: str = "") -> S3Store:
        """Return an object store with a bucket; a new one when it is not named."""
        store = S3Store(
            self.environment["LAB_S3_ENDPOINT"],
            self.environment["LAB_S3_ACCESS_KEY"],
            self.environment["LAB_S3_SECRET_KEY"],
            bucket or f"test-{uuid.uuid4().hex[:12]}",
        )
        store.ensure_bucket()
        return store


@contextlib.contextmanager
def serve(root: Path) -> Iterator[Backing]:
    """Give the servers that the environment names, else start both; raise `Unavailable` without a broker."""
    outside = {name: os.environ[name] for name in OUTSIDE if name in os.environ}
    if len(outside) == len(OUTSIDE):
        names = (*OUTSIDE, "LAB_S3_ACCESS_KEY", "LAB_S3_SECRET_KEY")
        yield Backing({name: os.environ[name] for name in names if name in os.environ})
        return
    if "LAB_AMQP_URL" not in outside and find_server() is None:
        raise Unavailable("RabbitMQ is not installed: `labctl doctor` says how to get it.")
    project = Project("backing", root=root, port_offset=free_offset())
    runtime = LocalRuntime(project, environ=base_environment())
    try:
        runtime.up(Options(only=("rabbitmq", "object-store"), settings=outside))
        yield Backing(runtime.environment())
    finally:
        runtime.down(delete_data=True)
