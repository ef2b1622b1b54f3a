"""What every runtime promises, told once and held by each body."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from labkit.errors import BadValue, CountError, LabError, NotReady, NotRunning, StackDown, UnknownName
from labkit.runtime.base import Event, Instance, Progress, Runtime, State
from labkit.stack import Options
from tests.contract.bodies import docker_runtime, fake_runtime, left_behind, local_runtime


@pytest.fixture(
    params=[
        pytest.param(fake_runtime, id="fake"),
        pytest.param(local_runtime, id="local"),
        pytest.param(docker_runtime, id="docker", marks=pytest.mark.docker),
    ]
)
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """Give a runtime that is not up, and see that it leaves nothing behind."""
    make: Callable[[Path], Runtime] = request.param
    if make is docker_runtime:
        request.getfixturevalue("standin_image")
    made = make(tmp_path)
    yield made
    made.down()
    assert left_behind(made, tmp_path) == []


@pytest.fixture
def stack(runtime: Runtime) -> Runtime:
    """Start a stack of one desk and two workers."""
    runtime.up(Options(counts={"worker": 2}))
    return runtime


def by_name(runtime: Runtime) -> dict[str, Instance]:
    """Index the instances by their names."""
    return {instance.name: instance for instance in runtime.instances()}


def test_a_new_stack_runs_every_instance(stack: Runtime) -> None:
    """After `up` every instance of the table runs, in the table's order, never restarted."""
    found = stack.instances()
    assert [instance.name for instance in found] == ["worker-1", "worker-2", "desk-1"]
    assert {instance.state for instance in found} == {State.RUNNING}
    assert {instance.restarts for instance in found} == {0}
    assert all(instance.id and instance.started_at and instance.started_at.tzinfo for instance in found)
    assert len({instance.id for instance in found}) == 3


def test_up_starts_what_is_needed_first(runtime: Runtime) -> None:
    """`up` tells its progress, and a service starts when what it needs is ready."""
    events: list[Event] = []
    runtime.up(notify=events.append)
    told = [(event.progress, event.instance) for event in events]
    assert told == [
        (Progress.STARTING, "desk-1"),
        (Progress.READY, "desk-1"),
        (Progress.STARTING, "worker-1"),
        (Progress.READY, "worker-1"),
    ]
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)


def test_up_twice_changes_nothing(stack: Runtime) -> None:
    """A second `up` keeps the processes, and the number of workers chosen before."""
    before = stack.instances()
    stack.up()
    assert stack.instances() == before


def test_up_replaces_what_has_changed(stack: Runtime) -> None:
    """`up` with another setting replaces the programs, so that it is in force everywhere."""
    before = by_name(stack)
    stack.up(Options(prefetch=4))
    after = by_name(stack)
    assert after.keys() == before.keys()
    assert all(after[name].id != before[name].id for name in after)
    assert [line.text for line in stack.logs("worker-2")][-1] == "started with prefetch 4"
    assert stack.environment()["LAB_PREFETCH"] == "4"


def test_up_replaces_before_it_adds(stack: Runtime) -> None:
    """Whom somebody may be waiting for is back before newcomers start."""
    events: list[Event] = []
    stack.up(Options(counts={"worker": 3}, prefetch=4), events.append)
    told = [(event.progress, event.instance) for event in events]
    assert told.index((Progress.READY, "worker-2")) < told.index((Progress.STARTING, "worker-3"))


def test_up_mends_the_stack(stack: Runtime) -> None:
    """`up` starts what was held down and resumes what was paused."""
    stack.kill("worker-1", respawn=False)
    stack.pause("desk-1")
    stack.up()
    assert {instance.state for instance in stack.instances()} == {State.RUNNING}


def test_only_starts_nothing_else(runtime: Runtime) -> None:
    """`only` starts just the named services; a later `up` adds the rest and keeps the first."""
    runtime.up(Options(only=("worker",)))
    (worker,) = runtime.instances()
    assert worker.service == "worker"
    runtime.up()
    assert by_name(runtime).keys() == {"worker-1", "desk-1"}
    assert by_name(runtime)["worker-1"] == worker


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (Options(counts={"desk": 2}), CountError),
        (Options(counts={"worker": -1}), CountError),
        (Options(counts={"nobody": 1}), UnknownName),
        (Options(only=("nobody",)), UnknownName),
        (Options(settings={"LAB_LAYOUT": "round"}), BadValue),
    ],
)
def test_up_refuses_what_cannot_be(runtime: Runtime, options: Options, error: type[LabError]) -> None:
    """`up` refuses impossible choices and starts nothing."""
    with pytest.raises(error):
        runtime.up(options)
    assert runtime.instances() == []


