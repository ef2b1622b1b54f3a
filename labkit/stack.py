"""The one table of services, and the pure step from that table to what has to run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Literal, get_args

from labkit.errors import BadValue, CountError, UnknownName
from services.common.topology import IMAGE_POOLS, Layout, consumed_by

# A typing error such as `scale 300` must not drown a laptop.
MAX_INSTANCES = 50

Readiness = Literal["health", "broker", "store", "database", "prometheus", "grafana"]
Extra = Literal["dashboard", "observability"]

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
DEFAULT_LAYOUT: Layout = "single"

EXTRAS: tuple[Extra, ...] = get_args(Extra)
"""Parts of the stack that run only where they were asked for."""

CHOICES = ("LAB_LAYOUT", "LAB_PREFETCH", "LAB_CONCURRENCY")
"""The variables for which `Options` has a field."""

GUARDED = {"LAB_JWT_SECRET": "api", "LAB_ADMIN_PASSWORD": "api"}
"""Secrets of one service alone: whoever takes over a worker is not an admin with that."""

WORKER = "worker"
WORKERS = (WORKER, *IMAGE_POOLS)
"""Services that do jobs: `worker` in the layout single, the pools in the layout per-operation."""


@dataclass(frozen=True)
class Port:
    """A listening port by its base number (before the project's offset); scheme "" is not for people.

    docker: the base number on Docker, 0 when it is not published there.
    """

    name: str
    base: int
    scheme: str = "http"
    docker: int = 0


@dataclass(frozen=True)
class Service:
    """One service of the stack.

    command: arguments after the Python interpreter; empty means that each runtime brings its own program.
    ports: the first is the main one, and replicas count up from it; a program without any takes a free port.
    readiness: health = GET /health answers 200; broker = clients are accepted; store = S3 answers;
    database = PostgreSQL answers; prometheus, grafana = it says of itself that it is ready.
    needs: services that are started, and ready, before this one.
    outside: the setting that names a server run by somebody else; when set, the service is not started.
    layout: the only layout in which it runs; empty means both.
    extra: the part of the stack that has to be asked for; None means that it always runs.
    standard: an extra that runs unless it was declined.
    module: what it imports beyond the kit's own packages: pyproject.toml has it in the group of its extra.
    reads: those of CHOICES that concern it; a change of the others leaves it alone.
    env: variables of its own.
    """

    name: str
    summary: str
    command: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    readiness: Readiness = "health"
    needs: tuple[str, ...] = ()
    scalable: bool = False
    outside: str = ""
    layout: Layout | None = None
    extra: Extra | None = None
    standard: bool = False
    module: str = ""
    reads: tuple[str, ...] = CHOICES
    env: Mapping[str, str] = field(default_factory=dict)


def _worker(name: str, summary: str, layout: Layout, env: Mapping[str, str]) -> Service:
    return Service(
        name,
        summary,
        command=("-m", "services.worker"),
        needs=("rabbitmq", "object-store"),
        scalable=True,
        layout=layout,
        reads=("LAB_PREFETCH", "LAB_CONCURRENCY"),
        env=env,
    )


def _pool(name: str) -> Service:
    summary = (
        "processes jobs of no other pool" if name == "other" else f"processes jobs that begin with {name}"
    )
    return _worker(name, summary, "per-operation", {"LAB_QUEUES": ",".join(consumed_by(name))})


SERVICES = (
    Service(
        "rabbitmq",
        "message broker",
        ports=(
            Port("amqp", 5772, "amqp", docker=5672),
            Port("management", 15772, docker=15672),
            Port("prometheus", 15792, docker=15692),
            Port("distribution", 25772, ""),
            Port("epmd", 4469, ""),
        ),
        readiness="broker",
        outside="LAB_AMQP_URL",
    ),
    Service(
        "object-store",
        "originals and results, S3 protocol",
        ports=(Port("s3", 9000, docker=9000),),
        readiness="store",
        outside="LAB_S3_ENDPOINT",
    ),
    Service(
        "tracker",
        "turns events into the job table",
        command=("-m", "services.tracker"),
        ports=(Port("http", 8090),),
        needs=("rabbitmq", "object-store"),
        reads=(),
    ),
    Service(
        "notifier",
        "tells people that a job ended",
        command=("-m", "services.notifier"),
        ports=(Port("http", 8091),),
        needs=("rabbitmq", "object-store"),
        reads=(),
    ),
    _worker(WORKER, "processes jobs", "single", {}),
    *map(_pool, IMAGE_POOLS),
    Service(
        "api",
        "accepts uploads and answers questions about jobs",
        command=("-m", "services.api"),
        ports=(Port("http", 8000, docker=8000),),
        needs=("rabbitmq", "object-store"),
        scalable=True,
        reads=("LAB_LAYOUT",),
    ),
    Service(
        "dashboard",
        "shows the pipeline in a browser",
        command=("-m", "services.dashboard"),
        ports=(Port("http", 8080, docker=8080),),
        needs=("api",),
        extra="dashboard",
        module="nicegui",
        reads=(),
    ),
    Service(
        "prometheus",
        "collects metrics, evaluates alerts",
        ports=(Port("http", 9190, docker=9090),),
        readiness="prometheus",
        needs=("tracker",),
        extra="observability",
        reads=(),
    ),
)

POSTGRES = Service(
    "postgres",
    "the job table",
    ports=(Port("sql", 15432, "postgresql", docker=15432),),
    readiness="database",
)


def _on_docker(service: Service) -> Service:
    if service.name == "dashboard":
        return replace(service, standard=True)  # its packages are in the image anyway
    reads_jobs = service.name in ("api", "tracker")
    return replace(service, needs=(*service.needs, POSTGRES.name)) if reads_jobs else service


GRAFANA = Service(
    "grafana",
    "draws what Prometheus has collected",
    ports=(Port("http", 3000, docker=3000),),
    readiness="grafana",
    needs=("prometheus",),
    extra="observability",
)

DOCKER_SERVICES = (POSTGRES, *map(_on_docker, SERVICES), GRAFANA)
"""The same on Docker, where the job table has a server of its own, and Grafana is a matter of an image;
docker-compose.yml is held to this."""


def port_variable(service: Service, port: Port) -> str:
    """Name the variable that moves a published port on Docker: LAB_API_PORT, LAB_RABBITMQ_MANAGEMENT_PORT."""
    main = port == service.ports[0]
    name = service.name if main else f"{service.name}_{port.name}"
    return f"LAB_{name.replace('-', '_').upper()}_PORT"


@dataclass(frozen=True)
class Options:
    """What `up` may choose. None, or a name that is missing, keeps what was chosen before, else the default.

    counts: instances of scalable services. settings: further LAB_ variables for every program.
    extras: whether each of EXTRAS runs; one that is missing was never asked for.
    only: start just these services and leave the others as they are; empty means all.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    layout: str | None = None
    prefetch: int | None = None
    concurrency: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, bool] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def over(self, earlier: "Options") -> "Options":
        """Lay these choices over earlier ones; `only` belongs to one command and is not inherited.

        A variable of `settings` that has changed is a newer choice than an earlier `layout` and the like.
        """
        settings = {**earlier.settings, **self.settings}
        changed = {name for name, value in settings.items() if value != earlier.settings.get(name)}
        before = replace(
            earlier,
            layout=None if "LAB_LAYOUT" in changed else earlier.layout,
            prefetch=None if "LAB_PREFETCH" in changed else earlier.prefetch,
            concurrency=None if "LAB_CONCURRENCY" in changed else earlier.concurrency,
        )
        return replace(
            self,
            counts={**earlier.counts, **self.counts},
            layout=before.layout if self.layout is None else self.layout,
            prefetch=before.prefetch if self.prefetch is None else self.prefetch,
            concurrency=before.concurrency if self.concurrency is None else self.concurrency,
            settings=settings,
            extras={**earlier.extras, **self.extras},
        )

    def environment(self) -> dict[str, str]:
        """Give the chosen variables of the programs; what was not chosen is left to the programs."""
        chosen = dict(zip(CHOICES, (self.layout, self.prefetch, self.concurrency), strict=True))
        return {**self.settings, **{name: str(value) for name, value in chosen.items() if value is not None}}


