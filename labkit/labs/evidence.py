"""What checks look at: runs since the prediction, marks, the API, and the student's program. Only read."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.access import Access, api
from labkit.control.marks import Mark
from labkit.errors import StackDown
from labkit.experiments import measures
from labkit.experiments.calibrate import Calibration
from labkit.labs.checks import NotKnown, NotSo
from labkit.labs.content import Lab
from labkit.labs.progress import LabProgress, Print
from labkit.runs import files
from labkit.runs.read import RunFiles, all_runs
from labkit.runtime.base import Runtime
from labkit.words import command

if TYPE_CHECKING:
    from labkit.labs.exercise import Trial

FOUND = 200
PAGE = 200
FIRST, BEHIND_S = 5, 3.0
"""Where none of the first five jobs is started within 3 s, others were waiting before them."""

WRONG = {
    ("ack", "early"): (
        "The workers acknowledged each job before they did it (auto-ack): LAB_ACK=early.",
        "A crash then loses jobs.",
    ),
    ("retry", "requeue"): (
        "The workers put failed jobs back at once instead of trying later: LAB_RETRY=requeue.",
        "A bad job then comes back again and again.",
    ),
    ("prefetch", 0): (
        "The prefetch was unlimited (0).",
        "A worker then takes all jobs that wait, and leaves none for others.",
    ),
}
"""Common wrong states of a stack, by setting and value: what it was, and what that does."""


@dataclass(frozen=True)
class Evidence:
    """The evidence of one lab.

    runs_root: where run directories are. told: hears what is looked at, when that takes a while. program: the
    student's file, in a lab with code. machine: measured when it is needed.
    """

    lab: Lab
    progress: LabProgress
    runtime: Runtime
    access: Callable[[], Access]
    runs_root: Path = files.RUNS
    program: Path | None = None
    machine: Callable[[], Calibration] | None = None
    told: Callable[[str], None] = field(default=lambda _: None)
    _used: dict[str, RunFiles] = field(default_factory=dict)

    @property
    def since(self) -> float:
        """What happened before is no evidence: the moment at which prediction and stack were ready."""
        moments = (self.progress.started_at, self.progress.prepared_at, self.progress.predicted_at)
        return max(moment for moment in moments if moment is not None)

    @cached_property
    def runs(self) -> list[RunFiles]:
        """The project's runs since then, newest first; in a replay: the recorded ones."""
        if self.progress.replay:
            return recorded(self.lab)
        return [run for run in all_runs(self.runs_root) if self._counts(run)]

    def run(
        self,
        *,
        do: str,
        jobs: int,
        work_s: Sequence[float] = (),
        image: bool = False,
        setup: Mapping[str, object] | None = None,
    ) -> RunFiles:
        """Return the newest finished run of this load and set-up (settings of run.json; workers: a number).

        do: the command that makes one. Without such a run the check ends as unknown; as failed, if the newest
        run of this load was made in one of the common wrong states.
        """
        alike = [run for run in self.runs if _is_load(run, jobs, work_s, image=image)]
        if not alike:
            raise NotKnown(self._nothing(jobs, work_s, image=image), f"Type: {command(do)}")
        wanted = dict(setup or {})
        fitting = [run for run in alike if not _differences(run, wanted)]
        if not fitting:
            raise _wrong_setup(alike[0], wanted, do)
        newest = fitting[0]
        if newest.state == "running":
            raise NotKnown("The run is still under way.", "Wait until it has ended.")
        if newest.state != "finished":
            raise NotKnown(
                "The run was stopped before its end.",
                f"Wait until no job waits ({command('status')}), then once more: {command(do)}",
            )
        if _waited_behind_others(newest):
            raise NotKnown(
                "Jobs of an earlier run were still waiting when it began.",
                f"Wait until no job waits ({command('status')}), then once more: {command(do)}",
            )
        self._used[newest.directory] = newest
        return newest

    def measure(self, name: str, run: RunFiles) -> float:
        """Return a measure of a run (labkit/experiments/measures.py). Ends as unknown when there is none."""
        value = measures.measure(name, measures.Run.of(run.records))
        if value.number is None:
            raise NotKnown(f"{measures.title(name)}: {value.why}.", "Do the run once more.")
        return value.number

    def complete(self, run: RunFiles, jobs: int) -> None:
        """Fail when not all jobs were completed, or some were lost."""
        completed, lost = run.ledger.get("completed"), run.ledger.get("lost")
        if completed != jobs:
            reason = f"{completed} of {jobs} jobs were completed, {lost} were lost."
            raise NotSo(reason, f"Look at it: {command('ledger')}")

    def marks(self, run: RunFiles, kind: str) -> list[Mark]:
        """Return what was done while the run lasted."""
        ends = measures.Run.of(run.records).ends
        last = ends[-1] if ends else float("inf")
        return [mark for mark in run.marks if mark.kind == kind and mark.at <= last]

    def unacked(self, run: RunFiles, at: float, queue: str = "text.jobs") -> int | None:
        """Return how many messages were in the workers' hands last before `at`; None if nobody looked."""
        seen = [row for row in run.samples if row["name"] == queue and row["at"] <= at]
        return seen[-1]["unacked"] if seen else None

    def up(self) -> Runtime:
        """Return the runtime of a stack that is up. Raises StackDown."""
        if not self.runtime.instances():
            raise StackDown.of(self.runtime.project.name)
        return self.runtime

    def ask(self, path: str, **query: str | int) -> Mapping[str, Any]:
        """Ask the API; empty when it refuses. Raises StackDown, ApiUnreachable."""

        async def get() -> Mapping[str, Any]:
            async with api(self.up()) as client:
                answer = await client.get(path, **query)
                return answer.body if answer.status == FOUND else {}

        return asyncio.run(get())

    def download(self, path: str) -> bytes:
        """Return what the API has there; empty when it refuses. Raises StackDown, ApiUnreachable."""

        async def get() -> bytes:
            async with api(self.up()) as client:
                status, body = await client.download(path)
                return body if status == FOUND else b""

        return asyncio.run(get())

    def pictures(self) -> list[Mapping[str, Any]]:
        """Return the jobs of the API with a picture that were sent since then, newest first."""
        found: list[Mapping[str, Any]] = []
        cursor = 0
        while True:
            page = self.ask("/jobs", limit=PAGE, **({"cursor": cursor} if cursor else {}))
            new = [job for job in page.get("jobs", []) if _epoch(job["timestamp"]) >= self.since]
            found += [job for job in new if job["kind"] == "image"]
            cursor = page.get("next_cursor") or 0
            if len(new) < PAGE or not cursor:
                return found

    @cached_property
    def trial(self) -> Trial:
        """The student's program as a process, killed on the way. Raises LabError."""
        from labkit.labs.exercise import try_out  # noqa: PLC0415 - slow

        if self.program is None or not self.program.is_file():
            raise NotKnown("Your program is not there.", f"Begin: {command(f'lab start {self.lab.number}')}")
        return try_out(self.program, self.up().environment()["LAB_AMQP_URL"], self.told)

    @property
    def used(self) -> tuple[Print, ...]:
        """The fingerprints of the runs that checks have looked at."""
        return tuple(Print(self._name(run), fingerprint(run.path)) for _, run in sorted(self._used.items()))

    def _name(self, run: RunFiles) -> str:
        """Return the name under which a run is found again; of a recorded one its path in the repository."""
        if not self.progress.replay:
            return run.directory
        return run.path.relative_to(self.lab.folder.parents[1]).as_posix()

    def _counts(self, run: RunFiles) -> bool:
        begun = run.about.get("begun")
        mine = run.about.get("project") == self.runtime.project.name
        return mine and bool(begun) and _epoch(str(begun)) >= self.since

    def _nothing(self, jobs: int, work_s: Sequence[float], *, image: bool) -> str:
        kind = "image jobs" if image else "text jobs"
        each = f" of {' and '.join(f'{seconds:g}' for seconds in work_s)} s" if work_s else ""
        wanted = f"There is no run of {jobs} {kind}{each} since your prediction"
        if not self.runs:
            return f"{wanted}."
        last = self.runs[0]
        times = " and ".join(f"{seconds:g} s" for seconds in last.settings.get("work_s", []))
        each = f" of {times}" if times else ""
        return f"{wanted}; the last one had {last.settings.get('jobs')} jobs{each}."


