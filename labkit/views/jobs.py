"""Jobs: the list, one job's timeline, and uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.uploads import Upload
from labkit.views import style
from labkit.views.webhooks import webhooks_part

# Each stage runs from one stamp of the clock to the next.
STAGES = (
    ("accept", "accepted", "published"),
    ("queue wait", "published", "started"),
    ("fetch", "started", "fetched"),
    ("process", "fetched", "processed"),
    ("store", "processed", "stored"),
    ("finish", "stored", "finished"),
    ("notify", "finished", "notified"),
)
_WITHOUT_IMAGE = (*STAGES[:2], ("work", "started", "finished"), STAGES[-1])
"""Of a text job, and of one that failed on the way."""
_AFTER_ATTEMPTS = {"accept": "accept, tries", "queue wait": "wait, tries"}
"""What a stage holds when its end was stamped anew by a later attempt."""
BAR_WIDTH = 40

Job = Mapping[str, Any]


def jobs_table(jobs: Sequence[Job]) -> Table:
    """Return one line a job, as the API lists them: newest first."""
    table = style.house_table("job", "status", "operations", "worker", "took", right=("took",))
    for column in (0, 1, 3, 4):
        table.columns[column].no_wrap = True
    for job in jobs:
        took = job["durations_ms"].get("total")
        table.add_row(
            job["job_id"],
            style.state(job["status"]),
            Text(_operations(job) or job["kind"], no_wrap=True, overflow="ellipsis"),
            job["worker"] or "-",
            style.duration(took / 1000) if took is not None else "-",
        )
    return table


def change_line(change: Job) -> Text:
    """Return what became of a job, in a line; the time is that of the change, UTC."""
    at = datetime.fromtimestamp(change["seq"] / 1e6, UTC)
    line = Text(at.strftime("%H:%M:%S"), style=style.FAINT)
    line.append(f"  {change['job_id']:32}  ", style="default")
    line.append(f"{change['status']:<10}", style=style.STATUSES.get(change["status"], ""))
    clock = change["clock"]
    took = style.duration(clock["finished"] - clock["accepted"]) if _is_over(change) else ""
    line.append(f"  {took:>7}  ", style="default")
    line.append(" ".join(_told(change)), style="red" if change["error_message"] else "default")
    return line


def names(job: Job) -> list[str]:
    """Return the operations of a job without their arguments."""
    return [operation.partition(",")[0] for operation in job["operations"]]


def job_page(job: Job, step: str) -> RenderableType:
    """Return everything about one job; `step` is the command that shows its worker's log.

    Under `webhooks` it may have what GET /jobs/{id}/webhooks tells.
    """
    facts = Table.grid(padding=(0, 2, 0, 0))
    for name, value in _facts(job):
        facts.add_row(Text(name, style=style.FAINT), value)
    again = job["generation"] > 1 or job["attempts"] > 1
    parts: list[RenderableType] = [facts, "", waterfall(job["clock"], again=again)]
    if "webhooks" in job:
        parts += ["", webhooks_part(job["webhooks"])]
    if job["status"] == "failed" and job["worker"]:
        parts += ["", Text(f"See what the worker says: {step}", style=style.FAINT)]
    return Group(*parts)


def waterfall(clock: Mapping[str, float], *, again: bool = False) -> Table:
    """Return the stage clock (seconds since the epoch) as bars, each beginning where the one before ends.

    `again`: attempts were made before the one that the clock tells of.
    """
    table = style.house_table("stage", "from", "took", "", right=("from", "took"))
    stages = STAGES if "fetched" in clock else _WITHOUT_IMAGE
    stamped = [stage for stage in stages if stage[1] in clock and stage[2] in clock]
    if not stamped:
        return table
    origin = clock[stamped[0][1]]
    total = max(clock[end] for _, _, end in stamped) - origin
    for name, begin, end in stamped:
        offset, length = clock[begin] - origin, clock[end] - clock[begin]
        shown = _AFTER_ATTEMPTS.get(name, name) if again else name
        table.add_row(shown, style.duration(offset), style.duration(length), _bar(offset, length, total))
    return table


def uploads_table(uploads: Sequence[Upload]) -> Table:
    """Return one line a file: its job, or why it was refused."""
    table = style.house_table("file", "job", "status", "took", right=("took",))
    for upload in uploads:
        took = upload.job.get("durations_ms", {}).get("total")
        table.add_row(
            upload.path.name,
            upload.error or str(upload.job["job_id"]),
            style.state(upload.status) if not upload.error else Text("refused", style="red"),
            style.duration(took / 1000) if took is not None else "-",
        )
    return table


def _facts(job: Job) -> list[tuple[str, RenderableType]]:
    facts: list[tuple[str, RenderableType]] = [("job", job["job_id"]), ("status", style.state(job["status"]))]
    if job["error_message"] or job["reason"]:
        why = " - ".join(filter(None, (job["reason"], job["error_message"])))
        facts.append(("why", Text(why, style="red")))
    optional = {
        "file": _file(job),
        "operations": _operations(job),
        "worker": job["worker"],
        "queue": job["queue"],
        "attempts": str(job["attempts"]) if job["attempts"] else "",
        "accepted": _when(job["clock"].get("accepted")),
    }
    facts += [(name, value) for name, value in optional.items() if value]
    return facts + [(output["name"], _output(output)) for output in job["outputs"]]


def _output(output: Mapping[str, Any]) -> str:
    """Describe a file that the job made; what is no image has no pixels."""
    pixels = f"{output['width']}x{output['height']}, " if output["width"] else ""
    return f"{output['content_type']} ({pixels}{style.size(output['size'])})"


def _file(job: Job) -> str:
    known = job["file_name"] and job["file_size"] is not None
    return f"{job['file_name']} ({style.size(job['file_size'])})" if known else job["file_name"] or ""


def _is_over(change: Job) -> bool:
    return change["status"] in ("completed", "failed") and {"accepted", "finished"} <= change["clock"].keys()


def _told(change: Job) -> list[str]:
    """Return what is worth saying of a change: why, or else what is done and by whom."""
    why = change["error_message"] or change["reason"]
    tries = f"attempt {change['attempts']}" if change["attempts"] > 1 else ""
    announced = "(announced)" if "notified" in change["clock"] else ""
    rest = [why] if why else [change["worker"], _operations(change) or change["kind"]]
    return [word for word in (tries, *rest, announced) if word]


def _operations(job: Job) -> str:
    return "; ".join(job["operations"])


def _when(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at is not None else ""


def _bar(offset: float, length: float, total: float) -> Text:
    """Draw a bar that is at least one cell wide, so that a short stage is still seen."""
    scale = BAR_WIDTH / total if total > 0 else 0
    start = min(round(offset * scale), BAR_WIDTH - 1)
    cells = max(1, min(round(length * scale), BAR_WIDTH - start))
    return Text(" " * start + "█" * cells, style="cyan")
