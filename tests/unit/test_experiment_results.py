"""From runs to lines, to a file and to a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from labkit.experiments import result
from labkit.experiments.declaration import Expect, Part, everything, find
from labkit.experiments.measures import Run
from labkit.experiments.points import points
from labkit.experiments.result import Ran, Result
from labkit.experiments.runner import Now, Series, compare
from labkit.load.session import Progress
from labkit.views import experiment as view
from tests.support.machine import RoundMachine
from tests.support.runs_of import fifo

SCALING = Part.model_validate(
    {
        "name": "text",
        "load": {"jobs": 30, "work_s": [1.0]},
        "sweep": {"what": "stack.workers", "values": [1, 3, 5]},
        "observe": ["latency_p95_s"],
        "expect": [
            {"measure": "duration_s", "equals": "ceil(jobs / workers) * work_s", "tolerance": "10%"},
            {"measure": "speedup", "equals": "workers", "tolerance": "10%", "at": [3, 5]},
        ],
    }
)


def _series(repeats: int = 1, work_s: float = 1.02) -> Series:
    found = points(SCALING, RoundMachine())
    runs = [[Run.of(fifo(30, work_s, workers))] * repeats for workers in (1, 3, 5)]
    return Series(SCALING, found, repeats, runs)


def _result(series: Series, state: str = "finished") -> Result:
    ran = Ran("text", "workers 1", 1, "20260101T000000Z-x", {"503": 2}, ("worker-9 is not there",))
    empty = result.begin("mine", quick=False, calibration=None)
    return replace(empty, programs=None, runs=(ran,), lines=tuple(compare(series))).having(state)


def _text(page: RenderableType, width: int = 80) -> str:
    console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115  (closed below)
    console.print(page)
    console.file.close()
    return console.export_text()


def test_lines_of_a_sweep() -> None:
    """Each point has its own expectation; what is observed has none."""
    found = {(line.measure, line.value): line for line in compare(_series())}
    assert [found["duration_s", workers].verdict for workers in (1, 3, 5)] == ["ok", "ok", "ok"]
    assert found["duration_s", 5].measured == pytest.approx(6.12)
    assert ("speedup", 1) not in found
    assert found["latency_p95_s", 1].verdict is None
    assert found["latency_p95_s", 1].why == "few samples: 30, a P95 needs 200"


def test_comparing_points_takes_three_repeats() -> None:
    """A speed-up of one run each is shown, and not judged."""
    [once] = [line for line in compare(_series()) if line.measure == "speedup" and line.value == 3]
    assert (once.verdict, once.why) == ("unknown", "1 of 3 repeats that a comparison needs")
    assert once.measured == pytest.approx(3)
    [often] = [line for line in compare(_series(3)) if line.measure == "speedup" and line.value == 3]
    assert often.verdict == "ok"
    assert often.repeats == pytest.approx((3, 3, 3))


def test_a_busy_machine_cannot_be_judged_by() -> None:
    """What was computed from its speed is unknown then; arithmetic on times that were told holds."""
    part = SCALING.model_copy(
        update={"expect": (*SCALING.expect, Expect(measure="speedup", equals="parallel"))}
    )
    found = points(part, RoundMachine())
    series = replace(_series(3), part=part, points=found, doubt="this machine was busy")
    verdicts = {(line.measure, line.verdict, line.why) for line in compare(series) if line.value == 5}
    assert ("speedup", "unknown", "this machine was busy") in verdicts
    assert ("duration_s", "ok", "") in verdicts


def test_what_is_late_on_a_busy_machine_is_unknown() -> None:
    """A duration that is off tells of the other programs then; a job that is missing is off all the same."""
    part = SCALING.model_copy(update={"expect": (*SCALING.expect, Expect(measure="completed", equals=31))})
    series = replace(_series(3, work_s=1.5), part=part, points=points(part, RoundMachine()))
    verdicts = {line.measure: line.verdict for line in compare(series)}
    assert (verdicts["duration_s"], verdicts["completed"]) == ("off", "off")
    verdicts = {line.measure: line.verdict for line in compare(replace(series, busy=True))}
    assert (verdicts["duration_s"], verdicts["completed"]) == ("unknown", "off")


def test_an_experiment_under_way_has_unknown_lines() -> None:
    """Points that were not reached yet are unknown, so that an interrupted experiment can be read."""
    series = _series()
    series.runs[1:] = [[], []]
    verdicts = [line.verdict for line in compare(series) if line.measure == "duration_s"]
    assert verdicts == ["ok", "unknown", "unknown"]


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The file has everything, and the newest one of an experiment is found; damaged ones are passed over."""
    found = _result(_series())
    folder = result.make_folder("mine", tmp_path)
    result.write(folder, found)
    assert json.loads((folder / result.FILE).read_text())["verdict"] is None
    damaged = tmp_path / "99990101T000000Z-experiment-mine"
    damaged.mkdir()
    (damaged / result.FILE).write_text("{")
    assert result.newest("mine", tmp_path) == (folder, found)
    assert result.newest("min", tmp_path) is None
    assert result.make_folder("mine", tmp_path) != folder


