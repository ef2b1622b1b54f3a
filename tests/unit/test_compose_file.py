"""docker-compose.yml says the same as the service table, the settings and the private broker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from labkit.project import Project
from labkit.runtime.credentials import Credentials
from labkit.runtime.local.broker import Node
from labkit.runtime.local.prometheus import LIMITS
from labkit.stack import DOCKER_SERVICES, Port, Service, find_service, port_variable
from tests.docs.render import PER_INSTANCE, PROGRAMS
from tests.support.compose import ROOT, compose_file, defaults, memory_bytes

PROGRAM_NAMES = [service.name for service in DOCKER_SERVICES if service.command]
PUBLISHED = re.compile(r"127\.0\.0\.1:\$\{(?P<variable>\w+):-(?P<port>\d+)\}:(?P<inside>\d+)")
BROKER_FILES = ROOT / "services" / "rabbitmq"


def _services() -> dict[str, Any]:
    services: dict[str, Any] = compose_file()["services"]
    return services


def _program(service: Service) -> str:
    """Return the name that a service's settings have."""
    return service.command[-1].removeprefix("services.")


@pytest.fixture(params=[service.name for service in DOCKER_SERVICES])
def service(request: pytest.FixtureRequest) -> Service:
    """Give each service of the table in turn."""
    return find_service(DOCKER_SERVICES, request.param)


@pytest.fixture
def entry(service: Service) -> dict[str, Any]:
    """Give what the compose file says of it."""
    found: dict[str, Any] = _services()[service.name]
    return found


def test_the_services_are_those_of_the_table() -> None:
    """No service is missing on Docker, and none is unknown to labctl."""
    assert sorted(_services()) == sorted(service.name for service in DOCKER_SERVICES)


def test_each_program_has_its_command(service: Service, entry: dict[str, Any]) -> None:
    """One image, one command a program; servers of others bring their own."""
    command = entry.get("command", [])
    if service.readiness == "prometheus":
        assert set(LIMITS) < set(command)
    else:
        assert command == (["python", *service.command] if service.command else [])
    assert service.env.items() <= entry.get("environment", {}).items()


def test_ports_are_published_to_this_computer_alone(service: Service, entry: dict[str, Any]) -> None:
    """Every port can be moved by its variable, and has the table's number without it."""
    found = [PUBLISHED.fullmatch(port) for port in entry.get("ports", [])]
    assert all(found)
    published = {match["variable"]: int(match["port"]) for match in found if match}
    assert published == {port_variable(service, port): port.docker for port in service.ports if port.docker}


def test_a_port_variable_has_a_plain_name() -> None:
    """The main port is named for its service, the others for both."""
    broker = find_service(DOCKER_SERVICES, "rabbitmq")
    assert port_variable(broker, broker.ports[0]) == "LAB_RABBITMQ_PORT"
    assert port_variable(broker, broker.ports[1]) == "LAB_RABBITMQ_MANAGEMENT_PORT"
    store = Service("object-store", "", ports=(Port("s3", 9000),))
    assert port_variable(store, store.ports[0]) == "LAB_OBJECT_STORE_PORT"


def test_a_service_waits_for_what_it_needs(service: Service, entry: dict[str, Any]) -> None:
    """It starts when what it needs is healthy, and the table knows the same needs."""
    healthy = {"condition": "service_healthy"}
    assert entry.get("depends_on", {}) == dict.fromkeys(service.needs, healthy)


def test_pools_and_extras_start_with_their_profile_only(service: Service, entry: dict[str, Any]) -> None:
    """Without a profile the stack has the layout single, and nothing that has to be asked for."""
    pool = ["per-operation"] if service.layout == "per-operation" else []
    assert entry.get("profiles", []) == ([service.extra] if service.extra and not service.standard else pool)


def test_every_setting_reaches_its_program(service: Service, entry: dict[str, Any]) -> None:
    """What .env may say is passed on, and nothing that the program does not know."""
    if not service.command:
        return
    fields = set(PROGRAMS[_program(service)].model_fields) - {"instance"}
    names = {"LOG_LEVEL" if field == "log_level" else f"LAB_{field.upper()}" for field in fields}
    unused = set() if service.env else {"LAB_QUEUES"}  # a worker takes all; a list is for pools
    assert set(entry["environment"]) - {"TMPDIR"} == names - unused


def test_passwords_have_the_same_default_everywhere() -> None:
    """Compose and the programs agree on a variable's value when nobody sets it."""
    fields = {
        f"LAB_{name.upper()}": field.default
        for kind in PROGRAMS.values()
        for name, field in kind.model_fields.items()
        if name not in PER_INSTANCE
    }
    elsewhere = {"LAB_S3_PUBLIC_ENDPOINT"}  # a container sees the store at another address than its clients
    for name in fields.keys() & defaults().keys() - elsewhere:
        value = fields[name]
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        assert defaults()[name] == plain


def test_every_service_restarts_and_is_looked_after(entry: dict[str, Any]) -> None:
    """Health, limits, one network and bounded logs belong to each; a fixed name would forbid two stacks."""
    assert (entry["restart"], entry["init"]) == ("unless-stopped", True)
    assert entry["healthcheck"]["test"][0] == "CMD"
    assert entry["networks"] == ["lab"]
    assert memory_bytes(entry["mem_limit"]) > 0
    assert entry["cpus"] == 1
    assert entry["logging"]["options"]["max-size"]
    assert "container_name" not in entry


@pytest.mark.parametrize("name", PROGRAM_NAMES)
def test_the_kits_own_programs_have_no_rights(name: str) -> None:
    """A program that somebody takes over can write nothing and become nobody else."""
    entry = _services()[name]
    assert entry["image"] == "queue-lab/services:${LAB_IMAGE_TAG:-latest}"
    assert (entry["read_only"], entry["cap_drop"]) == (True, ["ALL"])
    assert entry["security_opt"] == ["no-new-privileges:true"]


def test_images_of_others_are_pinned() -> None:
    """A class next year gets the versions of this year."""
    images = [entry["image"] for name, entry in _services().items() if name not in PROGRAM_NAMES]
    assert all(re.fullmatch(r"[\w/]+:v?\d[\w.-]*", image) for image in images)


def test_the_broker_knows_its_memory() -> None:
    """It would count on the whole computer's memory, and be killed before it makes publishers wait."""
    told = _broker_settings((BROKER_FILES / "lab.conf").read_text())["total_memory_available_override_value"]
    assert memory_bytes(told) == memory_bytes(_services()["rabbitmq"]["mem_limit"])


def test_the_broker_is_tuned_like_the_private_node(tmp_path: Path) -> None:
    """A figure measured on one runtime means the same on the other."""
    node = Node(
        Project("x", root=tmp_path), find_service(DOCKER_SERVICES, "rabbitmq"), Credentials.generate()
    )
    node.prepare()
    own = ("listeners.", "management.tcp.", "prometheus.tcp.", "default_")
    local = _broker_settings((node.home / "rabbitmq.conf").read_text())
    docker = _broker_settings((BROKER_FILES / "lab.conf").read_text())
    assert {
        name: value for name, value in local.items() if not name.startswith(own)
    }.items() <= docker.items()
    [*_, advanced] = (BROKER_FILES / "advanced.config").read_text().splitlines()
    assert advanced == (node.home / "advanced.config").read_text().strip()


def _broker_settings(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}
