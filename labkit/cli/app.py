"""The root command: options for all commands, the first help page, and the last word on errors."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Any

import typer
from typer._completion_classes import completion_init
from typer.core import TyperGroup

from labkit import words
from labkit.cli import (
    bench,
    chaos,
    classroom,
    db,
    demo,
    dev,
    dlq,
    experiment,
    instances,
    jobs,
    kit,
    lab,
    lifecycle,
    load,
    look,
    monitor,
    notebook,
    prepare,
    results,
    sns,
    user,
    webhook,
)
from labkit.cli.context import Lab
from labkit.cli.options import CLASS, PANELS, PortOffset, ProjectName, RuntimeKind
from labkit.errors import LabError
from labkit.views.help import Section, help_page
from services.common.errors import QueueLabError

PROGRAM = "labctl"
COMPLETE = "_LABCTL_COMPLETE"
INTERRUPTED = 130

SUMMARY = "Queue Lab: start a real message-queue pipeline, load it, break it, watch it."
FIRST = ("up", "demo", "status", "scale", "kill", "upload", "jobs", "logs", "doctor", "down")


class Root(TyperGroup):
    """Shows the page of a class first, and turns every error into one line and a next step."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  (Typer publishes no types for its copy of Click)
        """Run the command."""
        lab = Lab.of(ctx)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.TyperException, BrokenPipeError):
            raise
        except (KeyboardInterrupt, typer.Abort):
            lab.err.print("Stopped.")
            raise typer.Exit(INTERRUPTED) from None
        except LabError as error:
            _unless_debugging(lab)
            lab.complain(error)
        except QueueLabError as error:
            _unless_debugging(lab)
            lab.complain(
                LabError(f"The stack did not do it: {error}", f"Look at it: {words.command('status')}")
            )
        except Exception as error:  # noqa: BLE001  (the outermost loop of the process)
            _unless_debugging(lab)
            what = f"A mistake in labctl: {type(error).__name__}: {error}"
            lab.complain(LabError(what, "Run it again with LAB_DEBUG=1 to see where."))
        raise typer.Exit(1)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Print the first page."""
        lab = Lab.of(ctx)
        sections = [Section(title, self._lines(title)) for title in PANELS]
        sections.append(Section("Options for every command", self._options(ctx)))
        footer = f"More about a command: {words.command('scale --help')}"
        lab.out.print(help_page(self.get_usage(ctx), SUMMARY, sections, footer), soft_wrap=True)

    def _lines(self, panel: str) -> list[tuple[str, str]]:
        found = {
            name: command.get_short_help_str(90)
            for name, command in self.commands.items()
            if getattr(command, "rich_help_panel", None) == panel and not command.hidden
        }
        names = [name for name in FIRST if name in found] if panel == CLASS else list(found)
        return [(name, found[name]) for name in names]

    def _options(self, ctx: Any) -> list[tuple[str, str]]:  # noqa: ANN401
        return [(option.opts[0], getattr(option, "help", "")) for option in self.get_params(ctx)]


app = typer.Typer(cls=Root, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
GROUPS = (
    lifecycle,
    demo,
    lab,
    load,
    monitor,
    experiment,
    results,
    notebook,
    look,
    instances,
    jobs,
    webhook,
    dlq,
    db,
    sns,
    chaos,
    bench,
    prepare,
    classroom,
    user,
    kit,
    dev,
)
for group in GROUPS:
    app.add_typer(group.app)


@app.callback()
def root(
    ctx: typer.Context,
    project: ProjectName = None,
    port_offset: PortOffset = None,
    runtime: RuntimeKind = None,
) -> None:
    """Drive the pipeline."""
    Lab.of(ctx).choose(project=project, port_offset=port_offset, runtime=runtime)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 typed wrongly, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old Windows console has no arrows
    # What a command reports it prints itself; the libraries' own words would come in between.
    logging.basicConfig(handlers=[logging.NullHandler()])
    # A closed terminal ends a command as Ctrl-C does, so that what it took down comes back.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    completion_init()
    app(prog_name=words.door(), complete_var=COMPLETE, obj=Lab())


def _unless_debugging(lab: Lab) -> None:
    """Raise the present error again, traceback and all, when LAB_DEBUG asks for it."""
    try:
        debugging = lab.settings.debug
    except LabError:
        debugging = False
    if debugging:
        raise  # noqa: PLE0704  (called while an error is handled)
