"""What all tiers share: coroutine tests, and real servers for the tests that ask for `backing`."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator

import hypothesis
import pytest

from labkit.doctor.engine import check_docker
from tests.support.backing import Backing, Unavailable, serve
from tests.support.loops import run

# How fast examples are made and tried depends on the machine.
hypothesis.settings.register_profile(
    "kit", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("kit")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Give --docker."""
    parser.addoption("--docker", action="store_true", help="run the tests marked docker, and only those")


def pytest_configure(config: pytest.Config) -> None:
    """Name the kit's own markers."""
    config.addinivalue_line(
        "markers", "docker: needs a Docker engine with Compose v2; runs with --docker only"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose by --docker: the tests marked docker, or all others; those in a browser come last."""
    wanted: bool = config.getoption("--docker")
    sides: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        sides[item.get_closest_marker("docker") is not None].append(item)
    # Playwright keeps a loop running in this thread from its first test on, and then no other can begin.
    items[:] = sorted(sides[wanted], key=lambda item: "browser" in item.path.parts)
    if sides[not wanted]:
        config.hook.pytest_deselected(items=sides[not wanted])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked docker where no engine answers; where CI is set it fails."""
    if item.get_closest_marker("docker") is not None and (why := _no_docker()):
        if "CI" in os.environ:
            pytest.fail(why, pytrace=False)
        pytest.skip(why)


@functools.cache
def _no_docker() -> str:
    """Return why Docker cannot be used, "" if it can."""
    found = check_docker()
    return "" if found.ok else f"Docker: {found.detail}"


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
