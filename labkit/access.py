"""The ways into a running stack for a program on this machine: broker, job table, object store, API.

The libraries behind them take half a second to import, which most commands of labctl need not wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.passes import NOBODY, Pass
from services.common.broker import Broker
from services.common.topology import declarations

if TYPE_CHECKING:
    from labkit.client import ApiClient
    from labkit.runtime.base import Runtime
    from services.common.jobs import JobStore
    from services.common.storage import ObjectStore


@dataclass(frozen=True)
class Access:
    """Each opens a new connection; a broker is used in an `async with`, a job table is closed.

    entry: lets labctl into the API.
    """

    broker: Callable[[], Broker]
    jobs: Callable[[], JobStore]
    store: Callable[[], ObjectStore]
    entry: Pass = NOBODY


def access(environment: Mapping[str, str]) -> Access:
    """Return the ways in for the LAB_ variables of a stack, as `Runtime.environment` gives them."""
    return Access(
        broker=lambda: _broker(environment["LAB_AMQP_URL"]),
        jobs=lambda: _jobs(environment["LAB_DATABASE_URL"]),
        store=lambda: _store(environment),
        entry=Pass.of(environment),
    )


def api(runtime: Runtime) -> ApiClient:
    """Return the client of the API of a stack that is up, to be used in an `async with`."""
    return client_of(runtime.address("api"), Pass.of(runtime.environment()))


def client_of(url: str, entry: Pass) -> ApiClient:
    """Return the client of the API at `url`; `entry` lets it in."""
    from labkit.client import ApiClient  # noqa: PLC0415 - slow

    return ApiClient(url, entry)


def _broker(url: str) -> Broker:
    from services.common.amqp import AmqpBroker  # noqa: PLC0415 - slow

    return AmqpBroker(url, name="labctl", topology=declarations())


def _jobs(url: str) -> JobStore:
    from services.common.jobs import JobStore  # noqa: PLC0415 - slow

    return JobStore(url)


def _store(environment: Mapping[str, str]) -> ObjectStore:
    from services.common.storage import S3Store  # noqa: PLC0415 - slow

    return S3Store(
        environment["LAB_S3_ENDPOINT"],
        environment["LAB_S3_ACCESS_KEY"],
        environment["LAB_S3_SECRET_KEY"],
        environment.get("LAB_S3_BUCKET", "lab"),
    )
