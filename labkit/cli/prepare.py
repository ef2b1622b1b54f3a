"""prepare, bundle."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.context import Lab
from labkit.cli.lifecycle import start
from labkit.cli.live import progress
from labkit.cli.options import INSTRUCTOR, LABS, AsJson, RuntimeKind, Yes, examples
from labkit.errors import LabError
from labkit.images import wanted
from labkit.install import wheels
from labkit.install.environment import ensure
from labkit.labs import bundle as bundling
from labkit.labs import prepare as preparing
from labkit.labs.amounts import printable
from labkit.labs.progress import load, path, save
from labkit.settings import program_settings
from labkit.stack import Options
from labkit.views.prepare import bundle_page, ready_page, step_line
from labkit.views.style import size
from labkit.words import command

app = typer.Typer()

LONGEST = 40
"""Of a student's name; it is part of each code."""


@app.command(
    rich_help_panel=LABS, epilog=examples("prepare", 'prepare --name "Ada L"', "prepare --from /media/usb")
)
def prepare(
    ctx: typer.Context,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Install from a bundle, without a network.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Your name, as your instructor knows it.")] = None,
    runtime: RuntimeKind = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make all ready for the class: the homework.

    Installs what is missing, on Docker pulls and builds the images, sends one picture through the stack,
    measures this computer, and ends in READY and a code.

    From then on nothing needs the network. Exit status: 0 ready, 1 not ready, 2 unknown.
    """
    lab = Lab.of(ctx).choose(runtime=runtime)
    if as_json:
        lab.out = lab.err  # standard output belongs to the JSON
    ensure(preparing.GROUPS, source)
    student = _student(lab, name)
    steps = []
    for step in _steps(lab, source, assume_yes=yes):
        steps.append(step)
        lab.out.print(step_line(step), soft_wrap=True)
    verdict = preparing.verdict(steps)
    code = preparing.code(student) if verdict else ""
    page = ready_page(
        [replace(step, next_step=lab.here(step.next_step)) for step in steps],
        code,
        student,
        lab.here(command("lab start")),
    )
    data = {"ready": verdict, "code": code, "student": student, "steps": list(map(asdict, steps))}
    lab.show(page, data, as_json=as_json)
    if verdict is not True:
        raise typer.Exit(1 if verdict is False else 2)


def _steps(lab: Lab, source: Path | None, *, assume_yes: bool) -> Iterator[preparing.Step]:
    """Give each step when it is done; a stack that was not up is taken down again."""
    yield preparing.packages()
    if lab.runtime.kind == "docker":
        for step in _docker(lab, source):
            yield step
            if not step.ok:
                return
    elif source is not None and wheels.read(source).images:
        lab.say("This bundle has images for Docker, but the stack runs without it here.", style="yellow")
        lab.say("Is Docker running? Then say: --runtime docker", style="yellow")
    new = not lab.runtime.instances()
    try:
        start(lab, Options(settings=program_settings()), assume_yes=assume_yes)
        with lab.err.status("One image on its way through every hop …"):
            found = preparing.round_trip(lab.running(), lab.access(), lab.runs)
        yield from preparing.judged(found, lab.class_file)
        with lab.err.status("Measuring this computer …") as status:
            yield preparing.speed(lab.runtime, lambda text: status.update(f"Measuring {text} …"))
    finally:
        if new:
            with progress(lab) as notify:
                lab.runtime.down(notify=notify)


def _docker(lab: Lab, source: Path | None) -> Iterator[preparing.Step]:
    yield preparing.docker()
    log = lab.runtime.project.state_dir / "build.log"
    yield preparing.images(source, log, lambda text: lab.err.print(text, style="dim", soft_wrap=True))


def _student(lab: Lab, typed: str | None) -> str:
    """Return the student's name, and keep it for the labs."""
    place = path(lab.runtime.project)
    known = load(place)
    student = printable(typed or known.student or _asked(lab))[:LONGEST].strip()
    if student != known.student:
        save(place, replace(known, student=student))
    return student


def _asked(lab: Lab) -> str:
    login = preparing.user()
    if not sys.stdin.isatty():
        return login
    said: str = typer.prompt("Your name, as your instructor knows it", default=login, err=lab.out.stderr)
    return said


@app.command(rich_help_panel=INSTRUCTOR, epilog=examples("bundle /media/usb/queue-lab", "bundle out --json"))
def bundle(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")],
    runtime: RuntimeKind = None,
    as_json: AsJson = False,
) -> None:
    """Write what a room without a network needs.

    The Python packages for computers like this one, Queue Lab itself, and with Docker all images.

    `prepare --from DIR` installs them.
    """
    lab = Lab.of(ctx).choose(runtime=runtime)
    names = _images(lab) if lab.runtime.kind == "docker" else ()
    with lab.err.status("Fetching the packages …") as status:
        made = bundling.write(
            folder, images=names, counted=lambda done: status.update(f"Saving the images: {size(done)} …")
        )
    lab.show(bundle_page(made, lab.here(command(f"prepare --from {folder}"))), asdict(made), as_json=as_json)


def _images(lab: Lab) -> Sequence[str]:
    """Return the names of all images, after bringing here what is missing. Raises LabError."""
    for step in _docker(lab, None):
        if not step.ok:
            raise LabError(f"{step.name}: {step.said}", step.next_step)
    return wanted().every
