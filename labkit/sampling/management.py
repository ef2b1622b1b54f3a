"""RabbitMQ's management API, as far as it tells of queues: the same fields from 3.10 to 4.x.

See https://www.rabbitmq.com/docs/http-api-reference; `columns` keeps the answer small.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from labkit.runtime.base import Runtime
from services.common.errors import BrokerUnavailable

ANSWER_S = 1.5
WITHOUT = "unacknowledged messages and rates are not known"
"""How the sentence begins that says why the API was not used; all else is known then."""

_COLUMNS = (
    *("name", "messages_ready", "messages_unacknowledged", "consumers"),
    *("message_stats.publish", "message_stats.ack"),
)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """A queue at this moment; `published` and `acked` count since the broker started.

    None: the way that was asked does not tell.
    """

    name: str
    ready: int
    unacked: int | None
    consumers: int
    published: int | None = None
    acked: int | None = None


class Management:
    """The API at `url` (http://host:port); keeps one connection, and opens another when that is lost."""

    def __init__(self, url: str, user: str, password: str, vhost: str = "/") -> None:
        address = urlsplit(url)
        self.url = url
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port or 80, timeout=ANSWER_S
        )
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self._path = f"/api/queues/{quote(vhost, safe='')}?columns={','.join(_COLUMNS)}"

    @classmethod
    def of(cls, runtime: Runtime, environment: Mapping[str, str]) -> Management | None:
        """Return the API of a stack's broker, with its AMQP login; None when the stack does not run one."""
        url = runtime.address("rabbitmq", "management")
        amqp = urlsplit(environment.get("LAB_AMQP_URL", ""))
        if not url.startswith("http://") or not amqp.username:
            return None
        return cls(url, unquote(amqp.username), unquote(amqp.password or ""), unquote(amqp.path[1:]) or "/")

    def queues(self) -> dict[str, QueueCounts]:
        """Return all queues by name. Blocks; raises `BrokerUnavailable`."""
        try:
            answer = self._get()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            try:
                answer = self._get()  # the server may have closed an idle connection
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise BrokerUnavailable(f"the management API at {self.url} does not answer") from error
        # While a queue recovers, the broker leaves its numbers out.
        return {found["name"]: _counts(found) for found in answer if "messages_ready" in found}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _get(self) -> list[dict[str, Any]]:
        self._connection.request("GET", self._path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise BrokerUnavailable(f"the management API at {self.url} answers {response.status}")
        try:
            found: list[dict[str, Any]] = json.loads(body)
        except ValueError as error:
            raise BrokerUnavailable(f"the management API at {self.url} answers no JSON") from error
        return found


def _counts(found: Mapping[str, Any]) -> QueueCounts:
    stats = found.get("message_stats")
    stats = stats if isinstance(stats, dict) else {}  # an empty list when nothing ever happened
    return QueueCounts(
        found["name"],
        int(found["messages_ready"]),
        int(found.get("messages_unacknowledged", 0)),
        int(found.get("consumers", 0)),
        stats.get("publish", 0),
        stats.get("ack", 0),
    )
