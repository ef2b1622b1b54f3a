"""The callback_url of a request."""

from __future__ import annotations

from services.common.settings import TargetSettings
from services.common.targets import check_url


def checked(url: str, settings: TargetSettings) -> str:
    """Return the URL, empty when there is none; raise `BadCallback` when no webhook may go there."""
    return check_url(url, allow_private=settings.webhook_allow_private) if url else ""
