import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from labkit.errors import Unsupported
from labkit.runtime.base import Instance, Notify, Report, ignore
from labkit.runtime.docker import trouble
from labkit.runtime.docker.builder import Builder
from labkit.runtime.docker.containers import Container
from labkit.runtime.docker.images import Images
from labkit.runtime.docker.logs import last_lines
from labkit.runtime.docker.reader import DockerReader
from labkit.runtime.docker.ready import Probe, Waiter
from labkit.runtime.docker.state import DockerState, write_state
from labkit.runtime.grace import LEAST_S, grace_s
from labkit.runtime.lock import only_one
from labkit.runtime.private import own_files
from labkit.runtime.record import record_path
from labkit.stack import KEEP, Options, check_count, check_layout, launches, layout_in, waves

_LOCK_WAIT_S = 60.0
_READY_S = 120.0
_DEATH_S = 5.0
_POLL_S = 0.05
_QUOTE_CHARACTERS = 300

# All processes of the container but number 1, a small init, which then ends: as if the program had crashed.
_CRASH = ("/bin/sh", "-c", "kill -9 -1")


class DockerRuntime(DockerReader):
    """Runs the stack as containers: Compose makes them, the engine is asked for the rest."""

    def up(self, options: Options = KEEP, notify: Notify = ignore) -> None:
        """See `Runtime.up`. Raises NoDocker, ImageMissing, DockerRefused and Unsupported, too."""
        report = Report(notify)
        with self._changing():
            before = self._look()
            state = self._state(before)
            chosen = options.over(state.options)
            wanted = self._wanted(chosen)
            if not before:
                self._compose.check()
            state = replace(state, port_offset=self.project.port_offset, options=replace(chosen, only=()))
            builder = self._builder(state, report)
            builder.check_ports(self._table, wanted, self.project.port_offset)
            self._ensure_images(state, [name for name, count in wanted.items() if count], report)
            self._write(state)
            for wave in waves(self._table, {name for name, count in wanted.items() if count}):
                for group in builder.groups({name: wanted[name] for name in wave}):
                    builder.bring(group)
                    before = self._count(before)
                    self._wait(builder.members(group), _READY_S, report)
            # Last, so that queues keep their consumers while the new ones start.
            scope = options.only or [service.name for service in self._table]
            builder.retire(wanted, scope, _grace_s(state))

    def down(self, *, delete_data: bool = False, notify: Notify = ignore) -> None:
        """See `Runtime.down`."""
        with self._changing():
            builder = self._builder(self._state(self._look()), Report(notify))
            builder.down(*(["--volumes"] if delete_data else []))
            record_path(self._project).unlink(missing_ok=True)
            if delete_data:
                shutil.rmtree(self._project.state_dir, ignore_errors=True)

    def scale(self, service: str, count: int, notify: Notify = ignore) -> None:
        """See `Runtime.scale`."""
        check_count(self._table, service, count)
        report = Report(notify)
        with self._changing():
            before = self._up()
            state = self._state(before)
            check_layout(self._table, service, layout_in(self.environment()))
            counts = {**state.options.counts, service: count}
            state = replace(state, options=replace(state.options, counts=counts))
            self._write(state)
            builder = self._builder(state, report)
            builder.retire(counts, [service], _grace_s(state))
            if count:
                builder.bring({service: count}, "--no-recreate")
            self._count(before)
        self._wait(builder.members([service]), _READY_S, report)

    def kill(self, name: str, *, respawn: bool = True) -> Instance:
        """See `Runtime.kill`."""
        with self._changing():
            found = self._up()
            victim = self._find(name, found, running=respawn)
            (told,) = self._described([victim], self._state(found))
            if not respawn:
                self._hard(victim)
            elif not self._crash(victim):
                # Without an init, or frozen, it cannot be made to crash from within.
                self._hard(victim)
                self._begin(victim, found)
        return told

    def stop(self, name: str) -> None:
        """See `Runtime.stop`."""
        with self._changing():
            found = self._up()
            self._end(self._find(name, found), self._state(found))

    def start(self, name: str) -> None:
        """See `Runtime.start`."""
        with self._changing():
            found = self._up()
            held = self._find(name, found)
            if not held.runs:
                self._begin(held, found)
        self._wait([name], _READY_S, Report(ignore))

    def restart(self, name: str) -> None:
        """See `Runtime.restart`."""
        with self._changing():
            found = self._up()
            one = self._find(name, found)
            self._end(one, self._state(found))
            self._begin(one, found)
        self._wait([name], _READY_S, Report(ignore))

    def pause(self, name: str) -> None:
        """See `Runtime.pause`."""
        with self._changing():
            one = self._find(name, self._up(), running=True)
            if one.status == "running":
                with self._engine.asking() as api:
                    api.pause(one.id)

    def resume(self, name: str) -> None:
        """See `Runtime.resume`."""
        with self._changing():
            self._wake(self._find(name, self._up(), running=True))

    def wait_ready(self, *names: str, within_s: float = _READY_S) -> None:
        """See `Runtime.wait_ready`."""
        found = self._up()
        for name in names:
            self._find(name, found)
        due = [entry.name for entry in found if entry.status in ("running", "paused", "restarting")]
        self._wait(names or due, within_s, Report(ignore))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the project against other commands. Raises Busy and ProjectError."""
        with own_files(self._project.state_dir), only_one(self._project.lock_file, _LOCK_WAIT_S):
            yield

    def _wanted(self, options: Options) -> dict[str, int]:
        """Count what has to run of each service. Raises what `launches` raises, and Unsupported."""
        for service in self._table:
            if service.outside in options.settings:
                raise Unsupported(
                    f"{service.outside} is set, but on Docker the stack has a {service.name} of its own.",
                    f"Take {service.outside} out of your environment or .env, {trouble.OR_LOCAL}",
                )
        return {launch.service.name: launch.count for launch in launches(self._table, options, {})}

    def _ensure_images(self, state: DockerState, services: Sequence[str], report: Report) -> None:
        variables = self._variables(state.options)
        notes = self._project.lock_file.with_name("images.json")
        images = Images(self._engine, self._compose, notes, report)
        images.ensure(self._compose.config(variables), services, variables)

    def _builder(self, state: DockerState, report: Report) -> Builder:
        grace = _grace_s(state)
        # Else each container's own `stop_grace_period` holds.
        words = ("--timeout", str(round(grace))) if grace > LEAST_S else ()
        variables = self._variables(state.options)
        return Builder(self._compose, self._engine, self._look, variables, report, words)

    def _hard(self, container: Container) -> None:
        """Kill a container from outside; the engine does not start it again then."""
        if container.status not in ("exited", "created"):
            with self._engine.asking() as api:
                api.kill(container.id)
            self._until(container, lambda now: not now.runs)

    def _crash(self, container: Container) -> bool:
        """Kill the program of a container, whose restart policy starts it again; tell whether that worked."""
        if not container.init or container.status != "running":
            return False
        self._engine.run_inside(container.id, _CRASH)
        return self._until(container, lambda now: now.life != container.life or not now.runs)

    def _until(self, container: Container, reached: Callable[[Container], bool]) -> bool:
        deadline = time.monotonic() + _DEATH_S
        while time.monotonic() < deadline:
            now = next((entry for entry in self._look() if entry.id == container.id), None)
            if now is None or reached(now):
                return True
            time.sleep(_POLL_S)
        return False

    def _end(self, container: Container, state: DockerState) -> None:
        """Ask a container to end, and wait; it stays down."""
        self._wake(container)
        with self._engine.asking() as api:
            api.stop(container.id, timeout=round(max(_grace_s(state), container.grace_s)))

    def _begin(self, container: Container, before: Sequence[Container]) -> None:
        with self._engine.asking() as api:
            api.start(container.id)
        self._count(before)

    def _wake(self, container: Container) -> None:
        if container.status == "paused":
            with self._engine.asking() as api:
                api.unpause(container.id)

    def _count(self, before: Sequence[Container]) -> list[Container]:
        """Note what a command has started again since `before`; return how it is now."""
        now = self._look()
        state = self._state(now)
        self._write(state.after(before, now))
        return now

    def _write(self, state: DockerState) -> None:
        write_state(self._project, state)

    def _wait(self, names: Sequence[str], within_s: float, report: Report) -> None:
        waiter = Waiter(Probe(self._engine), self._look, self._last_words, report)
        ready = waiter.wait(names, self._table, within_s, self._project.name)
        state = self._state(ready)
        for container in ready:
            state = state.saw_ready(container)
        if ready:
            self._write(state)

    def _last_words(self, name: str) -> str:
        container = next((entry for entry in self._look() if entry.name == name), None)
        lines = last_lines(self._engine, container, 10) if container else []
        spoken = [line.text.strip() for line in lines if line.text.strip()]
        return spoken[-1][:_QUOTE_CHARACTERS] if spoken else "none"


def _grace_s(state: DockerState) -> float:
    return grace_s(state.options.environment())
