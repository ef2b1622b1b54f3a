"""Run directories as pandas tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from labkit.analysis.statistics import percentile, samples_needed
from labkit.analysis.summary import STAGES
from labkit.errors import NoRun
from labkit.project import REPOSITORY, RUNS
from labkit.runs.files import COLUMNS, SAMPLE_COLUMNS
from labkit.runs.find import directories
from labkit.runs.read import RunFiles, open_run
from labkit.views.results import spoken, verdict_sentence

SAMPLES = REPOSITORY / "experiments" / "samples"

TIMES = (
    "intended",
    "sent",
    "answered",
    *dict.fromkeys(name for pair in STAGES.values() for name in pair),
    "ended",
)
"""Columns of jobs.csv that hold a moment."""

_DURATIONS = {
    "latency_s": ("intended", "ended"),
    "answer_s": ("intended", "answered"),
    "answer_after_send_s": ("sent", "answered"),
    "wait_s": ("published", "started"),
    "service_s": ("started", "finished"),
}


@dataclass(frozen=True)
class Run:
    """A run. All moments in its tables are seconds after its first intended send."""

    files: RunFiles

    @cached_property
    def zero(self) -> float:
        """The first intended send, seconds since the epoch."""
        return float(min(row["intended"] for row in self.files.jobs if row["intended"]))

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """One row a job: the columns of jobs.csv, and durations in seconds.

        latency_s: intended send to end. answer_s, answer_after_send_s: intended and actual send to the API's
        answer. wait_s: in the queue. service_s: in a worker's hands.
        """
        table = pd.DataFrame(self.files.jobs, columns=list(COLUMNS)).set_index("sequence")
        for name in TIMES:
            table[name] = table[name].astype(float) - self.zero
        for name, (begin, end) in _DURATIONS.items():
            table[name] = table[end] - table[begin]
        return table

    @property
    def completed(self) -> pd.DataFrame:
        """The jobs that were completed."""
        return self.jobs[self.jobs.outcome == "completed"]

    @cached_property
    def stages(self) -> pd.DataFrame:
        """One row a completed job, one column a stage: seconds by the stage clock of the services.

        A text job is neither fetched nor stored: its processing begins at its start, and then it finishes.
        """
        jobs = self.completed
        found = pd.DataFrame({name: jobs[end] - jobs[begin] for name, (begin, end) in STAGES.items()})
        text = jobs.kind == "text"
        found.loc[text, "process"] = jobs.processed - jobs.started
        found.loc[text, "finish"] = jobs.finished - jobs.processed
        return found.rename(columns=lambda name: name.replace("_", " ")).dropna(axis="columns", how="all")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row a second and thing: the columns of samples.csv."""
        table = pd.DataFrame(self.files.samples, columns=list(SAMPLE_COLUMNS))
        table["at"] = table["at"].astype(float) - self.zero
        return table

    @cached_property
    def marks(self) -> pd.DataFrame:
        """What was done meanwhile: at, kind, text, target."""
        table = pd.DataFrame(map(asdict, self.files.marks), columns=["at", "kind", "text", "target"])
        table["at"] = table["at"].astype(float) - self.zero
        return table

    @property
    def ledger(self) -> pd.Series:
        """How many jobs became what."""
        numbers = {name: count for name, count in self.files.ledger.items() if isinstance(count, int)}
        numbers.pop("verdict", None)
        return pd.Series(numbers, name="jobs")

    @cached_property
    def workers(self) -> int:
        """How many workers there were at the beginning."""
        said = self.files.settings.get("workers")
        return sum(said.values()) if isinstance(said, dict) else self.jobs.worker.nunique()

    @property
    def duration_s(self) -> float:
        """From the first intended send to the end of the last job."""
        return float(self.jobs.ended.max())

    @property
    def throughput(self) -> float:
        """Completed jobs a second, over the whole run."""
        return len(self.completed) / self.duration_s

    def __repr__(self) -> str:
        """Say in a few lines what it is."""
        about, settings = self.files.about, self.files.settings
        choice = {name: settings[name] for name in ("workload", "arrivals", "layout") if name in settings}
        finished = self.files.state == "finished"
        verdict = (
            verdict_sentence(self.files.ledger.get("verdict"))[0]
            if finished
            else f"It was {self.files.state}."
        )
        return "\n".join(
            (
                f"{self.files.name}, begun {str(about.get('begun', '?'))[:16].replace('T', ' ')} UTC",
                f"{len(self.jobs)} jobs, {self.workers} workers; "
                + "; ".join(f"{name} {spoken(value)}" for name, value in choice.items()),
                f"{len(self.completed)} jobs completed in {self.duration_s:.1f} s. {verdict}",
                f"It is in {_near(self.files.path)}",
            )
        )


def read_run(name: str | Path | None, sample: str, runs: Path = RUNS) -> Run:
    """Return a run by its name, path, or number in `labctl results list`; None: the latest with ended jobs.

    Without any run it is the committed sample of that name. Raises NoRun.
    """
    if name is not None:
        found = RunFiles(open_run(name, runs).path)
        if not _ended(found):
            raise NoRun(f"No job of {found.directory} has ended.", "Take another one: labctl results list")
        return Run(found)
    latest = next(filter(_ended, map(RunFiles, directories(runs))), None)
    return Run(latest or RunFiles(SAMPLES / sample))


def read_runs(pattern: str | None, name: str, sample: str, runs: Path = RUNS) -> list[Run]:
    """Return all runs whose name begins with `pattern`, the oldest first; None: with `name`.

    Without any such run they are those in the committed folder of samples. Raises NoRun for a pattern that
    fits none.
    """
    begin = pattern or name
    found = [
        files for files in map(RunFiles, directories(runs)) if files.name.startswith(begin) and _ended(files)
    ]
    if pattern and not found:
        raise NoRun(
            f"No run has a name that begins with {pattern!r}.", "See what there is: labctl results list"
        )
    return [Run(files) for files in reversed(found or list(map(RunFiles, directories(SAMPLES / sample))))]


def level(begins: pd.Series, ends: pd.Series) -> pd.Series:
    """Return how many intervals are open, after each change: moment → number. An open end stays open."""
    changes = pd.concat([pd.Series(1, index=begins.dropna()), pd.Series(-1, index=ends.dropna())])
    return changes.groupby(level=0).sum().sort_index().cumsum()


def percentiles(durations: pd.DataFrame, shares: Sequence[float] = (0.5, 0.9, 0.95, 0.99)) -> pd.DataFrame:
    """Return percentiles of each column, seconds, by nearest rank; a star says that the samples are few.

    A percentile q needs 10 / (1 - q) samples.
    """
    columns = {name: durations[name].dropna().tolist() for name in durations}
    rows = {
        name: {f"P{100 * share:g}": _starred(values, share) for share in shares}
        for name, values in columns.items()
        if values
    }
    return pd.DataFrame(rows).T


def _starred(values: list[float], share: float) -> str:
    few = "*" if len(values) < samples_needed(share) else ""
    return f"{percentile(values, share):.3f} s{few}"


def _ended(files: RunFiles) -> bool:
    return any(row["outcome"] == "completed" and row["ended"] is not None for row in files.jobs)


def _near(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else str(path)
