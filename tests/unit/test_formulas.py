"""Formulas are arithmetic, and nothing else."""

from __future__ import annotations

import pytest

from labkit.errors import BadValue
from labkit.experiments.formulas import evaluate, used_names

NAMES = {"jobs": 40.0, "workers": 3.0, "work_s": 0.5}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (7, 7),
        (0.5, 0.5),
        ("jobs", 40),
        ("ceil(jobs / workers) * work_s", 7),
        ("-jobs + 2 * (workers - 1)", -36),
        ("max(work_s, min(jobs, 2), floor(2.9))", 2),
    ],
)
def test_a_formula_has_a_value(formula: str | float, value: float) -> None:
    """Numbers, names, the four operations, brackets and four functions can be used."""
    assert evaluate(formula, NAMES) == value


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "jobs +",
        "queue",
        "jobs / 0",
        "2 ** 999999999",
        "jobs.real",
        "__import__('os')",
        "open('x')",
        "[1][0]",
        "'a' * 3",
        "True",
        "jobs < 3",
        "ceil(jobs, base=2)",
        "ceil()",
        "1 + " * 100 + "1",
        "(" * 150 + "1",
    ],
)
def test_anything_else_is_refused(formula: str) -> None:
    """Whatever else somebody writes is an error that lists the names that can be used, and is never run."""
    with pytest.raises(BadValue) as refused:
        evaluate(formula, NAMES)
    assert "jobs, work_s, workers" in refused.value.next_step


def test_the_names_of_a_formula() -> None:
    """Functions are not among the names that a formula uses."""
    assert used_names("ceil(jobs / workers)") == {"jobs", "workers"}
    assert used_names(3) == set()
