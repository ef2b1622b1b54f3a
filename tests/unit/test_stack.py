"""The table of services, and the step from the table to what has to run."""

from collections.abc import Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import CountError, UnknownName
from labkit.project import Project
from labkit.stack import (
    DOCKER_SERVICES,
    KEEP,
    LAYOUTS,
    MAX_INSTANCES,
    SERVICES,
    WORKERS,
    Options,
    Service,
    check_count,
    find_service,
    instance_number,
    launches,
    waves,
)
from services.common.topology import IMAGE_POOLS, WORK_QUEUES, Layout, filled_in
from services.worker.settings import WorkerSettings

BACKING = {"LAB_AMQP_URL": "amqp://own", "LAB_S3_ENDPOINT": "http://own", "LAB_S3_ACCESS_KEY": "own"}
NAMES = [service.name for service in SERVICES]
EXTRA_NAMES = [service.name for service in SERVICES if service.extra]


def counts(options: Options) -> Mapping[str, int]:
    """Tell how often each service runs."""
    return {launch.service.name: launch.count for launch in launches(SERVICES, options, BACKING)}


def test_the_table_is_the_stack() -> None:
    """The stack has these six services, the pools of the layout per-operation, and what is asked for."""
    six = {"api", "notifier", "object-store", "rabbitmq", "tracker", "worker"}
    assert set(NAMES) == six | set(IMAGE_POOLS) | set(EXTRA_NAMES)
    assert {service.name for service in SERVICES if service.scalable} == {"api", *WORKERS}


def test_ports_do_not_collide() -> None:
    """No two ports are the same, replicas of the API included, and all fit the highest offset."""
    bases = [port.base for service in SERVICES for port in service.ports]
    replicas = [find_service(SERVICES, "api").ports[0].base + shift for shift in range(1, MAX_INSTANCES)]
    assert all(one != other for one, other in combinations([*bases, *replicas], 2))
    assert max(bases) + 39_536 <= 65_535
    Project(port_offset=39_536)


def test_needs_exist_and_come_first() -> None:
    """Every service needs only services of the table, and starts after them."""
    steps = list(waves(SERVICES, set(NAMES)))
    order = [name for step in steps for name in step]
    assert sorted(order) == sorted(NAMES)
    for service in SERVICES:
        assert all(order.index(need) < order.index(service.name) for need in service.needs)
    assert steps[0] == ["rabbitmq", "object-store"]


@given(st.sets(st.sampled_from(NAMES)))
def test_any_part_of_the_stack_has_an_order(names: set[str]) -> None:
    """What is not started is not waited for."""
    assert {name for step in waves(SERVICES, names) for name in step} == names


def test_by_default_everything_runs_once() -> None:
    """Without choices each service of the layout single runs once, its settings left to the program."""
    assert counts(KEEP) == dict.fromkeys(NAMES, 1) | dict.fromkeys([*IMAGE_POOLS, *EXTRA_NAMES], 0)
    assert all(launch.env == BACKING for launch in launches(SERVICES, KEEP, BACKING) if launch.count)


