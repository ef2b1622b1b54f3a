"""class board, class summary."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from labkit.cli.context import Lab as Context
from labkit.cli.options import INSTRUCTOR, AsJson, examples
from labkit.errors import BadValue, LabError

if TYPE_CHECKING:
    from labkit.labs.board import Board, Histogram
    from labkit.labs.codes import Found
    from labkit.labs.content import Lab

app = typer.Typer()
room = typer.Typer(no_args_is_help=True, help="Run a class: who is where, and the table afterwards.")
app.add_typer(room, name="class", rich_help_panel=INSTRUCTOR)

KEPT = "board.txt"
PROMPT = "Codes, or the number of a lab; Enter: next, a: answers, q: end > "
_QUIT = ("q", "quit", "exit")
_PROMPT_LINES = 2


@room.command(
    epilog=examples(
        "class board",
        "class board codes.txt",
        "class board --lab 03 codes.txt",
        "class board --json codes.txt",
    )
)
def board(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Text with codes, or pages handed in; without: paste them."),
    ] = None,
    lab: Annotated[str | None, typer.Option(help="Only the predictions of this lab.")] = None,
    hide_answers: Annotated[bool, typer.Option("--hide-answers", help="Do not show what is true.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Begin with an empty board.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show who is where, and what was predicted, from the codes of students.

    In a terminal it stays: paste codes as they come, they are remembered. What is true is shown after `a`.

    A code is no proof, anybody can make one: marks go by the pages that are handed in.
    """
    from labkit.labs.codes import find  # noqa: PLC0415 - slow

    context = Context.of(ctx)
    kept = _kept(context)
    if forget:
        kept.unlink(missing_ok=True)
    pages = _Pages(context, lab, hide_answers=hide_answers)
    if files:
        text = "\n".join(map(_text, files))
    elif sys.stdin.isatty() and not as_json:
        _stay(context, kept, pages)
        return
    else:
        text = sys.stdin.read()
    found = find(text)
    _show(context, found, pages, as_json=as_json)


@room.command(epilog=examples("class summary handed-in", "class summary handed-in --json"))
def summary(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the pages of `lab report` are.")],
    as_json: AsJson = False,
) -> None:
    """Make the table after a class: time per lab, what most got wrong."""
    from labkit.labs import content  # noqa: PLC0415 - slow
    from labkit.labs.summary import collect, summarize  # noqa: PLC0415
    from labkit.views.classroom import summary_page  # noqa: PLC0415

    context = Context.of(ctx)
    found = summarize(*collect(folder))
    labs = {one.name: one for one in content.everything()}
    context.show(summary_page(found, labs, context.out.width), asdict(found), as_json=as_json)
    if not found.students:
        raise typer.Exit(1)


class _Pages:
    """Makes the pages of a board. lab: only that one's predictions."""

    def __init__(self, context: Context, lab: str | None, *, hide_answers: bool) -> None:
        from labkit.labs import content  # noqa: PLC0415 - slow

        pinned = context.class_file
        everything = content.everything()
        self.only = content.find(lab) if lab else None
        self.labs = [one for one in everything if pinned is None or pinned.has(one.name)]
        self._context = context
        self.hidden = hide_answers
        self._truths: dict[str, Mapping[str, float | str]] = {}

    def board(self, found: Found) -> Board:
        """Put the codes together."""
        from labkit.labs.board import board as made  # noqa: PLC0415 - slow

        return made(found.codes, (int(lab.number) for lab in self.labs))

    def histograms(self, found: Board) -> list[Histogram]:
        """Return the predictions, lab by lab."""
        from labkit.labs.board import histograms  # noqa: PLC0415 - slow

        labs = [self.only] if self.only else self.labs
        return [entry for lab in labs for entry in histograms(found, lab, self._true(lab))]

    def render(self, found: Board, width: int, height: int = 0) -> list[tuple[str, RenderableType]]:
        """Return all pages, each with the number of its lab, if it has one; height 0: as long as they are."""
        from labkit.views.classroom import histogram_page, progress_page  # noqa: PLC0415 - slow

        first = [] if self.only else progress_page(found, width, height)
        further = [(entry.lab[:2], histogram_page(entry, width)) for entry in self.histograms(found)]
        nothing = [("", Text("No predictions yet."))] if not (first or further) else []
        return [*(("", page) for page in first), *further, *nothing]

    def _true(self, lab: Lab) -> Mapping[str, float | str]:
        """Return what is true of a lab on this machine, as far as that is known and not to be hidden."""
        if self.hidden:
            return {}
        if lab.name not in self._truths:
            try:
                self._truths[lab.name] = _truths(self._context, lab)
            except LabError:
                self._truths[lab.name] = {}
        return self._truths[lab.name]


