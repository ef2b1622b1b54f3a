"""JSON lines on standard error: one event a line, always with the instance.

An event's name is a past-tense word from `EVENTS`; what belongs to it travels in `extra`, job_id first.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

EVENTS = (
    "program_started",
    "program_stopped",
    "program_failed",
    "broker_connected",
    "broker_lost",
    "broker_blocked",
    "broker_unblocked",
    "broker_unreachable",
    "storage_unreachable",
    "delivery_stale",
    "handler_failed",
    "user_registered",
    "password_changed",
    "accounts_delayed",
    "admin_delayed",
    "login_succeeded",
    "login_failed",
    "token_refused",
    "upload_accepted",
    "upload_failed",
    "upload_announced",
    "upload_refused",
    "upload_expired",
    "uploads_unswept",
    "sns_refused",
    "sns_subscribed",
    "original_orphaned",
    "row_delayed",
    "publish_unconfirmed",
    "job_started",
    "job_completed",
    "job_retried",
    "job_dead_lettered",
    "job_replayed",
    "message_refused",
    "faults_changed",
    "events_applied",
    "events_delayed",
    "changes_delayed",
    "listener_dropped",
    "api_lost",
    "hub_failed",
    "notification_sent",
    "webhook_delivered",
    "webhook_retried",
    "webhook_failed",
    "request_failed",
)

# Made once: json.dumps would make one for each line.
_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Render a record as one JSON object."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "instance": self._instance,
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def configure(level: str, instance: str) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(instance))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What the lines do not show need not be found out; see "Optimization" in Python's logging how-to.
    logging._srcfile = None  # noqa: SLF001 - the documented switch
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # pika reports every connection attempt with a traceback; our own events say the same in one line.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    # So do urllib3 with each retry, and the form parser with each form that is none.
    for talkative in ("urllib3", "python_multipart"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
