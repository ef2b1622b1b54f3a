"""What every command works with: which stack is meant, how to reach it, and where to write."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from pydantic_core import to_json
from rich.console import Console, RenderableType

from labkit.access import Access, access, api
from labkit.errors import LabError, StackDown
from labkit.install.programs import ensure_program
from labkit.labs import classfile
from labkit.labs.classfile import ClassFile
from labkit.project import REPOSITORY, RUNS
from labkit.runs.read import RunFiles
from labkit.runtime import open_runtime
from labkit.runtime.base import Runtime
from labkit.runtime.choice import explain
from labkit.settings import LabSettings
from labkit.views.problem import problem, spoken
from labkit.words import command, door

DONE = (200, 201, 202)


def install(program: str, assume_yes: bool) -> None:  # noqa: FBT001  (the shape of the seam)
    """Bring a program onto this machine, asking first unless `assume_yes`. Raises LabError."""
    ensure_program(program, assume_yes=assume_yes)


def ask_person(question: str) -> bool:
    """Ask a question whose default is no. Raises LabError with nobody at the keyboard."""
    if not sys.stdin.isatty():
        raise LabError("This needs a yes, and there is no terminal to ask.", "Add --yes to the command.")
    return typer.confirm(question, default=False)


@dataclass
class Lab:
    """The way from a command to the world; a test replaces what it must not touch.

    given: what stood on the command line for the whole program (project, port_offset, runtime).
    """

    open_runtime: Callable[[LabSettings], Runtime] = open_runtime
    explain: Callable[[LabSettings], list[str]] = explain
    open_access: Callable[[Mapping[str, str]], Access] = access
    install: Callable[[str, bool], None] = install
    ask: Callable[[str], bool] = ask_person
    out: Console = field(default_factory=lambda: Console(highlight=False))
    err: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    given: dict[str, Any] = field(default_factory=dict)
    runs: Path = RUNS
    class_toml: Path = classfile.PATH
    _runtime: Runtime | None = None

    @classmethod
    def of(cls, context: typer.Context) -> Lab:
        """Find the lab of a running command."""
        lab = context.find_object(cls)
        return lab if lab is not None else cls()

    def choose(self, **given: object) -> Lab:
        """Take options of the command line; None leaves what was chosen before."""
        self.given |= {name: value for name, value in given.items() if value is not None}
        self._runtime = None
        return self

    @property
    def class_file(self) -> ClassFile | None:
        """What class.toml pins, if this is a class. Raises BadValue."""
        return classfile.load(self.class_toml)

    @property
    def settings(self) -> LabSettings:
        """The settings in force: command line, then environment, .env, class.toml. Raises LabError."""
        try:
            own = LabSettings(**self.given)
            pinned = None if "runtime" in own.model_fields_set else self.class_file
            return own.model_copy(update={"runtime": pinned.runtime}) if pinned else own
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            name = "LAB_" + str(wrong["loc"][0]).upper().removeprefix("LAB_")
            raise LabError(
                f"{name} is {wrong['input']!r}: {wrong['msg'].lower()}.",
                "Mend it in the environment or in the file .env.",
            ) from None

    @property
    def runtime(self) -> Runtime:
        """The chosen runtime of the chosen project, whether its stack is up or not."""
        if self._runtime is None:
            self._runtime = self.open_runtime(self.settings)
        return self._runtime

    def find_run(self, name: str) -> RunFiles | None:
        """Return the run directory of exactly this name, or a recorded one's path; None when it is gone."""
        found = (RunFiles(root / name) for root in (self.runs, REPOSITORY))
        return next((run for run in found if run.about), None)

    def running(self) -> Runtime:
        """Return the runtime of a stack that is up. Raises StackDown."""
        if not self.runtime.instances():
            raise StackDown.of(self.runtime.project.name)
        return self.runtime

    def access(self) -> Access:
        """Return the ways into the running stack. Raises StackDown."""
        return self.open_access(self.running().environment())

    def fetch(self, path: str, **query: str | int) -> dict[str, Any]:
        """Ask the API. Raises LabError with the API's own words when it refuses."""
        return self.order("GET", path, params=query)

    def order(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  (aiohttp's)
        """Tell the API to do something. Raises LabError with the API's own words when it refuses."""

        async def ask() -> dict[str, Any]:
            async with api(self.running()) as client:
                answer = await client.send(method, path, **arguments)
            if answer.status in DONE:
                return answer.body
            error = answer.body.get("error", {})
            message = str(error.get("message") or f"answer {answer.status} to {path}")
            raise LabError(
                f"The API says: {message}.", str(error.get("hint") or f"See: {command('logs api')}")
            )

        return asyncio.run(ask())

    def here(self, text: str) -> str:
        """Write the commands in `text` as they are typed here, for the project named on the command line."""
        text = spoken(text, door())
        project = self.given.get("project")
        return text if project is None else text.replace(f"{door()} ", f"{door()} --project {project} ")

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence."""
        self.out.print(self.here(text), style=style, soft_wrap=True, markup=False)

    def show(self, page: RenderableType, data: object, *, as_json: bool) -> None:
        """Print the page for people, or its data as JSON."""
        if as_json:
            sys.stdout.write(to_json(data, indent=2).decode() + "\n")
        else:
            self.out.print(page)

    def complain(self, error: LabError) -> None:
        """Print what happened and what to do next, on standard error."""
        self.err.print(problem(self.here(error.message), self.here(error.next_step)), soft_wrap=True)
