"""Prometheus metrics: the names are part of the contract, so they stand in one place.

Every program imports this module and counts what applies to it; `/metrics` shows them all.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

from prometheus_client import Counter, Gauge, Histogram

from services.common.errors import ObjectMissing, StorageUnavailable

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATENCIES = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300)

messages_produced = Counter("messages_produced_total", "Messages published and confirmed.", ["routing_key"])
messages_consumed = Counter("messages_consumed_total", "Messages taken from a queue.", ["queue"])
message_processing = Histogram(
    "message_processing_duration_seconds", "From delivery to acknowledgement.", ["queue"], buckets=_SECONDS
)
processing_errors = Counter("message_processing_errors_total", "Failed attempts by reason.", ["reason"])
http_requests = Histogram(
    "http_request_duration_seconds",
    "From the request's first byte to the answer's last.",
    ["method", "route", "status"],
    buckets=_SECONDS,
)
storage_operations = Counter(
    "storage_operations_total", "Calls to the object store.", ["operation", "result"]
)
stage_seconds = Histogram(
    "stage_duration_seconds", "Time a job spent in a stage.", ["stage"], buckets=_SECONDS
)
jobs_ended = Counter(
    "jobs_ended_total", "Ends of jobs, as the job table moved.", ["kind", "outcome", "reason"]
)
job_latency = Histogram(
    "job_latency_seconds", "From acceptance, or replay, to the end.", ["kind", "outcome"], buckets=_LATENCIES
)
worker_busy_seconds = Counter("worker_busy_seconds_total", "Time with at least one job in hand.")
worker_jobs_in_hand = Gauge("worker_jobs_in_hand", "Jobs delivered and not acknowledged.")
listeners = Gauge("listeners", "Live connections to /events and /ws.", ["transport"])
listeners_dropped = Counter("listeners_dropped_total", "Listeners that did not read.", ["transport"])
notifications = Counter("notifications_total", "Notifications sent.", ["outcome"])
webhook_attempts = Counter("webhook_attempts_total", "Webhooks posted, by what became of it.", ["outcome"])
webhook_seconds = Histogram(
    "webhook_duration_seconds", "From the connection to the receiver's answer.", buckets=_SECONDS
)
program_info = Gauge("program_info", "1, with the program's names as labels.", ["program", "name"])


@functools.cache
def consumed(queue: str) -> Counter:
    """Return the counter of one queue; looking it up costs more than counting."""
    return messages_consumed.labels(queue)


@contextlib.contextmanager
def storage_call(operation: str) -> Iterator[None]:
    """Count a call to the object store by its result."""
    result = "ok"
    try:
        yield
    except (ObjectMissing, StorageUnavailable) as error:
        result = "missing" if isinstance(error, ObjectMissing) else "unavailable"
        raise
    finally:
        storage_operations.labels(operation, result).inc()