def recorded(lab: Lab) -> list[RunFiles]:
    """Return the recorded runs of a lab, newest first; empty without any."""
    folders = sorted(path.parent for path in lab.recorded.rglob(files.ABOUT)) if lab.file.replay else []
    return sorted(map(RunFiles, folders), key=lambda run: str(run.about.get("begun")), reverse=True)


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a run's run.json and jobs.csv, one after the other."""
    digest = hashlib.sha256()
    for name in (files.ABOUT, files.JOBS):
        file = path / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def _waited_behind_others(run: RunFiles) -> bool:
    """Return whether even the first jobs waited long: the queue was not empty, or nobody worked."""
    first = sorted((record for record in run.records if record.sent_at), key=lambda one: one.sent_at or 0.0)
    waits = [one.clock["started"] - (one.sent_at or 0.0) for one in first[:FIRST] if "started" in one.clock]
    return bool(waits) and min(waits) > BEHIND_S


def _is_load(run: RunFiles, jobs: int, work_s: Sequence[float], *, image: bool) -> bool:
    settings = run.settings
    if settings.get("jobs") != jobs:
        return False
    if image:
        return not settings.get("work_s") and settings.get("workload") != "text"
    return not work_s or sorted(settings.get("work_s", [])) == sorted(set(work_s))


def _differences(run: RunFiles, wanted: Mapping[str, object]) -> list[str]:
    found = _chosen(run)
    return [name for name, value in wanted.items() if found.get(name) != value]


def _chosen(run: RunFiles) -> dict[str, Any]:
    return {**run.settings, "workers": sum(run.settings.get("workers", {}).values())}


def _wrong_setup(run: RunFiles, wanted: Mapping[str, object], do: str) -> NotKnown | NotSo:
    """Name what was other than it should be; the common wrong states with what they do."""
    name = _differences(run, wanted)[0]
    found = _chosen(run).get(name)
    mend = f"{_mend(name, wanted[name])}, then: {command(do)}"
    known = WRONG.get((name, found)) if isinstance(found, str | int) else None
    if known:
        return NotSo(" ".join(known), mend)
    return NotKnown(f"No such run had {name} {wanted[name]}; the last one had {found}.", mend)


def _mend(name: str, value: object) -> str:
    if name == "workers":
        return f"Type: {command(f'scale {value}')}"
    if name == "prefetch":
        return f"Type: {command(f'up --prefetch {value}')}"
    return f"Begin again: {command('lab restart')}"


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
