"""The ways into a running stack for a program on this machine: broker, job table, object store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.common.amqp import AmqpBroker
from services.common.broker import Broker
from services.common.jobs import JobStore
from services.common.storage import ObjectStore, S3Store
from services.common.topology import declarations


@dataclass(frozen=True)
class Access:
    """Each opens a new connection; a broker is used in an `async with`, a job table is closed."""

    broker: Callable[[], Broker]
    jobs: Callable[[], JobStore]
    store: Callable[[], ObjectStore]


def access(environment: Mapping[str, str]) -> Access:
    """Return the ways in for the LAB_ variables of a stack, as `Runtime.environment` gives them."""
    return Access(
        broker=lambda: AmqpBroker(environment["LAB_AMQP_URL"], name="labctl", topology=declarations()),
        jobs=lambda: JobStore(environment["LAB_DATABASE_URL"]),
        store=lambda: S3Store(
            environment["LAB_S3_ENDPOINT"],
            environment["LAB_S3_ACCESS_KEY"],
            environment["LAB_S3_SECRET_KEY"],
            environment.get("LAB_S3_BUCKET", "lab"),
        ),
    )
