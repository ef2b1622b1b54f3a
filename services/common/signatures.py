"""Signatures of the Standard Webhooks scheme, version v1: HMAC-SHA256 with a secret that both sides know.

https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook as Key
from standardwebhooks.webhooks import WebhookVerificationError

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64

_WORDS = {
    "Missing required headers": "webhook-id, webhook-timestamp or webhook-signature is missing",
    "Invalid Signature Headers": "the timestamp is no number",
    "Message timestamp too old": "the timestamp is more than 5 minutes old",
    "Message timestamp too new": "the timestamp is more than 5 minutes ahead",
    "No matching signature found": "the signature does not match: another secret, or a changed body",
}


def draw_secret() -> str:
    """Draw a new secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Raise ValueError for what is no secret of the scheme; the message does not repeat it."""
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except binascii.Error:
        size = 0
    if not secret.startswith(PREFIX) or not LEAST_BYTES <= size <= MOST_BYTES:
        raise ValueError(f"must be {PREFIX} and {LEAST_BYTES} to {MOST_BYTES} bytes as base64")


def signed(secret: str, webhook_id: str, body: str, now: float) -> dict[str, str]:
    """Return the three headers of an attempt that is made `now`, in seconds since the epoch."""
    at = datetime.fromtimestamp(int(now), UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": Key(secret).sign(webhook_id, at, body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Return what is wrong with a request, empty when nothing is: its headers, its age, its signature."""
    try:
        Key(secret).verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        return _WORDS.get(str(error), str(error))
    except ValueError:  # it splits and decodes what a stranger sent
        return "the signature header is not of the form v1,…"
    return ""