def test_scale_up_and_down(stack: Runtime) -> None:
    """Scaling adds and removes the highest numbers and leaves the others alone."""
    before = by_name(stack)
    stack.scale("worker", 3)
    assert by_name(stack).keys() == {"worker-1", "worker-2", "worker-3", "desk-1"}
    stack.scale("worker", 1)
    after = by_name(stack)
    assert after == {name: before[name] for name in ("worker-1", "desk-1")}
    stack.up()
    assert by_name(stack) == after


def test_scale_to_nothing(stack: Runtime) -> None:
    """A scalable service may have no instance at all."""
    stack.scale("worker", 0)
    assert by_name(stack).keys() == {"desk-1"}
    assert list(stack.logs("worker")) == []


def test_scale_refuses_what_cannot_be(stack: Runtime) -> None:
    """Only scalable services scale, within bounds."""
    for service, count, error in [
        ("desk", 2, CountError),
        ("worker", 1000, CountError),
        ("x", 1, UnknownName),
    ]:
        with pytest.raises(error):
            stack.scale(service, count)
    assert len(stack.instances()) == 3


def test_a_change_of_the_layout_changes_the_workers(stack: Runtime) -> None:
    """The layout's own workers are ready before the others end; whom it does not concern is left alone."""
    before = by_name(stack)
    events: list[Event] = []
    stack.up(Options(layout="per-operation"), events.append)
    assert by_name(stack) == {"pool-1": by_name(stack)["pool-1"], "desk-1": before["desk-1"]}
    told = [(event.progress, event.instance) for event in events]
    assert told.index((Progress.READY, "pool-1")) < told.index((Progress.STOPPING, "worker-1"))
    stack.scale("pool", 2)
    stack.up(Options(layout="single"))
    assert by_name(stack).keys() == before.keys()


def test_scale_refuses_what_the_layout_does_not_run(stack: Runtime) -> None:
    """A service of the other layout cannot be scaled; the answer says how to change the layout."""
    with pytest.raises(CountError) as refused:
        stack.scale("pool", 2)
    assert "labctl up --layout per-operation" in refused.value.next_step
    assert "worker" in refused.value.next_step


def test_a_killed_instance_comes_back(stack: Runtime) -> None:
    """A crash ends the process without a last word, and the supervisor starts a new one."""
    before = by_name(stack)
    assert stack.kill("worker-1") == before["worker-1"]
    stack.wait_ready("worker-1")
    after = by_name(stack)
    assert after["worker-1"].id != before["worker-1"].id
    assert after["worker-1"].restarts == 1
    assert after["worker-2"] == before["worker-2"]
    assert [line.text for line in stack.logs("worker-1")] == ["started with prefetch default"] * 2


def test_a_killed_instance_can_be_held_down(stack: Runtime) -> None:
    """With `respawn=False` a crashed instance stays down until it is started."""
    stack.kill("worker-1", respawn=False)
    held = by_name(stack)["worker-1"]
    assert (held.state, held.id, held.started_at) == (State.STOPPED, "", None)
    stack.wait_ready()
    stack.start("worker-1")
    assert (by_name(stack)["worker-1"].state, by_name(stack)["worker-1"].restarts) == (State.RUNNING, 1)


def test_a_stopped_instance_ends_politely_and_stays_down(stack: Runtime) -> None:
    """`stop` lets the program say its last word; nothing starts it again but `start`."""
    stack.stop("worker-2")
    assert [line.text for line in stack.logs("worker-2")][-1] == "stopped"
    assert by_name(stack)["worker-2"].state == State.STOPPED
    stack.stop("worker-2")
    stack.start("worker-2")
    before = by_name(stack)["worker-2"]
    stack.start("worker-2")
    assert by_name(stack)["worker-2"] == before


def test_restart_is_polite(stack: Runtime) -> None:
    """`restart` ends the program politely and waits until the new one is ready."""
    before = by_name(stack)["worker-1"]
    stack.restart("worker-1")
    after = by_name(stack)["worker-1"]
    assert after.id != before.id
    assert (after.state, after.restarts) == (State.RUNNING, 1)
    assert [line.text for line in stack.logs("worker-1")][-2:] == ["stopped", "started with prefetch default"]


def test_pause_and_resume(stack: Runtime) -> None:
    """A paused instance keeps its process and goes on when resumed."""
    before = by_name(stack)["worker-1"]
    stack.pause("worker-1")
    assert by_name(stack)["worker-1"].state == State.PAUSED
    with pytest.raises(NotReady):
        stack.wait_ready("worker-1", within_s=0.1)
    stack.resume("worker-1")
    assert by_name(stack)["worker-1"] == before


