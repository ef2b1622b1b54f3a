"""Every error of the pipeline's programs.

    QueueLabError
    ├── ConfigurationError      a setting is missing or makes no sense
    ├── TransientError          the same work may succeed later: retried after 1, 5 and 15 s
    │   ├── BrokerUnavailable   no connection, or no confirm in time: the outcome is unknown
    │   ├── StorageUnavailable  the object store did not answer
    │   └── DatabaseUnavailable the job table did not answer
    └── PermanentError          the same work fails again: straight to the dead-letter queue
        ├── BadMessage          bytes that are not a message of the contract
        ├── Unroutable          no queue is bound for this routing key
        ├── BadCallback         a callback_url that no webhook is sent to
        └── ObjectMissing       the object is not in the store

Operations on images add their own permanent errors in `services.worker.processors.errors`.
"""

from __future__ import annotations

from typing import ClassVar


class QueueLabError(Exception):
    """Something in the pipeline went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or type(self).__doc__)


class ConfigurationError(QueueLabError):
    """A setting is missing or makes no sense; `labctl config` prints what is in force."""

    code = "configuration"


class TransientError(QueueLabError):
    """A fault that may be over on the next attempt."""

    code = "transient"


class BrokerUnavailable(TransientError):
    """The broker did not confirm: whether it has the message is unknown. Send it again."""

    code = "broker_unavailable"


class StorageUnavailable(TransientError):
    """The object store did not answer. Try again when it is back."""

    code = "storage_unavailable"


class DatabaseUnavailable(TransientError):
    """The job table did not answer. Try again when it is back."""

    code = "database_unavailable"


class PermanentError(QueueLabError):
    """A fault that every further attempt would meet again."""

    code = "permanent"


class BadMessage(PermanentError):
    """These bytes are not a message of the contract; `docs/messages.md` shows the fields."""

    code = "bad_message"


class Unroutable(PermanentError):
    """No queue is bound for this routing key; the topology was not declared."""

    code = "unroutable"


class BadCallback(PermanentError):
    """No webhook is sent to this callback_url; `docs/webhooks.md` says what it may be."""

    code = "bad_callback_url"


class ObjectMissing(PermanentError):
    """The object is not in the store; it was deleted after the upload."""

    code = "object_missing"