def test_an_interrupted_experiment_is_never_as_expected() -> None:
    """Even if all that ran was."""
    whole = _result(_series(3))
    assert whole.verdict is True
    assert replace(whole, state="interrupted").verdict is None
    assert "It was interrupted" in _text(view.outcome(_result(_series(), "interrupted"), Path("runs/x")))


def test_the_page_of_a_result_fits_eighty_columns() -> None:
    """Expected beside measured with a verdict, who refused, and what could not be done."""
    text = _text(view.outcome(_result(_series()), Path("runs/x")))
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert "Too little is known to say." in words
    assert "workers 5 until the last job ended 6 ± 0.6 s 6.12 s ok" in words
    assert "times as fast as the first: 1 of 3 repeats that a comparison needs" in words
    assert "workers 1: the API did not say yes: 2 x 503" in words
    assert "workers 1: worker-9 is not there" in words


def test_a_busy_machine_is_mentioned() -> None:
    """Who measures beside other work is told."""
    quiet = replace(_result(_series()), programs=1.0, cores=2.0)
    assert "busy" not in _text(view.outcome(quiet, Path("x")))
    assert "busy: 5.0 programs" in _text(view.outcome(replace(quiet, programs=5.0), Path("x")))


def test_the_list_fits_eighty_columns() -> None:
    """A name, a duration and a question for each."""
    text = _text(view.listed(everything()))
    assert all(one.name in text for one in everything())
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", [one.name for one in everything()])
def test_a_declaration_fits_eighty_columns(name: str) -> None:
    """The question, the expectations and what to look at."""
    text = _text(view.declared(find(name)))
    assert max(map(len, text.splitlines())) <= 80
    assert "Look at" in text


def test_progress_says_which_run_it_is() -> None:
    """First the stack is made ready, then jobs end."""
    now = Now(2, 6, "text, workers 3")
    assert "run 2 of 6: text, workers 3" in _text(view.progress(now))
    under_way = replace(now, progress=Progress(30, 30, 30, 7))
    assert "7/30" in _text(view.progress(under_way))


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (30.0, "s", "30 s"),
        (6.117, "s", "6.12 s"),
        (0.6, "s", "0.6 s"),
        (27.04, "s", "27 s"),
        (1104.4, "ms", "1104 ms"),
        (1, "jobs", "1 job"),
        (0, "jobs", "0 jobs"),
        (1.0, "s", "1 s"),
        (1, "", "1"),
        (100, "jobs", "100 jobs"),
    ],
)
def test_numbers_have_three_figures_and_a_unit(number: float, unit: str, text: str) -> None:
    """No more than can be read, and the right noun."""
    assert view.with_unit(view.figure(number), unit) == text


def test_durations_are_rough() -> None:
    """Tens of seconds, or minutes."""
    assert [view.takes_words(seconds) for seconds in (4, 34, 75, 95, 220)] == [
        "10 s",
        "30 s",
        "80 s",
        "2 min",
        "4 min",
    ]