def test_each_layout_has_workers_of_its_own() -> None:
    """A layout runs its own workers; a number chosen for the others is kept for later."""
    options = Options(counts={"worker": 3, "convert": 2}, layout="per-operation")
    pools = dict.fromkeys(IMAGE_POOLS, 1) | {"convert": 2}
    assert {name: counts(options)[name] for name in WORKERS} == {"worker": 0, **pools}
    single = counts(Options(layout="single").over(options))
    assert {name: single[name] for name in WORKERS} == {"worker": 3, **dict.fromkeys(IMAGE_POOLS, 0)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_work_queue_has_a_consumer_in_each_layout(layout: Layout) -> None:
    """What a change of the layout leaves in a queue, or a retry queue hands back, is found by somebody."""
    env = {
        launch.service.name: launch.env
        for launch in launches(SERVICES, Options(layout=layout), BACKING)
        if launch.count and launch.service.name in WORKERS
    }
    consumed = [
        queue for own in env.values() for queue in WorkerSettings(queues=own.get("LAB_QUEUES", "")).consumed
    ]
    assert sorted(consumed) == sorted(WORK_QUEUES)
    assert set(filled_in(layout)) <= set(consumed)


def test_choices_reach_the_programs() -> None:
    """Layout, prefetch and concurrency reach those whom they concern, further settings reach everybody."""
    options = Options(layout="per-operation", prefetch=2, concurrency=3, settings={"LAB_MAX_PIXELS": "9"})
    found = {launch.service.name: launch.env for launch in launches(SERVICES, options, BACKING)}
    shared = {**BACKING, "LAB_MAX_PIXELS": "9"}
    work = {**shared, "LAB_PREFETCH": "2", "LAB_CONCURRENCY": "3"}
    assert found["worker"] == work
    assert found["convert"] == {**work, "LAB_QUEUES": "image.convert"}
    assert found["api"] == {**shared, "LAB_LAYOUT": "per-operation"}
    assert found["tracker"] == shared


def test_an_extra_runs_where_it_was_asked_for() -> None:
    """A part of the stack that has to be asked for runs from then on, until it is not wanted any more."""
    table = (Service("api", ""), Service("page", "", extra="dashboard"))

    def running(options: Options) -> list[str]:
        return [launch.service.name for launch in launches(table, options, {}) if launch.count]

    wanted = Options(extras={"dashboard": True})
    assert running(KEEP) == ["api"]
    assert running(KEEP.over(wanted)) == ["api", "page"]
    assert running(Options(extras={"observability": True}).over(wanted)) == ["api", "page"]
    assert running(Options(extras={"dashboard": False}).over(wanted)) == ["api"]


def test_the_dashboard_is_a_standard_part_on_docker() -> None:
    """Its packages are in the image anyway, so it runs there unless it was declined."""

    def runs(options: Options) -> int:
        found = {launch.service.name: launch.count for launch in launches(DOCKER_SERVICES, options, {})}
        return found["dashboard"]

    assert (runs(KEEP), runs(Options(extras={"dashboard": False}))) == (1, 0)


def test_counts_make_names() -> None:
    """A count of three makes three numbered instances, in order."""
    (launch,) = launches(SERVICES, Options(counts={"worker": 3}, only=("worker",)), BACKING)
    assert launch.names() == ["worker-1", "worker-2", "worker-3"]
    assert [instance_number(name) for name in launch.names()] == [1, 2, 3]


def test_outside_servers_replace_the_own() -> None:
    """A server that the user names is used, and the service that it replaces is not started."""
    options = Options(settings={"LAB_AMQP_URL": "amqp://theirs"})
    assert "rabbitmq" not in counts(options)
    assert "object-store" in counts(options)
    assert {launch.env["LAB_AMQP_URL"] for launch in launches(SERVICES, options, BACKING)} == {
        "amqp://theirs"
    }


def test_later_choices_go_over_earlier_ones() -> None:
    """What is not chosen again stays; `only` belongs to one command."""
    earlier = Options(
        counts={"worker": 3}, layout="single", prefetch=5, settings={"LAB_A": "1"}, only=("worker",)
    )
    later = Options(counts={"api": 2}, layout="per-operation", settings={"LAB_B": "2"}).over(earlier)
    assert later == Options(
        counts={"worker": 3, "api": 2},
        layout="per-operation",
        prefetch=5,
        settings={"LAB_A": "1", "LAB_B": "2"},
    )
    assert KEEP.over(earlier).counts == {"worker": 3}


def test_a_setting_that_has_changed_is_newer_than_an_option() -> None:
    """A variable wins over an option of an earlier command, but not when it stood there already then."""
    earlier = Options(layout="single", prefetch=5, settings={"LAB_PREFETCH": "2"})
    later = Options(settings={"LAB_LAYOUT": "per-operation", "LAB_PREFETCH": "2"}).over(earlier)
    assert later.environment() == {"LAB_LAYOUT": "per-operation", "LAB_PREFETCH": "5"}


def test_a_zero_is_a_choice() -> None:
    """Zero is a number like any other: it is not taken for "nothing chosen"."""
    assert Options(prefetch=0).over(Options(prefetch=5)).environment() == {"LAB_PREFETCH": "0"}


@pytest.mark.parametrize(
    ("name", "count", "error"),
    [
        ("worker", -1, CountError),
        ("worker", MAX_INSTANCES + 1, CountError),
        ("tracker", 2, CountError),
        ("tracker", 0, CountError),
        ("wroker", 1, UnknownName),
    ],
)
def test_impossible_counts(name: str, count: int, error: type[Exception]) -> None:
    """Bounds, services that run once, and names are checked."""
    with pytest.raises(error):
        check_count(SERVICES, name, count)


def test_an_unknown_name_lists_the_known() -> None:
    """The message on a wrong name lists the right ones."""
    with pytest.raises(UnknownName, match="'wroker'") as unknown:
        find_service(SERVICES, "wroker")
    assert "worker" in unknown.value.next_step