def _truths(context: Context, lab: Lab) -> Mapping[str, float | str]:
    """Return what is true; what depends on the machine only where this one was calibrated."""
    from labkit.cli.desk import desk_of  # noqa: PLC0415 - slow
    from labkit.experiments.calibrate import place  # noqa: PLC0415 - slow
    from labkit.labs.desk import MACHINE  # noqa: PLC0415 - slow
    from labkit.labs.standing import settled  # noqa: PLC0415 - slow

    path = place(context.runtime.project.root, context.runtime.kind)
    return desk_of(context).truths(lab) if path.exists() else settled(lab, MACHINE)


def _show(context: Context, found: Found, pages: _Pages, *, as_json: bool) -> None:
    from labkit.views.classroom import damaged_line  # noqa: PLC0415 - slow

    if not found.codes and not found.damaged:
        raise BadValue("There is no code in that.", "A code begins with QL and two digits: QL03-…")
    made = pages.board(found)
    if as_json:
        context.show("", _data(made, pages.histograms(made), found.damaged), as_json=True)
        return
    for number, (_, page) in enumerate(pages.render(made, context.out.width)):
        context.out.print(*([""] if number else []), page, sep="\n")
    if found.damaged:
        context.out.print("", damaged_line(found.damaged), sep="\n")


def _stay(context: Context, kept: Path, pages: _Pages) -> None:
    """Draw the board anew after each line that is typed or pasted, until q or Ctrl-D."""
    from labkit.labs.codes import find  # noqa: PLC0415 - slow

    said, number = find(_text(kept) if kept.exists() else ""), 0
    damaged: Sequence[str] = ()
    pages.hidden = True  # the projector must not tell before the class has measured
    while True:
        width, height = context.out.size
        rendered = pages.render(pages.board(said), width, height - _PROMPT_LINES - 1)
        number %= len(rendered)
        line = _typed(context, rendered[number][1], damaged, f"[{number + 1}/{len(rendered)}] {PROMPT}")
        word = line.strip().lower()
        if word in _QUIT:
            return
        new = find(line)
        damaged = new.damaged
        if new.codes:
            _keep(kept, line)
            said = find(_text(kept))
        elif word == "a":
            pages.hidden = not pages.hidden
        elif word.isdecimal():
            number = _page_of(word, rendered, number)
        elif not word:
            number += 1


def _typed(context: Context, page: RenderableType, damaged: Sequence[str], prompt: str) -> str:
    """Show a page, and return what is typed under it; q at its end."""
    from labkit.views.classroom import damaged_line  # noqa: PLC0415 - slow

    context.out.clear()
    context.out.print(page)
    if damaged:
        context.out.print(damaged_line(damaged))
    try:
        return input(prompt)
    except EOFError:
        context.out.print()
        return _QUIT[0]


def _page_of(typed: str, rendered: Sequence[tuple[str, RenderableType]], now: int) -> int:
    """Return the first page of a lab, or the present one where nobody predicted it yet."""
    return next((place for place, (lab, _) in enumerate(rendered) if lab == f"{int(typed):02}"), now)


def _data(board: Board, histograms: Sequence[Histogram], damaged: Sequence[str]) -> dict[str, object]:
    return {
        "students": [
            {
                "name": student,
                "labs": {
                    f"{lab:02}": {**asdict(code), "done": code.done}
                    for lab in board.labs
                    if (code := board.of(student, lab))
                },
            }
            for student in board.students
        ],
        "labs": [
            {"number": f"{lab:02}", "passed": board.passed(lab), "median_min": board.minutes(lab)}
            for lab in board.labs
        ],
        "predictions": [asdict(entry) for entry in histograms],
        "damaged": list(damaged),
    }


def _kept(context: Context) -> Path:
    from labkit.labs.progress import folder  # noqa: PLC0415 - slow

    return folder(context.runtime.project) / KEPT


def _keep(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line.rstrip() + "\n")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadValue(f"{path} cannot be read: {error.strerror}.", "Check the name.") from error