def test_a_paused_instance_can_be_ended(stack: Runtime) -> None:
    """A paused instance can be killed and restarted like any other."""
    stack.pause("worker-1")
    stack.kill("worker-1")
    stack.wait_ready("worker-1")
    stack.pause("worker-2")
    stack.restart("worker-2")
    assert {instance.state for instance in stack.instances()} == {State.RUNNING}


def test_what_does_not_run_cannot_be_harmed(stack: Runtime) -> None:
    """Kill, pause and resume need a running instance; killing one that is to stay down does not."""
    stack.stop("worker-1")
    for harm in (stack.kill, stack.pause, stack.resume):
        with pytest.raises(NotRunning):
            harm("worker-1")
    stack.kill("worker-1", respawn=False)


def test_unknown_instances_are_named(stack: Runtime) -> None:
    """Each command on an instance that does not exist says which ones do."""
    acts = (stack.kill, stack.stop, stack.start, stack.restart, stack.pause, stack.resume, stack.wait_ready)
    for act in acts:
        with pytest.raises(UnknownName, match="worker-9"):
            act("worker-9")
    with pytest.raises(UnknownName, match="nobody"):
        stack.logs("nobody")
    with pytest.raises(UnknownName, match="nobody"):
        stack.address("nobody")


def test_logs_of_a_service(stack: Runtime) -> None:
    """Logs come by service, by instance or all, in the order of the table."""
    stack.restart("worker-1")
    line = "started with prefetch default"
    assert list(stack.logs()) == [
        ("worker-1", line),
        ("worker-1", "stopped"),
        ("worker-1", line),
        ("worker-2", line),
        ("desk-1", line),
    ]
    assert list(stack.logs("worker", lines=1)) == [("worker-1", line), ("worker-2", line)]
    assert list(stack.logs("desk-1")) == [("desk-1", line)]
    assert list(stack.logs("worker", lines=0)) == []


def test_logs_can_be_followed(stack: Runtime) -> None:
    """Following yields what is written from now on, by instances that join later too, until `down`."""
    followed = stack.logs("worker", follow=True, lines=0)
    stack.restart("worker-1")
    assert list(islice(followed, 2)) == [
        ("worker-1", "stopped"),
        ("worker-1", "started with prefetch default"),
    ]
    stack.scale("worker", 3)
    assert next(followed) == ("worker-3", "started with prefetch default")
    stack.down()
    assert {line.instance for line in followed} <= {"worker-1", "worker-2", "worker-3"}


def test_stats_of_what_runs(stack: Runtime) -> None:
    """Every running instance has CPU and memory figures; a stopped one has none."""
    stack.stop("worker-1")
    found = stack.stats()
    assert [entry.instance for entry in found] == ["worker-2", "desk-1"]
    assert all(entry.rss_bytes > 1_000_000 and entry.cpu_percent >= 0 for entry in found)


def test_addresses_follow_the_offset(stack: Runtime) -> None:
    """A fixed port is shifted by the project's offset; a worker is reached at the port it took."""
    offset = stack.project.port_offset
    assert stack.address("desk") == stack.address("desk-1") == f"http://127.0.0.1:{8000 + offset}"
    assert stack.address("desk", "extra") == f"http://127.0.0.1:{8400 + offset}"
    assert stack.address("worker") == stack.address("worker-1") != stack.address("worker-2")
    with pytest.raises(UnknownName, match="extra"):
        stack.address("desk", "nowhere")


def test_down_ends_everything(stack: Runtime) -> None:
    """After `down` there is no instance, whatever state it was in, and a second `down` is no error."""
    events: list[Event] = []
    stack.pause("worker-1")
    stack.stop("worker-2")
    stack.down(notify=events.append)
    assert stack.instances() == []
    assert stack.stats() == []
    assert {event.instance for event in events if event.progress == Progress.STOPPED} >= {
        "worker-1",
        "desk-1",
    }
    stack.down()
    stack.down(delete_data=True)


def test_a_stack_that_is_down_says_so(runtime: Runtime) -> None:
    """Commands on a stack that is not up say how to start it."""
    calls: list[Callable[[], object]] = [
        lambda: runtime.kill("worker-1"),
        lambda: runtime.stop("worker-1"),
        lambda: runtime.scale("worker", 2),
        runtime.wait_ready,
        runtime.logs,
        runtime.environment,
    ]
    for call in calls:
        with pytest.raises(StackDown, match="labctl up"):
            call()


def test_a_new_life_starts_afresh(stack: Runtime) -> None:
    """After `down`, `up` starts with the defaults and counts restarts from zero."""
    stack.kill("worker-1")
    stack.wait_ready("worker-1")
    stack.down()
    stack.up()
    assert by_name(stack).keys() == {"worker-1", "desk-1"}
    assert by_name(stack)["worker-1"].restarts == 0
