"""The local stack's own broker and object store: a real RabbitMQ node and a real S3 server."""

import base64
import http.client
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import psutil
import pytest
from minio import Minio

from labkit.errors import NotReady
from labkit.install.rabbitmq import find_server
from labkit.project import Project
from labkit.runtime.base import Instance, State
from labkit.runtime.local.processes import Group, listening_ports, owned, wait_gone
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import base_environment
from labkit.stack import SERVICES, Options, Service
from tests.support.ports import free_offset

PROGRAM = Service(
    "worker",
    "stands in for the programs",
    command=("-m", "tests.contract.standin"),
    needs=("rabbitmq", "object-store"),
    scalable=True,
)
BACKING = (service for service in SERVICES if service.readiness != "health" and service.extra is None)
TABLE = (*BACKING, PROGRAM)
BASES = [port.base for service in TABLE for port in service.ports]

pytestmark = [
    pytest.mark.skipif(find_server() is None, reason="needs the machine's RabbitMQ"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Give one project to all tests of this file: a broker's first start takes seconds."""
    offset = free_offset()
    made = Project("backing", tmp_path_factory.mktemp("root"), offset)
    yield made
    make(made).down(delete_data=True)
    assert owned(made.state_dir) == []
    assert not made.state_dir.exists()


def make(project: Project) -> LocalRuntime:
    """Make the runtime under test."""
    return LocalRuntime(project, TABLE, environ=base_environment())


@pytest.fixture
def stack(project: Project) -> LocalRuntime:
    """Bring the stack up, or make it whole after an earlier test."""
    runtime = make(project)
    runtime.up()
    return runtime


def broker_of(stack: LocalRuntime) -> Instance:
    """Look the broker up."""
    return next(entry for entry in stack.instances() if entry.service == "rabbitmq")


def management(stack: LocalRuntime, method: str, path: str, body: object = None) -> object:
    """Call the broker's management API with the stack's own login."""
    address = urlsplit(stack.address("rabbitmq", "management"))
    login = urlsplit(stack.environment()["LAB_AMQP_URL"])
    token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    try:
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        return json.loads(answer.read() or b"null")
    finally:
        connection.close()


def store_of(stack: LocalRuntime) -> Minio:
    """Connect to the object store with the stack's own keys."""
    env = stack.environment()
    host = urlsplit(env["LAB_S3_ENDPOINT"]).netloc
    return Minio(host, access_key=env["LAB_S3_ACCESS_KEY"], secret_key=env["LAB_S3_SECRET_KEY"], secure=False)


def test_broker_and_store_work(stack: LocalRuntime) -> None:
    """After `up` the broker accepts clients at once and the store keeps objects."""
    management(
        stack, "PUT", "/api/queues/%2F/first", {"durable": True, "arguments": {"x-queue-type": "quorum"}}
    )
    store = store_of(stack)
    if not store.bucket_exists("lab"):
        store.make_bucket("lab")
    assert [bucket.name for bucket in store.list_buckets()] == ["lab"]


def test_everything_listens_on_this_machine_only(stack: LocalRuntime, project: Project) -> None:
    """No port of the stack can be reached from another machine: clients, distribution and epmd included."""
    listening = {
        (entry.laddr[0], entry.laddr[1])
        for process in (found.process for found in owned(project.state_dir))
        for entry in process.net_connections(kind="tcp")
        if entry.laddr and entry.status == psutil.CONN_LISTEN
    }
    assert {host for host, _ in listening} <= {"127.0.0.1", "::1"}
    assert {port for _, port in listening} >= {project.port(base) for base in BASES}


def test_passwords_are_in_no_log_and_no_argument(stack: LocalRuntime, project: Project) -> None:
    """Passwords of broker and store appear neither in logs nor in command lines."""
    env = stack.environment()
    passwords = [urlsplit(env["LAB_AMQP_URL"]).password or "", env["LAB_S3_SECRET_KEY"]]
    seen = "".join(path.read_text() for path in project.log_dir.iterdir())
    seen += " ".join(" ".join(found.process.cmdline()) for found in owned(project.state_dir))
    assert all(len(password) > 20 and password not in seen for password in passwords)


def test_a_killed_broker_comes_back_with_its_queues(stack: LocalRuntime, project: Project) -> None:
    """SIGKILL takes the broker's whole process tree; the next node has the durable queues."""
    management(
        stack, "PUT", "/api/queues/%2F/kept", {"durable": True, "arguments": {"x-queue-type": "quorum"}}
    )
    before = broker_of(stack)
    tree = Group(owned(project.state_dir), "rabbitmq-1").processes
    assert "beam.smp" in {process.name() for process in tree}
    stack.kill("rabbitmq-1")
    assert wait_gone(tree, 0)
    stack.wait_ready("rabbitmq-1")
    after = broker_of(stack)
    assert (after.state, after.restarts) == (State.RUNNING, before.restarts + 1)
    assert after.id != before.id
    management(stack, "GET", "/api/queues/%2F/kept")


def test_what_a_killed_store_was_writing_can_be_written_again(stack: LocalRuntime, project: Project) -> None:
    """A file that it left unfinished does not make that key unwritable for ever."""
    bucket = "torn"
    if not store_of(stack).bucket_exists(bucket):
        store_of(stack).make_bucket(bucket)
    store_of(stack).put_object(bucket, "a/key", io.BytesIO(b"before"), 6)
    [unfinished] = (
        path.with_suffix(".json.tmp") for path in project.data_dir.glob(f"*/{bucket}/.nanio-meta/a/key.json")
    )
    unfinished.touch()
    stack.kill("object-store-1")
    stack.wait_ready("object-store-1")
    store_of(stack).put_object(bucket, "a/key", io.BytesIO(b"after"), 5)
    assert store_of(stack).stat_object(bucket, "a/key").size == 5


def test_an_orphaned_node_is_cleared_away(stack: LocalRuntime, project: Project) -> None:
    """When only the server's shell is killed, its node lives on; the supervisor ends it and starts anew."""
    tree = Group(owned(project.state_dir), "rabbitmq-1")
    assert tree.root
    tree.root.kill()
    assert wait_gone(tree.processes, 10)
    stack.wait_ready("rabbitmq-1")


def test_a_broker_can_be_held_down(stack: LocalRuntime, project: Project) -> None:
    """A broker killed for a while stays down, its ports too, until it is started."""
    stack.kill("rabbitmq-1", respawn=False)
    assert broker_of(stack).state == State.STOPPED
    assert all(project.port(5772) not in listening_ports(found.process) for found in owned(project.state_dir))
    stack.start("rabbitmq-1")
    assert broker_of(stack).state == State.RUNNING


def test_a_paused_broker_goes_on(stack: LocalRuntime, project: Project) -> None:
    """Pausing freezes the node, not only the shell that started it."""
    stack.pause("rabbitmq-1")
    assert broker_of(stack).state == State.PAUSED
    with pytest.raises(NotReady, match="rabbitmq-1 is not ready: it is paused"):
        stack.wait_ready("rabbitmq-1", within_s=0)
    assert {process.status() for process in Group(owned(project.state_dir), "rabbitmq-1").processes} == {
        psutil.STATUS_STOPPED
    }
    stack.resume("rabbitmq-1")
    stack.wait_ready("rabbitmq-1")


def test_stats_cover_the_node(stack: LocalRuntime) -> None:
    """The broker's memory is the node's, not that of the shell that started it."""
    use = {entry.instance: entry for entry in stack.stats()}
    assert use["rabbitmq-1"].rss_bytes > 50_000_000


def test_data_outlives_down(stack: LocalRuntime, project: Project) -> None:
    """`down` ends all processes, epmd too, and the next `up` finds queues and objects again."""
    management(
        stack, "PUT", "/api/queues/%2F/lasting", {"durable": True, "arguments": {"x-queue-type": "quorum"}}
    )
    store = store_of(stack)
    if not store.bucket_exists("lasting"):
        store.make_bucket("lasting")
    stack.down()
    assert owned(project.state_dir) == []
    assert not any(
        listening_ports(process) & {project.port(base) for base in BASES} for process in psutil.process_iter()
    )
    stack.up()
    management(stack, "GET", "/api/queues/%2F/lasting")
    assert store_of(stack).bucket_exists("lasting")


def test_outside_servers_are_used_and_not_started(stack: LocalRuntime, project: Project) -> None:
    """With LAB_AMQP_URL and LAB_S3_ENDPOINT set, programs get those and no own server runs."""
    outside = {
        "LAB_AMQP_URL": "amqp://me:secret@broker.example:5672/",
        "LAB_S3_ENDPOINT": "http://s3.example",
    }
    second = LocalRuntime(
        replace(project, name="second", port_offset=free_offset()),
        TABLE,
        environ=base_environment(),
    )
    try:
        second.up(Options(settings=outside))
        assert [entry.service for entry in second.instances()] == ["worker"]
        assert {name: second.environment()[name] for name in outside} == outside
        assert second.address("rabbitmq") == "amqp://broker.example:5672/"
    finally:
        second.down(delete_data=True)
