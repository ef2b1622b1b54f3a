"""The board of a class for the projector: who is where, what was predicted; and the table afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.labs.board import Board, Histogram
from labkit.labs.codes import Code
from labkit.labs.content import Lab
from labkit.labs.summary import Summary
from labkit.views.style import FAINT, house_table, plural

NAME_WIDTH, WIDE_NAME = 16, 24
CELL_WIDTH, WIDE_CELL = 5, 7
_FIGURES, _COLUMN = 22, 6
"""Columns of the summary for its figures, and for each lab."""

_AROUND = 5
"""Lines of a page besides the students."""
_BAR = "█"
_NOTHING = Text("·", style=FAINT)


def progress_page(board: Board, width: int, height: int = 0) -> list[RenderableType]:
    """Return the pages of the table of students and labs, each `height` lines high; 0: one page of all."""
    if not board.students:
        return [Text("No code yet. Paste codes as students send them, one or many, and press Enter.")]
    wide = _is_wide(board, width)
    room = max(4, height - _AROUND) if height else max(1, len(board.students))
    parts = [board.students[start : start + room] for start in range(0, len(board.students), room)]
    headline = Text.assemble(
        (plural(len(board.students), "student"), "bold"),
        (f"   ✓ passed{' and minutes' if wide else ''}   2/4 so far   s solved for them", FAINT),
    )
    return [Group(headline, _progress(board, part, wide=wide, last=part is parts[-1])) for part in parts]


def _is_wide(board: Board, width: int) -> bool:
    """Whether there is room for whole names, and for the minutes in each cell."""
    return width > WIDE_NAME + len(board.labs) * (WIDE_CELL + 1)


def histogram_page(found: Histogram, width: int) -> RenderableType:
    """Return one question with a bar for each answer; the right one is green, and marked."""
    label = max(len(bar.label) for bar in found.bars)
    most = max(bar.count for bar in found.bars)
    room = min(60, max(10, width - label - 24))
    lines = []
    for bar in found.bars:
        style = "green" if bar.right else "cyan"
        length = max(1, round(room * bar.count / most)) if bar.count else 0
        line = Text.assemble(f"{bar.label:>{label}} ", (_BAR * length, style), f" {bar.count or ''}")
        if bar.right:
            line.append("  ◀ true", style="bold green")
        lines.append(line)
    head = Text.assemble((f"Lab {found.lab}", FAINT), f"   {plural(found.given, 'prediction')}")
    unit = f" ({found.unit})" if found.unit else ""
    truth = [Text(f"True: {found.truth}", style="bold green")] if found.truth else []
    return Group(head, Text(found.question + unit, style="bold"), Text(), *lines, *truth)


def damaged_line(damaged: Sequence[str]) -> Text:
    """Return what could not be read."""
    return Text(f"Damaged, ask for them again: {', '.join(damaged)}", style="yellow")


def _progress(board: Board, students: Iterable[str], *, wide: bool, last: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("", width=WIDE_NAME if wide else NAME_WIDTH, no_wrap=True, overflow="ellipsis")
    for lab in board.labs:
        table.add_column(f"{lab:02}", width=WIDE_CELL if wide else CELL_WIDTH, no_wrap=True)
    for student in students:
        table.add_row(Text(student), *(_cell(board.of(student, lab), wide=wide) for lab in board.labs))
    if last:
        table.add_row()
        total = len(board.students)
        table.add_row(Text("passed", style="bold"), *(f"{board.passed(lab)}/{total}" for lab in board.labs))
        minutes = [board.minutes(lab) for lab in board.labs]
        table.add_row(
            Text("median min", style=FAINT), *("-" if one is None else f"{one:.0f}" for one in minutes)
        )
    return table


def _cell(code: Code | None, *, wide: bool) -> Text:
    if code is None:
        return _NOTHING
    if code.done and code.solved:
        return Text("s", style="magenta")
    if code.done:
        return Text(f"✓ {code.minutes}" if wide and code.minutes else "✓", style="bold green")
    return Text(f"{sum(code.passed)}/{len(code.passed)}" if code.passed else "begun", style="yellow")


def summary_page(found: Summary, labs: Mapping[str, Lab], width: int) -> RenderableType:
    """Return the table afterwards: each student, each lab, what most got wrong, what to look at."""
    parts: list[RenderableType] = [
        Text(f"{plural(found.pages, 'page')} of {plural(len(found.students), 'student')}", style="bold"),
        _students(found, width),
        *_legend(found),
        Text(),
        _labs(found, labs),
    ]
    if found.missed:
        parts += [Text(), Text("What most got wrong", style="bold"), _missed(found)]
    if found.notes:
        parts += [Text(), Text("To look at", style="bold"), *(Text(f"• {note}") for note in found.notes)]
    return Group(*parts)


def _students(found: Summary, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    room = width - _FIGURES - _COLUMN * len(found.labs)
    table.add_column("minutes", width=min(WIDE_NAME, max(NAME_WIDTH, room)), no_wrap=True)
    for lab in found.labs:
        table.add_column(lab.number, justify="right", min_width=4)
    table.add_column("passed", justify="right")
    table.add_column("right", justify="right")
    table.add_column("hints", justify="right")
    for student in found.students:
        cells = (_minutes(student.cells.get(lab.name)) for lab in found.labs)
        right = f"{student.right}/{student.predicted}"
        table.add_row(student.name, *cells, f"{student.passed}/{len(found.labs)}", right, str(student.hints))
    return table


_LETTERS = {"r": "r: read a recorded run", "s": "s: solved by the kit"}


def _legend(found: Summary) -> list[Text]:
    """Say what the letters and the counts of the table mean, as far as they are in it."""
    cells = [cell for student in found.students for cell in student.cells.values()]
    said = [words for letter, words in _LETTERS.items() if any(how == letter for _, how in cells)]
    said += ["2/4: checks so far"] if any("/" in how for _, how in cells) else []
    return [Text("   ".join(["right: predictions", *said]), style=FAINT)]


def _minutes(cell: tuple[float | None, str] | None) -> Text:
    if cell is None:
        return _NOTHING
    minutes, how = cell
    if minutes is None:
        return Text(how, style="yellow")
    return Text(f"{minutes:.0f}{how}", style="magenta" if how else "")


def _labs(found: Summary, labs: Mapping[str, Lab]) -> Table:
    right = ("handed in", "passed", "median", "budget", "slowest")
    table = house_table("lab", *right, right=right)
    for lab in found.labs:
        over = lab.median is not None and lab.budget and lab.median > lab.budget
        median = Text(_min(lab.median), style="yellow" if over else "")
        title = labs[lab.name].file.title if lab.name in labs else lab.name
        row = (f"{lab.number} {title}", str(lab.handed_in), str(lab.passed))
        table.add_row(*row, median, _min(lab.budget), _min(lab.slowest))
    return table


def _missed(found: Summary) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for miss in found.missed:
        what = Text(miss.what)
        if miss.often:
            what.append(f"\nmost wrong ones said {miss.often}; true: {miss.truth}", style=FAINT)
        table.add_row(miss.lab, f"{miss.wrong} of {miss.of}", what)
    return table


def _min(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} min"
