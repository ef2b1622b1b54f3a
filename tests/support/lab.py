"""A lab for tests of the commands: a fake stack, a broker and a store in memory, a real job table and API."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import typer.testing
from anyio.from_thread import start_blocking_portal
from rich.console import Console
from typer.testing import CliRunner, Result

from labkit.access import Access
from labkit.cli.app import app
from labkit.cli.context import Lab
from labkit.errors import MissingProgram
from labkit.project import Project
from labkit.runtime.base import Notify, Runtime, State, ignore
from labkit.runtime.fake import FakeRuntime
from labkit.settings import LabSettings
from labkit.stack import KEEP, WORKERS, Options
from services.api.app import assemble, build
from services.api.settings import ApiSettings
from services.common.broker import Broker, Delivery, Handler
from services.common.envelopes import changes_envelope, heartbeat_envelope, job_envelope
from services.common.jobs import JobStore
from services.common.messages import Event, Heartbeat, Job
from services.common.program import serving
from services.common.testing import MemoryBroker, MemoryStore
from services.common.topology import declarations
from tests.support.examples import heartbeat
from tests.support.ports import free_offset

BEAT_S = 0.01

# The runner makes the whole tree of commands anew for each that it runs, which takes longer than most.
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[attr-defined]


class ForgetfulRuntime(FakeRuntime):
    """Lacks a program until somebody installs it."""

    installed = False

    def up(self, options: Options = KEEP, notify: Notify = ignore) -> None:
        """Refuse while the program is missing."""
        if not self.installed:
            raise MissingProgram("RabbitMQ is not installed.", "Install it.", "rabbitmq")
        super().up(options, notify)


class LivelyBroker(MemoryBroker):
    """A broker on which the running workers of a runtime beat, and in whose queue jobs wait."""

    def __init__(self, world: World) -> None:
        super().__init__(declarations())
        self._world = world
        self.connected = world.broker_answers

    async def __aenter__(self) -> Self:
        """Put the waiting jobs into their queue."""
        for number in range(self._world.waiting if self.connected else 0):
            await self.publish(job_envelope(Job(job_id=f"job-{number}", kind="text"), "text.jobs"))
        return self

    async def ready(self, timeout_s: float | None = None) -> None:
        """Begin to beat."""
        await super().ready(timeout_s)
        self._tasks.add(asyncio.create_task(self._beat_forever()))

    async def listen(
        self,
        exchange: str,
        keys: tuple[str, ...],
        handler: Handler,
        *,
        made: Callable[[], None] = lambda: None,
    ) -> Any:  # noqa: ANN401  (as the twin)
        """Begin to beat, as soon as somebody listens."""
        heard = await super().listen(exchange, keys, handler, made=made)
        await self.ready()
        return heard

    async def _beat_forever(self) -> None:
        while True:
            for entry in self._world.runtime.instances():
                if entry.service in WORKERS and entry.state == State.RUNNING:
                    await self.publish(heartbeat_envelope(self._world.heartbeat(entry.name)))
            await asyncio.sleep(BEAT_S)


@dataclass
class World:
    """Everything around the commands.

    held: the jobs that a worker has in hand. waiting: jobs in the queue. answer: what the person at the
    keyboard says. fault: raised by every command that asks for the stack.
    """

    root: Path
    runtime: FakeRuntime
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    waiting: int = 0
    broker_answers: bool = True
    answer: bool = True
    fault: BaseException | None = None
    installs: list[tuple[str, bool]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    opened: list[LabSettings] = field(default_factory=list)
    store: MemoryStore = field(default_factory=MemoryStore)

    @classmethod
    def make(cls, root: Path, kind: type[FakeRuntime] = FakeRuntime) -> World:
        """Make a world whose stack is not up."""
        world = cls(root, kind(Project("class", root, free_offset())))
        world.jobs().create_schema()
        return world

    def up(self, workers: int = 1) -> World:
        """Start the fake stack."""
        self.runtime.up(Options(counts={"worker": workers}))
        return self

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run a command as a shell would, without a terminal, 80 columns wide."""
        return CliRunner().invoke(app, arguments, input=stdin, obj=self.lab(), prog_name="labctl")

    def lab(self) -> Lab:
        """Make what the command works with."""
        return Lab(
            open_runtime=self._open_runtime,
            explain=lambda _: ["Runtime: fake (for tests)."],
            open_access=lambda _: Access(self.broker, self.jobs, lambda: self.store),
            install=self._install,
            ask=self._ask,
            out=Console(width=80, highlight=False),
            err=Console(width=80, highlight=False, stderr=True),
            runs=self.root / "runs",
            class_toml=self.root / "class.toml",
        )

    def broker(self) -> Broker:
        """Open the broker."""
        return LivelyBroker(self)

    def jobs(self) -> JobStore:
        """Open the job table."""
        return JobStore(f"sqlite:///{self.root}/jobs.db")

    def names(self, service: str) -> list[str]:
        """Name the instances of a service."""
        return [entry.name for entry in self.runtime.instances() if entry.service == service]

    def states(self) -> dict[str, str]:
        """Say what each instance is doing."""
        return {entry.name: entry.state.value for entry in self.runtime.instances()}

    def heartbeat(self, instance: str) -> Heartbeat:
        """Say what a worker says once a second."""
        held = self.held.get(instance, ())
        return heartbeat(
            instance,
            at=time.time(),
            queues=("text.jobs",),
            state="busy" if held else "idle",
            job_ids=held,
        )

    @contextmanager
    def api(self, **chosen: object) -> Iterator[None]:
        """Serve the real API where the fake stack says it is; a clerk completes each job it takes in.

        chosen: settings of the API.
        """
        settings = ApiSettings.model_validate({"port": self.runtime.project.port(8000), **chosen})
        with start_blocking_portal() as portal:
            broker, table = MemoryBroker(declarations()), self.jobs()
            parts = assemble(settings, broker, self.store, table)
            with (
                portal.wrap_async_context_manager(serving(build(parts), settings)),
                portal.wrap_async_context_manager(parts.listeners),
                portal.wrap_async_context_manager(parts.roster),
            ):
                complete = functools.partial(self._complete, broker)
                portal.call(lambda: broker.consume("image.jobs", complete, prefetch=1))
                yield
            portal.call(broker.__aexit__)
            table.close()

    async def _complete(self, broker: Broker, delivery: Delivery) -> None:
        job = Job.decode(delivery.body)
        now = time.time()
        clock = {**job.clock, "started": now, "fetched": now + 0.01, "processed": now + 0.06}
        clock |= {"stored": now + 0.07, "finished": now + 0.07}
        done = Event.of(job, "job.completed", attempt=1, clock=clock, worker="worker-1", queue="image.jobs")
        table = self.jobs()
        changes = await asyncio.to_thread(table.apply, [done])
        await broker.publish(changes_envelope(changes))
        table.close()
        delivery.ack()

    def _open_runtime(self, settings: LabSettings) -> Runtime:
        if self.fault:
            raise self.fault
        self.opened.append(settings)
        return self.runtime

    def _install(self, program: str, assume_yes: bool) -> None:  # noqa: FBT001
        self.installs.append((program, assume_yes))
        if isinstance(self.runtime, ForgetfulRuntime):
            self.runtime.installed = True

    def _ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


def picture() -> bytes:
    """Draw a small PNG."""
    from PIL import Image  # noqa: PLC0415

    file = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "PNG")
    return file.getvalue()
