"""EXPERIMENTS.md, from the declarations: `python -m tests.docs.render` writes it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from labkit.experiments import measures
from labkit.experiments.declaration import Expect, Experiment, Part, everything
from labkit.experiments.expectation import expected
from labkit.experiments.points import points
from labkit.views.experiment import formula, range_text, takes

WIDTH = 110

HEAD = """\
# Experiments

An experiment asks one question, puts the stack into the state that it needs, sends the load, breaks what has
to break, and shows what was expected beside what was measured.

    python3 labctl.py experiment list
    python3 labctl.py experiment show worker-scaling
    python3 labctl.py experiment run worker-scaling

1. Read the question, and **write down your prediction** with a number and a reason. A guess that you wrote
   down teaches more than a table that you read.
2. Run it. Every line is **ok** (as expected), **off** (it is not) or **unknown** (too little is known to say,
   and that is never a pass). The exit status is 0, 1 or 2.
3. Look at what is named under *look at*. Each run has a folder with everything that was measured;
   `python3 labctl.py report` draws it. One `experiment.json` names the runs of an experiment.
4. Answer the questions, and write it up (the template is at the end).

Where the numbers come from: most expectations are arithmetic that you can do by hand, because text jobs
take exactly the time that they are told. Image jobs depend on the machine, so `python3 labctl.py calibrate`
measures what it can do: cores that may be used, how much faster several processes really are, and the service
time of each operation. Image loads are sized by it. An experiment that needs it does it by itself, quickly.

Good to know:

- The stack is started if it is not up. Workers, layout, prefetch, settings and faults are as before
  afterwards.
- It refuses to start while jobs wait in the queues, for they would be measured too.
- Nothing else should run on the machine meanwhile. If something does, the result says so, and a time that is
  off counts as **unknown**: it tells of the other programs, and not of queues.
- `--quick` takes one repeat and shorter image loads. Then what compares two set-ups stays **unknown**: that
  takes three repeats, which take turns so that a slow minute of the machine meets them all.
- `--repeats 5` is better than one long run. Measured is then the median.

| experiment | asks | takes about |
|---|---|---|
"""

TAIL = """\
## The write-up

One or two pages. Copy this, and fill it in:

    Experiment:       name, date, machine (cores, what else ran), folder of the result
    Question:         in your own words
    Prediction:       a number, and the reason for it, written before the run
    Set-up:           workers, layout, prefetch, load; what was changed from point to point
    Result:           the table of expected and measured, and one picture of the report
    Explanation:      why the numbers are as they are; which formula, which part of the system
    Where it misses:  what is off or unknown, and why: the model, the machine or the measurement?
    What follows:     what you would do in a real system, and what you would measure next

Good explanations name a mechanism ("the broker hands out in turn, whoever is free") and not only a number
("it was slower"). A result that is off and explained is worth more than one that is ok and not understood.

## Your own experiment

An experiment is a file in `experiments/`; there is no list to add it to. Copy the one that is nearest, give
it another name, and run it. `python3 labctl.py experiment show NAME` says what is wrong in it, if anything.
"""


def experiments_page() -> str:
    """Return EXPERIMENTS.md."""
    found = everything()
    rows = "\n".join(f"| [{one.name}](#{one.name}) | {one.title} | {takes(one)} |" for one in found)
    return "\n".join([HEAD + rows, "", *(line for one in found for line in _section(one)), TAIL])


def _section(one: Experiment) -> Iterator[str]:
    yield from (f"## {one.name}", "", f"**{one.title}**", "", *_wrapped(one.question), "")
    yield from (*_wrapped(one.why), "")
    yield from (f"    python3 labctl.py experiment run {one.name}", "", f"It takes about {takes(one)}.", "")
    for part in one.parts:
        yield from _part(part)
    yield from ("Look at:", "")
    for sentence in one.look_at:
        yield from _wrapped(sentence, "- ")
    yield from ("", "Questions:", "")
    for number, sentence in enumerate(one.questions, start=1):
        yield from _wrapped(sentence, f"{number}. ")
    yield ""


def _wrapped(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _part(part: Part) -> Iterator[str]:
    words = [f"*{part.name}*" if part.name else "", _load(part), _sweep(part), _repeats(part)]
    yield from (": ".join(filter(None, (words[0], ", ".join(filter(None, words[1:]))))), "")
    yield from ("| measure | expected | that is | within |", "|---|---|---|---|")
    for line in part.expect:
        at = f", at {', '.join(map(str, line.at))}" if line.at else ""
        that_is = "" if part.needs_calibration else _values(part, line)
        yield f"| {measures.title(line.measure)}{at} | `{formula(line)}` | {that_is} | {_within(line)} |"
    yield from (f"| {measures.title(name)} | | | |" for name in part.observe)
    yield ""


def _values(part: Part, line: Expect) -> str:
    """Return what the formula gives at each point, the same number only once."""
    due = [point for point in points(part, None) if not line.at or point.value in line.at]
    plain = line.model_copy(update={"tolerance": 0.0})
    unit = measures.find(line.measure).unit
    return " / ".join(dict.fromkeys(range_text(expected(plain, point.names), unit) for point in due))


def _within(line: Expect) -> str:
    return line.tolerance if isinstance(line.tolerance, str) else ""


def _load(part: Part) -> str:
    load = part.load
    if load.seconds:
        return f"image jobs for about {load.seconds:g} s of one worker"
    jobs = load.jobs or load.size * load.count
    kind = "text" if load.workload == "text" else "image"
    return f"{jobs} {kind} jobs"


def _sweep(part: Part) -> str:
    if part.sweep is None:
        return ""
    values = ", ".join(f"`{value}`" for value in part.sweep.values)
    return f"{part.sweep.name} = {values}"


def _repeats(part: Part) -> str:
    return f"{part.repeats} repeats" if part.repeats > 1 else ""
