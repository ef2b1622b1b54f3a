"""A few lines of HTTP to 127.0.0.1. No proxy setting is followed on purpose."""

import http.client
import json
from typing import Any, Dict, NamedTuple, Optional

HOST = "127.0.0.1"
ANSWER_S = 5


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    body: bytes

    def json(self) -> Dict[str, Any]:
        """Return the body as a JSON object; an empty one if it is something else."""
        try:
            value = json.loads(self.body.decode())
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def request(
    port: int,
    path: str,
    method: str = "GET",
    body: Optional[bytes] = None,
    headers: Optional[Dict[str, str]] = None,
) -> Optional[Answer]:
    """Send one request; None when nobody there speaks HTTP within a few seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
