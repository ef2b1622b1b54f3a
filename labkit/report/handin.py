"""The page that a student hands in: predictions beside measurements, checks, answers, pictures of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from labkit.labs.amounts import amount
from labkit.labs.evidence import fingerprint
from labkit.labs.handin import Done, HandIn, Said, embed
from labkit.labs.progress import Answer, Checked, Print
from labkit.report import pictures
from labkit.report.markup import Html, joined, table, tag
from labkit.report.page import STYLE
from labkit.report.series import clock_of
from labkit.runs.read import RunFiles
from labkit.views.style import coarse, plural

LAB_STYLE = Path(__file__).with_name("handin.css")
MOST_PICTURES = 3
"""For each lab; the last runs."""

MOST_MARKS = 8

_SIGNS: Mapping[bool | None, tuple[str, str]] = {
    True: ("✓", "right"),
    False: ("✗", "wrong"),
    None: ("?", "why"),
}

FindRun = Callable[[str], RunFiles | None]


def write_page(record: HandIn, target: Path, run_of: FindRun) -> Path:
    """Write the page, whole or not at all; return where it is.

    run_of: finds a run directory by its name, None when it is gone.
    """
    draft = target.with_name(f"{target.name}.part")
    draft.write_text(page(record, run_of), encoding="utf-8")
    draft.replace(target)
    return target


def page(record: HandIn, run_of: FindRun) -> Html:
    """Return the page: one file, nothing in it comes from elsewhere."""
    style = STYLE.read_text(encoding="utf-8") + LAB_STYLE.read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{record.student or 'Queue Lab'} · labs"),
        tag("style", Html(style)),
    )
    labs = (_lab(done, run_of) for done in record.labs)
    body = tag(
        "body", tag("main", _header(record), _tiles(record), *labs, _footer(record)), Html(embed(record))
    )
    return joined((Html("<!doctype html>\n"), tag("html", head, body, lang="en"), "\n"))


def _header(record: HandIn) -> Html:
    made = datetime.fromtimestamp(record.made_at, UTC).astimezone()
    words = (record.course, f"{made:%Y-%m-%d %H:%M}", _machine(record.machine))
    passed, begun = sum(done.passed_at is not None for done in record.labs), len(record.labs)
    all_passed = bool(begun) and passed == begun
    verdict = f"{passed} of {plural(begun, 'lab')} passed"
    return tag(
        "header",
        tag("h1", record.student or "Labs"),
        tag("div", " · ".join(filter(None, words)), class_="faint"),
        tag("div", verdict, class_="verdict good" if all_passed else "verdict"),
    )


def _machine(found: Mapping[str, object]) -> str:
    cores = found.get("cores")
    return f"a machine with {cores:g} cores" if isinstance(cores, int | float) else ""


def _tiles(record: HandIn) -> Html:
    judged = [said.right for done in record.labs for said in done.predictions if said.right is not None]
    minutes = [done.minutes for done in record.labs if done.minutes is not None]
    passed = sum(done.passed_at is not None for done in record.labs)
    hints = sum(done.hints for done in record.labs)
    runs = len({run.sha256 for done in record.labs for run in done.runs})
    tiles = (
        (str(passed), "lab passed" if passed == 1 else "labs passed"),
        (f"{sum(judged)}/{len(judged)}", "predictions right"),
        (coarse(60 * sum(minutes)) if minutes else "-", "in passed labs"),
        (str(hints), "hint" if hints == 1 else "hints"),
        (str(runs), "run as evidence" if runs == 1 else "runs as evidence"),
    )
    return tag(
        "div",
        *(tag("div", tag("b", value), tag("span", name), class_="tile") for value, name in tiles),
        class_="tiles",
    )


def _lab(done: Done, run_of: FindRun) -> Html:
    word, tone = _standing(done)
    parts = [
        tag("h2", f"{done.number} {done.title}", tag("span", word, class_=f"pill {tone}".strip())),
        tag("p", _facts(done), class_="hint"),
        tag("h3", "What you expected, and what it is" if done.passed_at else "What you expected"),
        _guesses(done.predictions),
    ]
    if done.checks:
        parts += [tag("h3", "Checks"), tag("ul", *map(_check, done.checks), class_="checks")]
    if done.transfer:
        parts += [tag("h3", "The last question"), tag("p", done.question), _answer(done.transfer, done.unit)]
    if done.runs:
        parts += [tag("h3", "Runs"), *_runs(done.runs, run_of)]
    return tag("section", *parts, class_="lab")


def _standing(done: Done) -> tuple[str, str]:
    if done.passed_at is None:
        return ("not passed yet", "")
    return ("solved by the kit", "") if done.solved_by == "solve" else ("passed", "good")


def _facts(done: Done) -> str:
    took = f"{done.minutes:.0f} min of {done.budget_min}" if done.minutes is not None else ""
    words = (
        took,
        plural(done.hints, "hint") if done.hints else "no hint",
        f"begun {done.starts} times" if done.starts > 1 else "",
        "read from a recorded run" if done.replay else "",
        done.code,
    )
    return " · ".join(filter(None, words))


def _guesses(said: Iterable[Said]) -> Html:
    rows = [_guess(entry) for entry in said]
    return table(("", "expected", "measured", "true", ""), rows, class_="guesses")


def _guess(said: Said) -> Iterable[str]:
    why = tag("div", f"“{said.why}”", class_="said") if said.why else Html("")
    explained = tag("div", said.explained, class_="why") if said.explained else Html("")
    yield tag("td", said.question, why, explained)
    yield amount(said.value, said.unit)
    yield amount(said.measured, said.unit)
    yield amount(said.truth, said.unit)
    yield tag("td", _sign(said.right)) if said.right is not None else ""


def _sign(outcome: bool | None) -> Html:  # noqa: FBT001  (a verdict of three values)
    sign, style = _SIGNS[outcome]
    return tag("b", sign, class_=style)


def _check(check: Checked) -> Html:
    return tag("li", _sign(check.outcome), f"{check.line}. ", tag("span", check.said, class_="why"))


def _answer(answer: Answer, unit: str) -> Html:
    tries = f" (try {answer.tries})" if answer.tries > 1 else ""
    true = "" if answer.right else f"It is {amount(answer.expected, unit)}."
    return tag("p", _sign(answer.right), f" {amount(answer.value, unit)}{tries}. {true}")


def _runs(prints: tuple[Print, ...], run_of: FindRun) -> Iterable[Html]:
    for entry in prints[:-MOST_PICTURES]:
        yield tag("p", _caption(entry, ""))
    for entry in prints[-MOST_PICTURES:]:
        run = run_of(entry.name)
        if run is None or not run.jobs:
            yield tag("p", _caption(entry, "It was no longer on the computer when this page was made."))
            continue
        same = fingerprint(run.path) == entry.sha256
        words = "" if same else "Its files were changed after the check."
        clock = clock_of(run)
        marks = [f"{number}: {mark.text}" for number, mark in enumerate(run.marks[:MOST_MARKS], 1)]
        words = ". ".join(filter(None, [", ".join(marks), words]))
        yield tag("figure", pictures.outline(run, clock), tag("figcaption", _caption(entry, words)))


def _caption(entry: Print, words: str) -> Html:
    after = f" · {words}" if words else ""
    return joined((f"{entry.name} · SHA-256 ", tag("code", entry.sha256[:16]), after))


def _footer(record: HandIn) -> Html:
    return tag(
        "footer",
        f"Made by Queue Lab {record.version}. "
        "The same record for programs stands within this page, with the whole fingerprint of each run.",
    )
