"""What integration tests share: the real topology, emptied before each test that asks for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.common.amqp import AmqpBroker
from services.common.jobs import JobStore
from services.common.topology import declarations
from tests.support.backing import Backing
from tests.support.brokers import READY_S


@pytest.fixture
def empty_queues(backing: Backing) -> Backing:
    """Give the servers with all queues of the pipeline there, and empty."""

    async def purge() -> None:
        async with AmqpBroker(backing.amqp_url, name="test set-up", topology=declarations()) as broker:
            await broker.ready(READY_S)
            for queue in declarations().queues:
                await broker.purge(queue.name)

    asyncio.run(purge())
    return backing


@pytest.fixture
def environment(empty_queues: Backing, tmp_path: Path) -> dict[str, str]:
    """Give the variables of a program: the real servers, the bucket, and a job table of its own."""
    url = f"sqlite:///{tmp_path}/lab.db"
    empty_queues.store("lab")
    table = JobStore(url)
    table.create_schema()
    table.close()
    return {**empty_queues.environment, "LAB_DATABASE_URL": url}
