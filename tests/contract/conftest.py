"""The bodies that each contract is held against."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from services.common.jobs import JobStore
from tests.support.backing import Backing
from tests.support.brokers import Seam
from tests.support.containers import standin
from tests.support.postgres import serve

TABLES = ("jobs", "webhook_attempts", "uploads", "users")
POSTGRESQL = "LAB_TEST_DATABASE_URL"

ByHand = Callable[..., None]
"""Executes SQL statements."""


@pytest.fixture(params=["memory", "rabbitmq"])
def seam(request: pytest.FixtureRequest) -> Seam:
    """Give each body of the broker seam in turn."""
    if request.param == "memory":
        return Seam()
    backing: Backing = request.getfixturevalue("backing")
    return Seam(backing.amqp_url)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give a PostgreSQL: that of LAB_TEST_DATABASE_URL, whose job table is dropped, else a container."""
    if POSTGRESQL in os.environ:
        yield os.environ[POSTGRESQL]
        return
    with serve() as url:
        yield url


# A server that is there anyway needs no Docker.
_MARKS = () if POSTGRESQL in os.environ else (pytest.mark.docker,)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=_MARKS)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give each kind of database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('jobs')}/lab.db"
    found: str = request.getfixturevalue("postgresql")
    return found


@pytest.fixture(scope="module")
def job_table(url: str) -> Iterator[JobStore]:
    """Give one job table to the tests of this file."""
    _drop(url)
    store = JobStore(url)
    store.create_schema()
    yield store
    store.close()
    _drop(url)


@pytest.fixture
def by_hand(url: str) -> Iterator[ByHand]:
    """Give a way to do to the database what the kit never does; its job table is made again afterwards."""
    yield lambda *statements: _execute(url, *statements)
    _drop(url)
    store = JobStore(url)
    store.create_schema()
    store.close()


def _drop(url: str) -> None:
    _execute(url, "drop view if exists images", *(f"drop table if exists {name}" for name in TABLES))


def _execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture
def jobs(job_table: JobStore) -> JobStore:
    """Give an empty job table."""
    job_table.clear()
    return job_table


@pytest.fixture(scope="session")
def standin_image() -> Iterator[str]:
    """Make the image of the smallest program, and remove it."""
    with standin() as image:
        yield image
