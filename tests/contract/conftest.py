"""The bodies that each contract is held against."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from services.common.jobs import JobStore
from tests.support.backing import Backing
from tests.support.brokers import Seam

POSTGRESQL = "LAB_TEST_DATABASE_URL"


@pytest.fixture(params=["memory", "rabbitmq"])
def seam(request: pytest.FixtureRequest) -> Seam:
    """Give each body of the broker seam in turn."""
    if request.param == "memory":
        return Seam()
    backing: Backing = request.getfixturevalue("backing")
    return Seam(backing.amqp_url)


@pytest.fixture(scope="module", params=["sqlite", *(["postgresql"] if POSTGRESQL in os.environ else [])])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the database of each kind that is there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('jobs')}/lab.db"
    return os.environ[POSTGRESQL]


@pytest.fixture(scope="module")
def job_table(url: str) -> Iterator[JobStore]:
    """Give one job table to the tests of this file."""
    _drop(url)
    store = JobStore(url)
    store.create_schema()
    yield store
    store.close()
    _drop(url)


def _drop(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop view if exists images"))
        connection.execute(sa.text("drop table if exists jobs"))
        connection.execute(sa.text("drop table if exists uploads"))
    engine.dispose()


@pytest.fixture
def jobs(job_table: JobStore) -> JobStore:
    """Give an empty job table."""
    job_table.clear()
    return job_table
