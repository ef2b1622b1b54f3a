"""What all tiers share: coroutine tests, and real servers for the tests that ask for `backing`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator

import pytest

from tests.support.backing import Backing, Unavailable, serve
from tests.support.loops import run


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True


@pytest.fixture(scope="session")
def backing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    """Give a real broker and a real object store: those of LAB_AMQP_URL and LAB_S3_ENDPOINT, else our own."""
    try:
        with serve(tmp_path_factory.mktemp("backing")) as servers:
            yield servers
    except Unavailable as error:
        if "CI" in os.environ:
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def services_env(backing: Backing) -> dict[str, str]:
    """Give the LAB_ variables of a program that uses the real servers."""
    return dict(backing.environment)
