"""The API of the running stack as the doctor asks it; where users have to log in, it shows a token.

The token is that of `labkit.passes`, made with the standard library only; a test compares both.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Dict, NamedTuple, Optional

from labkit.doctor.http import Answer, request
from labkit.doctor.project import Project, setting

ISSUER = "queue-lab"
LABCTL = "labctl"
GOOD_FOR_S = 300


class Api(NamedTuple):
    """The port at which an API answers, and the secret that it checks tokens with; "" for none."""

    port: int
    secret: str = ""

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: Optional[bytes] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> Optional[Answer]:
        """Send one request; None when nobody there speaks HTTP within a few seconds."""
        shown = {"Authorization": f"Bearer {make_token(self.secret)}"} if self.secret else {}
        return request(self.port, path, method, body, {**shown, **(headers or {})})


def api_of(project: Project) -> Api:
    """Return the way into the API of a project's stack."""
    return Api(project.port("api"), setting("LAB_JWT_SECRET") or _kept(project))


def make_token(secret: str) -> str:
    """Return a JWT of labctl, signed by HS256."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": LABCTL, "iat": now, "exp": now + GOOD_FOR_S, "auth_time": now}
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{text}.{_plain(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def _part(value: Dict[str, Any]) -> str:
    return _plain(json.dumps(value).encode())


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _kept(project: Project) -> str:
    """Return the secret that labctl has drawn for this project; "" if there is none."""
    try:
        kept = json.loads((project.state_dir / "credentials.json").read_text())
    except (OSError, ValueError):
        return ""
    return str(kept.get("jwt_secret", "")) if isinstance(kept, dict) else ""
