"""The board of a class."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from labkit.labs.board import board, histogram
from labkit.labs.codes import Choice, Code, encode
from labkit.labs.content import Lab, LabFile, Predict
from labkit.labs.progress import Checked, LabProgress, Prediction
from labkit.labs.standing import settled, standing
from labkit.views.classroom import histogram_page, progress_page
from tests.support.lab import World

ANNA = Code("Anna", 3, (True, True, False), (0.0, 20.0), 8)
BEN = Code("Ben", 3, (True, True, True), (1.0, 25.0), 12)


def question(**fields: Any) -> Predict:  # noqa: ANN401  (fields of the model)
    """Return a question with a number for an answer."""
    return Predict.model_validate(
        {"id": "q", "question": "How many?", "unit": "jobs", "answer": 25, "tolerance": 1, "why": "So."}
        | fields
    )


def lab(*questions: Predict) -> Lab:
    """Return a lab 03 with these questions."""
    content = {
        "format": 1,
        "title": "Failure",
        "question": "What then?",
        "about": "A worker.",
        "minutes": 10,
        "concepts": ["redelivery"],
        "predict": [one.model_dump() for one in questions],
        "step": [{"title": "Look"}],
        "transfer": {"question": "?", "answer": 1, "tolerance": 1, "hint": "h", "why": "w"},
        "hints": ["Think."],
        "spoiled": {"why": "w", "walk": [{"command": "demo"}]},
    }
    return Lab(Path("03-failure"), LabFile.model_validate(content))


def shown(page: Any, width: int) -> str:  # noqa: ANN401  (whatever Rich renders)
    """Return what a terminal of this width shows."""
    console = Console(width=width)
    with console.capture() as capture:
        console.print(page)
    return capture.get()


def test_the_code_with_most_checks_counts() -> None:
    """The order in which codes arrive does not matter; the predictions of an earlier code are kept."""
    first, later = Code("anna", 3, (True, False, False), (1.0,)), Code("Anna", 3, (True, True, False), ())
    for codes in ([first, later], [later, first]):
        found = board(codes)
        assert len(found.students) == 1
        code = found.of(found.students[0], 3)
        assert code is not None
        assert (code.passed, code.predictions) == (later.passed, first.predictions)


def test_ready_stays_when_the_lab_is_begun() -> None:
    """The homework's code has one check; the first of three passed checks does not take it back."""
    found = board([Code("Anna", 0, (True,)), Code("Anna", 0, (True, False, False), (1.0,))])
    assert found.passed(0) == 1


def test_a_board_counts_who_passed_and_how_long_it_took() -> None:
    """Minutes are those of students who passed by themselves."""
    found = board([ANNA, BEN, Code("Cleo", 3, (True,) * 3, (), 2, solved=True)], labs=[3, 4])
    assert found.students == ("Anna", "Ben", "Cleo")
    assert (found.passed(3), found.passed(4)) == (2, 0)
    assert (found.minutes(3), found.minutes(4)) == (12, None)
    assert found.guesses(3, 1) == [20.0, 25.0]


def test_few_values_have_a_bar_each() -> None:
    """What is within the tolerance counts as right; the true answer has a bar even if nobody said it."""
    made = histogram(lab(question()), question(), [20.0, 20.0, 24.5, 25.0], 25.0)
    assert [(bar.label, bar.count, bar.right) for bar in made.bars] == [("20", 2, False), ("25", 2, True)]
    made = histogram(lab(question()), question(), [20.0], 25.0)
    assert [(bar.label, bar.count) for bar in made.bars] == [("20", 1), ("25", 0)]


def test_many_values_share_bars() -> None:
    """However far they lie apart, every prediction is in exactly one of at most ten bars."""
    values = [float(number) for number in range(40)] + [5000.0]
    made = histogram(lab(question()), question(), values, 25.0)
    assert made.given == len(values)
    assert len(made.bars) <= 10
    assert [bar.count for bar in made.bars if bar.right] == [3]


def test_without_the_truth_no_bar_is_right() -> None:
    """The answer can be left out until the class has measured."""
    made = histogram(lab(question()), question(), [20.0, 25.0], None)
    assert not any(bar.right for bar in made.bars)
    assert "true" not in shown(histogram_page(made, 80), 80).lower()


def test_choices_keep_their_order() -> None:
    """A choice that nobody made has an empty bar."""
    asked = question(kind="choice", choices=("api", "broker", "worker"), answer="worker")
    made = histogram(lab(asked), asked, [Choice(1), Choice(2), Choice(1)], "worker")
    assert [(bar.label, bar.count, bar.right) for bar in made.bars] == [
        ("api", 0, False),
        ("broker", 2, False),
        ("worker", 1, True),
    ]


def test_what_depends_on_the_machine_is_left_out() -> None:
    """Answers that hold everywhere are known without a calibration."""
    one = lab(question(id="a"), question(id="b", answer="min(4, cores)"))
    assert settled(one, {"cores"}) == {"a": 25.0}


def test_a_page_of_the_board_fits_the_projector() -> None:
    """At 80x24 a large class is on several pages, and each line fits."""
    codes = [Code(f"Student {number:02}", lab, (True,), (), 9) for number in range(30) for lab in range(9)]
    pages = progress_page(board(codes), 80, 21)
    assert len(pages) == 2
    for page in pages:
        lines = shown(page, 80).splitlines()
        assert len(lines) <= 21
        assert max(map(len, lines)) <= 80
    assert "30/30" in shown(pages[-1], 80)


def test_codes_come_from_files_and_damaged_ones_are_named(tmp_path: Path) -> None:
    """The board takes any text; what cannot be read is asked for again."""
    chat = tmp_path / "chat.txt"
    chat.write_text(f"Anna> {encode(ANNA)}\nBen> {encode(BEN)}\nCleo> QL03-0000-1111-2222\n")
    result = World.make(tmp_path).run("class", "board", str(chat))
    assert result.exit_code == 0
    assert "2 students" in result.output
    assert "ask for them again: QL03-0000-1111-2222" in result.output


def test_codes_come_from_standard_input_as_json(tmp_path: Path) -> None:
    """Programs get the same board."""
    world = World.make(tmp_path)
    result = world.run("class", "board", "--json", stdin=encode(BEN))
    found = json.loads(result.stdout)
    assert found["students"][0]["labs"]["03"]["done"] is True
    assert next(line for line in found["labs"] if line["number"] == "03")["passed"] == 1
    assert found["predictions"]


def test_a_text_without_codes_is_an_error(tmp_path: Path) -> None:
    """An empty board would look like a class in which nobody works."""
    result = World.make(tmp_path).run("class", "board", stdin="hello")
    assert result.exit_code == 1
    assert "There is no code in that" in result.output


def test_a_lab_is_done_with_its_last_question() -> None:
    """Checks alone do not pass a lab; the code of one that was asked from the kit says so."""
    checks = (Checked("a", "A", True, "", "", 1.0), Checked("b", "B", None, "", "", 1.0))  # noqa: FBT003  (a verdict)
    state = LabProgress(0.0, checks=checks, predictions={"q": Prediction(20.0, "", 1.0)})
    found = standing("Anna", lab(question(), question(id="other")), state, now=630.0)
    assert (found.passed, found.minutes, found.predictions) == ((True, False, False), 10, (20.0, None))
    state = replace(state, checks=checks[:1], passed_at=300.0, solved_by="solve")
    found = standing("Anna", lab(question()), state)
    assert (found.done, found.minutes, found.solved) == (True, 5, True)
