"""Reading run directories, also those that did not come to their end."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.analysis.ledger import balance
from labkit.analysis.summary import summarize
from labkit.control.marks import Mark, mark
from labkit.errors import NoRun
from labkit.load.records import Record
from labkit.project import Project
from labkit.runs import SAMPLE_COLUMNS, Run, RunFiles, about, open_run
from labkit.runs.files import JOBS, MARKS, SAMPLES
from labkit.runs.read import all_runs
from labkit.sampling.recorder import Recorder
from services.common.errors import BrokerUnavailable
from tests.support.records import completed, record
from tests.support.runs import Still, abandoned, finished, records, sample, watched
from tests.support.waiting import eventually


def test_a_finished_run_reads_back(tmp_path: Path) -> None:
    """Jobs with numbers as numbers and empty cells as None, accounts and figures as they were written."""
    jobs = records()
    found = finished(tmp_path, jobs=jobs)
    assert (found.name, found.state, found.settings["workload"]) == ("demo", "finished", "mix")
    assert [row["sequence"] for row in found.jobs] == [0, 1, 2, 3]
    first, last = found.jobs[0], found.jobs[3]
    assert (first["ended"], first["worker"], first["status_code"]) == (100.5, "worker-1", 202)
    assert (last["started"], last["outcome"], last["reason"]) == (None, "failed", "permanent")
    assert found.ledger == {**asdict(balance(jobs)), "verdict": True}
    assert found.summary == json.loads(json.dumps(asdict(summarize(jobs))))
    assert (found.samples, found.marks) == ([], [])


def test_the_accounts_can_be_drawn_up_from_the_jobs_alone(tmp_path: Path) -> None:
    """Ledger and figures follow from jobs.csv; nothing else is needed to check them."""
    found = finished(tmp_path)
    assert asdict(balance(found.records)) == asdict(balance(records()))
    assert asdict(summarize(found.records)) == asdict(summarize(records()))


@settings(max_examples=25)
@given(
    jobs=st.lists(
        st.builds(
            record,
            outcome=st.sampled_from(["", "completed", "failed"]),
            status_code=st.sampled_from([None, 202, 400, 503]),
            resent=st.integers(0, 2),
            verified=st.sampled_from([None, True, False]),
            error=st.text(),
            reason=st.sampled_from(["", "permanent"]),
        ),
        max_size=5,
    )
)
def test_any_jobs_keep_their_accounts(tmp_path_factory: pytest.TempPathFactory, jobs: list[Record]) -> None:
    """Whatever became of the jobs, their table tells the same ledger as the records."""
    found = finished(tmp_path_factory.mktemp("run"), jobs=jobs)
    assert asdict(balance(found.records)) == asdict(balance(jobs))


def test_a_run_that_is_being_written_is_running(tmp_path: Path) -> None:
    """While its writer lives, and only then."""
    run = Run.begin("demo", {}, tmp_path)
    assert RunFiles(run.path).state == "running"
    assert abandoned(run).state == "interrupted"


def test_a_killed_run_is_readable(tmp_path: Path) -> None:
    """Its jobs as they stood, its accounts drawn up from them: no job is called lost, nothing is judged."""
    run = Run.begin("demo", {}, tmp_path)
    run.progress([completed(0), record(sequence=1)])
    found = abandoned(run)
    assert [row["outcome"] for row in found.jobs] == ["completed", None]
    assert (found.ledger["completed"], found.ledger["open"], found.ledger["lost"]) == (1, 1, 0)
    assert found.ledger["verdict"] is None
    assert found.summary["completed"] == 1


def test_a_run_without_anything_is_empty(tmp_path: Path) -> None:
    """A run that was killed before its first job has no jobs, no figures and no error."""
    found = abandoned(Run.begin("demo", {}, tmp_path))
    assert (found.jobs, found.samples, found.marks, found.ledger, found.summary) == ([], [], [], {}, {})


def test_damaged_files_are_empty(tmp_path: Path) -> None:
    """Half a JSON file and cells that are no numbers do not stand in the way of the rest."""
    found = finished(tmp_path)
    (found.path / "summary.json").write_text('{"jobs": ')
    (found.path / JOBS).write_text("sequence,ended,verified,extra\n1,soon,maybe,7,8\n2,nan,True\n3")
    again = RunFiles(found.path)
    assert [(row["sequence"], row["ended"], row["verified"]) for row in again.jobs] == [
        (1, None, None),
        (2, None, True),
        (3, None, None),
    ]
    assert again.summary["jobs"] == 3


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    """When the measuring is broken off, what is known is written, and the error goes on."""
    run = Run.begin("demo", {}, tmp_path)
    with pytest.raises(KeyboardInterrupt), run.kept(lambda: [completed(0), record(sequence=1)]):
        raise KeyboardInterrupt
    found = RunFiles(run.path)
    assert (found.state, len(found.jobs), found.ledger["open"]) == ("interrupted", 2, 1)
    assert found.about["ended"]


def test_progress_is_not_written_all_the_time(tmp_path: Path) -> None:
    """Jobs are written every few seconds at most."""
    run = Run.begin("demo", {}, tmp_path)
    run.progress([completed(0)])
    run.progress([completed(0), completed(1)])
    assert len(RunFiles(run.path).jobs) == 1


def test_marks_of_the_stack_belong_to_the_run(tmp_path: Path) -> None:
    """What was done before the run, or to another stack, is not its own; each mark stands there once."""
    project = Project("class", tmp_path)
    mark(project, "scale", "too early", at=1)
    run = Run.begin("demo", {}, tmp_path / "runs", project=project)
    mark(project, "kill", "worker-1 killed", "worker-1")
    mark(Project("other", tmp_path), "kill", "not here")
    run.gather_marks()
    run.mark(Mark(run.begun, "burst", "burst 1: 50 jobs"))
    run.finish([])
    assert [found.text for found in RunFiles(run.path).marks] == ["burst 1: 50 jobs", "worker-1 killed"]
    assert (run.path / MARKS).read_text().count("\n") == 2


def test_samples_read_back(tmp_path: Path) -> None:
    """One row a second and thing."""
    found = watched(tmp_path, seconds=1)
    queue, worker = found.samples[:2]
    assert tuple(queue) == SAMPLE_COLUMNS
    assert (queue["kind"], queue["name"], queue["ready"], queue["in_per_s"]) == (
        "queue",
        "image.jobs",
        10,
        1.25,
    )
    assert (worker["kind"], worker["state"], worker["memory_mb"], worker["done"]) == (
        "instance",
        "running",
        64.0,
        3,
    )
    assert (queue["cpu_percent"], worker["ready"], worker["restarts"]) == (None, None, 0)


async def test_the_recorder_goes_on_without_a_sample(tmp_path: Path) -> None:
    """A stack that does not answer leaves a gap, and the jobs are written all the same."""

    class Silent:
        def take(self) -> None:
            raise BrokerUnavailable("gone")

    run = Run.begin("demo", {}, tmp_path)
    with Recorder(Silent(), run, lambda: [completed(0)], period_s=0.01) as recorder:  # type: ignore[arg-type]
        await eventually(lambda: recorder.missed > 3)
    found = RunFiles(run.path)
    assert (found.samples, len(found.jobs)) == ([], 1)


async def test_the_recorder_samples_until_its_end(tmp_path: Path) -> None:
    """Samples come one after the other, and one more at the end."""
    run = Run.begin("demo", {}, tmp_path)
    with Recorder(Still(sample(1.0, 0)), run, period_s=0.01):
        await eventually(lambda: len(RunFiles(run.path).samples) > 5)
    with (run.path / SAMPLES).open() as file:
        assert tuple(next(csv.reader(file))) == SAMPLE_COLUMNS


def test_a_run_is_found_in_many_ways(tmp_path: Path) -> None:
    """By nothing, number, name, prefix, what was run, or path."""
    first, second, third = (finished(tmp_path, name) for name in ("demo", "rate", "demo"))
    assert [run.path for run in all_runs(tmp_path)] == [third.path, second.path, first.path]
    for text in (None, "latest", "1", "demo", third.directory, str(third.path), third.path):
        assert open_run(text, tmp_path).path == third.path, text
    assert open_run("2", tmp_path).path == second.path
    assert open_run("rate", tmp_path).path == second.path
    assert open_run(second.directory[:-1], tmp_path).path == second.path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("9", "no run number 9"),
        ("nothing", "no run called"),
        ("20", "no run number"),
        ("./x", "no run direc"),
    ],
)
def test_what_means_no_run_gets_a_next_step(tmp_path: Path, text: str, says: str) -> None:
    """The answer names the command that lists the runs."""
    finished(tmp_path)
    with pytest.raises(NoRun, match=says) as caught:
        open_run(text, tmp_path)
    assert "results list" in caught.value.next_step


def test_an_unclear_prefix_is_refused(tmp_path: Path) -> None:
    """Two runs that begin alike are both named."""
    one, two = finished(tmp_path, "alpha"), finished(tmp_path, "beta")
    with pytest.raises(NoRun) as caught:
        open_run(one.directory[:10], tmp_path)
    assert one.directory in caught.value.message
    assert two.directory in caught.value.message


def test_without_any_run_the_demo_is_offered(tmp_path: Path) -> None:
    """An empty folder is no error of the reader's."""
    with pytest.raises(NoRun) as caught:
        open_run(None, tmp_path / "none")
    assert "labctl demo" in caught.value.next_step


def test_a_lost_latest_means_the_newest(tmp_path: Path) -> None:
    """When `latest` points to a run that was removed, the newest of the others is meant."""
    found = finished(tmp_path)
    (tmp_path / "latest").unlink()
    assert open_run(None, tmp_path).path == found.path


def test_names_make_good_directories(tmp_path: Path) -> None:
    """Whatever a run is called, its directory stays below the root."""
    for name in ("../../etc", "a b/c", "", "…", "x" * 300):
        run = Run.begin(name, {}, tmp_path)
        assert run.path.parent == tmp_path
        assert RunFiles(run.path).about["name"] == name


def test_the_code_has_a_revision_in_a_checkout_only(tmp_path: Path) -> None:
    """A folder without git's own has none."""
    assert about.revision(tmp_path) is None
    assert about.versions("4.3")["rabbitmq"] == "4.3"