KEEP = Options()
"""Change nothing that was chosen before."""


@dataclass(frozen=True)
class Launch:
    """A service, how often it runs, and the environment that all its instances share."""

    service: Service
    count: int
    env: Mapping[str, str]

    def names(self) -> list[str]:
        """Name each instance: worker-1, worker-2 and so on."""
        return [instance_name(self.service.name, number) for number in range(1, self.count + 1)]


def launches(table: Sequence[Service], options: Options, backing: Mapping[str, str]) -> tuple[Launch, ...]:
    """Say what has to run.

    backing: how programs reach broker, store and database (LAB_AMQP_URL, …), as the runtime provides them;
    the same variable in `options.settings` wins, and an outside server replaces the service.
    A service of the other layout runs 0 times, its number in `options.counts` is for later; and one of an
    extra that nobody asked for.
    Raises UnknownName, CountError and BadValue.
    """
    layout = layout_in(options.environment())
    for name in options.only:
        find_service(table, name)
    for name, count in options.counts.items():
        check_count(table, name, count)
    env = {**backing, **options.environment()}
    return tuple(
        Launch(
            service,
            options.counts.get(service.name, 1) if _runs(service, options, layout) else 0,
            _environment(service, env),
        )
        for service in table
        if not (service.outside and service.outside in options.settings)
        and (not options.only or service.name in options.only)
    )


