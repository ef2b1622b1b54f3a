"""The report: one page of a run, whatever there is of it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from labkit.control.marks import Mark
from labkit.load.records import Record
from labkit.report import pictures, series
from labkit.report.markup import Html, joined, table, tag
from labkit.report.page import report_page, write_report
from labkit.runs import STAGES, Run, RunFiles
from labkit.sampling.recorder import Recorder
from labkit.sampling.samples import QueueSample, Sample
from tests.support.records import completed, record
from tests.support.runs import Still, abandoned, finished, records, watched

EVIL = "<script>alert('&')</script>\"$\\frac{1}$ 日本 \x00"


class Reader(HTMLParser):
    """Reads a page: its text, the elements that are open at its end, and what it would load."""

    VOID = frozenset({"meta", "path", "use", "rect", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        links = [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.loads += [link for link in links if not link.startswith("#")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that is closed at once."""
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += f"{data} "


def _read(run: RunFiles) -> Reader:
    reader = Reader()
    reader.feed(report_page(run))
    reader.close()
    assert reader.open == []
    assert reader.loads == []
    assert "script" not in reader.tags
    return reader


def test_a_whole_run_has_all_parts(tmp_path: Path) -> None:
    """Verdict, figures, pictures, marks, shares, ledger and settings stand on the page."""
    page = _read(watched(tmp_path))
    for words in (
        "Every job is accounted for.",
        "3/4",
        "2.00",
        "Throughput",
        "ready in image.jobs",
        "worker: 1 → 3",
        "worker-1 killed",
        "queue wait",
        "worker-2",
        "permanent",
        "not an image",
        "workload",
        "Machine",
    ):
        assert words in page.text, words


def test_pictures_are_whole_and_carry_nothing_foreign(tmp_path: Path) -> None:
    """Each picture is XML of its own, without a description that names other places."""
    run = watched(tmp_path)
    clock = series.clock_of(run)
    for svg in (pictures.timeline(run, clock), pictures.distribution(series.spans(run.jobs))):
        ET.fromstring(svg)  # noqa: S314  (made here)
        assert "<metadata" not in svg
        assert "DOCTYPE" not in svg


def test_the_two_pictures_share_no_identifier(tmp_path: Path) -> None:
    """Within one page an identifier means one thing."""
    run = watched(tmp_path)
    clock = series.clock_of(run)
    pair = (pictures.timeline(run, clock), pictures.distribution(series.spans(run.jobs)))
    clips = [
        {node.get("id") for node in ET.fromstring(svg).iter() if node.tag.endswith("clipPath")}  # noqa: S314
        for svg in pair
    ]
    assert clips[0]
    assert not clips[0] & clips[1]


def test_a_run_without_samples(tmp_path: Path) -> None:
    """The page says that none were taken, and shows the rest."""
    assert "no samples were taken" in _read(finished(tmp_path)).text


@pytest.mark.parametrize(
    "jobs",
    [
        [record(outcome="failed", reason="permanent", ended_at=101.0)],
        [record()],
        [record(status_code=503, answered_at=None, sent_at=None)],
        [completed(0)],
        records([0.0]),
    ],
    ids=["failed", "open", "never sent", "one", "no time at all"],
)
def test_a_run_of_little(tmp_path: Path, jobs: list[Record]) -> None:
    """However little happened, there is a page."""
    assert "Ledger" in _read(finished(tmp_path, jobs=jobs)).text


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    """With or without jobs."""
    run = Run.begin("demo", {}, tmp_path)
    assert "still under way" in _read(RunFiles(run.path)).text
    page = _read(abandoned(run))
    assert "interrupted" in page.text
    assert "No jobs" in page.text
    run.finish([completed(0), record(sequence=1)], state="interrupted")
    assert "interrupted" in _read(RunFiles(run.path)).text


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    """Names, errors, settings and marks may hold anything."""
    hostile = [
        completed(0, worker=EVIL),
        record(sequence=1, outcome="failed", reason=EVIL, error=EVIL, ended_at=101.0),
    ]
    run = Run.begin(EVIL, {EVIL: EVIL, "jobs": EVIL, "workload": EVIL}, tmp_path)
    with Recorder(Still(Sample(100.0, (QueueSample(EVIL.replace("\x00", ""), 3, consumers=2),))), run):
        pass
    run.mark(Mark(101.0, EVIL, EVIL, EVIL))
    run.finish(hostile)
    page = _read(RunFiles(run.path))
    assert "<script>alert('&')</script>" in page.text


def test_the_report_is_written_into_the_run_or_elsewhere(tmp_path: Path) -> None:
    """The page has its place, and may have another."""
    run = finished(tmp_path)
    assert write_report(run) == run.path / "report.html"
    assert write_report(run, tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_markup_escapes_texts_and_keeps_html() -> None:
    """What was made here passes, everything else is text."""
    assert tag("p", "a < b", Html("<br>"), class_='"') == '<p class="&quot;">a &lt; b<br></p>'
    assert joined(("<", tag("b", "&"))) == "&lt;<b>&amp;</b>"
    assert "<td>&lt;td&gt;</td>" in table(("",), (("<td>",),))


def test_rates_count_each_moment_once() -> None:
    """The area under the rates is the number of moments."""
    clock = series.Clock(100.0, 7.3)
    points = series.rate([100.0, 100.0, 103.2, 107.3], clock)
    assert sum(value for _, value in points) * series.bin_width(7.3) == pytest.approx(4)


def test_the_level_rises_and_falls() -> None:
    """A job is under way from one time to the other; one without an end stays."""
    rows: list[dict[str, float | None]]
    rows = [{"sent": 100.0, "ended": 102.0}, {"sent": 101.0, "ended": None}, {"sent": None, "ended": None}]
    clock = series.Clock(100.0, 2.0)
    assert series.level(rows, "sent", "ended", clock) == [(0.0, 1.0), (1.0, 2.0), (2.0, 1.0)]


def test_the_distribution_ends_with_all_jobs() -> None:
    """However much it is thinned out, its last point is the largest value."""
    values = [float(number) for number in range(5000)]
    points = series.ecdf(values)
    assert len(points) < 400
    assert points[-1] == (4999.0, 1.0)
    assert series.ecdf([2.0, 1.0]) == [(1.0, 0.5), (2.0, 1.0)]


def test_stages_of_jobs_by_hand() -> None:
    """Each stage is between two marks of the clock; a text job's processing counts from its start."""
    image, text = records([1.0, 2.0], failed=0)
    text.clock = {"published": 100.2, "started": 100.5, "processed": 100.9}
    rows = [
        {**dict.fromkeys(("outcome", "intended", "sent", "answered", "ended")), **_row(made)}
        for made in (image, text)
    ]
    found = series.spans(rows)
    assert found["latency"] == pytest.approx([1.0, 2.0])
    assert found["process"] == pytest.approx([0.15, 0.4])
    assert found["queue wait"] == pytest.approx([0.55, 0.3])
    assert len(found["fetch"]) == 1


def test_services_of_instances() -> None:
    """A number at the end is not the service's."""
    assert [series.service_of(name) for name in ("worker-2", "object-store-1", "7")] == [
        "worker",
        "object-store",
        "7",
    ]


def _row(made: Record) -> dict[str, object]:
    return {
        **{stage: made.clock.get(stage) for stage in STAGES},
        "outcome": made.outcome,
        "intended": made.intended_at,
        "sent": made.sent_at,
        "answered": made.answered_at,
        "ended": made.ended_at,
    }
