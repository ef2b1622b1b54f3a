"""What is known of each job of a run: one record, filled by the generator and from the run's events."""

from __future__ import annotations

from dataclasses import dataclass, field

from labkit.load.wire import Report
from labkit.load.workloads import Planned
from services.common.messages import Clock, Event

SERVER_ERROR = 500


@dataclass(slots=True)
class Story:
    """What the events say of one job."""

    started: set[int] = field(default_factory=set)
    """Numbers of the attempts that began."""
    redelivered: int = 0
    retried: int = 0
    completed: dict[int, float] = field(default_factory=dict)
    """Attempt → when its completion was seen here, by this machine's clock."""
    failed_at: float | None = None
    notified_at: float | None = None
    """By the notifier's clock."""
    last: Event | None = None
    seen: set[str] = field(default_factory=set)

    def take(self, event: Event, now: float) -> None:
        """Add an event; one that was seen before changes nothing, since the broker delivers at least once."""
        if event.event_id in self.seen:
            return
        self.seen.add(event.event_id)
        if event.name == "job.started":
            self.started.add(event.attempt)
            self.redelivered += event.redelivered
        elif event.name == "job.retrying":
            self.retried += 1
        elif event.name == "job.completed":
            self.completed[event.attempt] = now
        elif event.name == "job.failed":
            self.failed_at = now
        elif event.name == "job.notified":
            self.notified_at = event.at
        if event.name in ("job.completed", "job.failed") and not self.ended_before(event):
            self.last = event

    def ended_before(self, event: Event) -> bool:
        """Whether an earlier event ended this generation: the first end counts, as it does in the table."""
        return self.last is not None and self.last.generation >= event.generation

    @property
    def ended(self) -> bool:
        """Whether the job came to an end."""
        return self.last is not None


@dataclass(slots=True)
class Record:
    """One job of a run. Times are seconds since the epoch by this machine's clock."""

    planned: Planned
    intended_at: float
    key: str = ""
    """Idempotency key, or a text job's id: the same each time the job is sent."""
    resent: int = 0
    """How often it was sent again because its answer was unknown."""
    sent_at: float | None = None
    held: bool = False
    """It was due while as many requests were open as there may be, and so had to wait."""
    answered_at: float | None = None
    status_code: int | None = None
    """HTTP status; None when no answer came."""
    job_id: str = ""
    story: Story = field(default_factory=Story)
    settled: str = ""
    """Status that the API gave at the end, for a job whose end no event told."""
    ended_at: float | None = None
    outcome: str = ""
    reason: str = ""
    error: str = ""
    clock: Clock = field(default_factory=dict)
    worker: str = ""
    queue: str = ""
    """Work queue that its last attempt came through."""
    verified: bool | None = None
    """Whether the downloaded result is as planned; None: not looked at."""

    @property
    def late_by_s(self) -> float | None:
        """How long after its intended time it left; None when it was not sent."""
        return None if self.sent_at is None else self.sent_at - self.intended_at

    @property
    def dropped(self) -> bool:
        """Whether it was never sent, because too many requests were open for too long."""
        return self.sent_at is None and bool(self.error)

    def take(self, report: Report) -> None:
        """Write down what the sending process reports."""
        self.intended_at, self.sent_at = report.intended_at, report.sent_at
        self.held = report.held
        self.answered_at, self.status_code = report.answered_at, report.status
        self.job_id, self.error = report.job_id, report.error

    @property
    def accepted(self) -> bool:
        """Whether the API promised to do it."""
        return self.status_code in (201, 202)

    @property
    def unknown(self) -> bool:
        """Whether the API could not say if the job was enqueued, or did not answer."""
        return self.sent_at is not None and (self.status_code is None or self.status_code >= SERVER_ERROR)