def _runs(service: Service, options: Options, layout: Layout) -> bool:
    asked_for = service.extra is None or options.extras.get(service.extra, service.standard)
    return asked_for and service.layout in (None, layout)


def _environment(service: Service, env: Mapping[str, str]) -> dict[str, str]:
    """Leave out what does not concern the service, so that a change of it does not restart the service."""
    shared = {
        name: value
        for name, value in env.items()
        if (name not in CHOICES or name in service.reads) and GUARDED.get(name, service.name) == service.name
    }
    return {**shared, **service.env}


def layout_in(environment: Mapping[str, str]) -> Layout:
    """Read the layout that variables choose. Raises BadValue."""
    return find_layout(environment.get("LAB_LAYOUT", DEFAULT_LAYOUT))


def find_layout(name: str) -> Layout:
    """Look a layout up by name. Raises BadValue."""
    for layout in LAYOUTS:
        if name == layout:
            return layout
    raise BadValue(f"There is no layout {name!r}.", f"Choose one: {', '.join(LAYOUTS)}.")


def waves(table: Sequence[Service], names: set[str]) -> Iterator[list[str]]:
    """Group `names` so that each group needs only earlier ones; what is not in `names` is not waited for."""
    needs = {service.name: names.intersection(service.needs) for service in table if service.name in names}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield sorted(ready, key=list(needs).index)
        sorter.done(*ready)


def find_service(table: Sequence[Service], name: str) -> Service:
    """Look a service up by name. Raises UnknownName."""
    for service in table:
        if service.name == name:
            return service
    raise UnknownName.of("service", name, [service.name for service in table])


def check_count(table: Sequence[Service], name: str, count: int) -> None:
    """Refuse a number of instances that the service cannot have. Raises UnknownName and CountError."""
    service = find_service(table, name)
    if not service.scalable and count != 1:
        scalable = ", ".join(entry.name for entry in table if entry.scalable)
        raise CountError(f"{name} always runs once.", f"Services that scale are: {scalable}.")
    if not 0 <= count <= MAX_INSTANCES:
        raise CountError(f"{name} cannot run {count} times.", f"Use a number from 0 to {MAX_INSTANCES}.")


def check_layout(table: Sequence[Service], name: str, layout: Layout) -> None:
    """Refuse to scale a service that does not run in this layout. Raises UnknownName and CountError."""
    service = find_service(table, name)
    if service.layout not in (None, layout):
        here = ", ".join(entry.name for entry in table if entry.scalable and entry.layout in (None, layout))
        raise CountError(
            f"{name} runs only in the layout {service.layout}, and this stack has the layout {layout}.",
            f"Scale one of {here}, or change the layout first: labctl up --layout {service.layout}",
        )


def instance_name(service: str, number: int) -> str:
    """Name an instance: `worker-2` is the second worker."""
    return f"{service}-{number}"


def instance_number(name: str) -> int:
    """Read the number of an instance from its name."""
    return int(name.rpartition("-")[2])
