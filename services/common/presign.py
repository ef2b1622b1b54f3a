"""Signature version 4 in a URL: it lets whoever holds it send one request to an S3 server, for a while.

Written here because the minio client signs nothing but the host. What is signed on top binds the client: a
Content-Type and a Content-Length that are signed have to come exactly as they are.
See https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_EXPIRES_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs for one account of the server at `endpoint`, as the clients write that address."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str

    def url(self, method: str, path: str, headers: Mapping[str, str], *, at: datetime, expires_s: int) -> str:
        """Return a URL for `path` that is good for `expires_s` seconds (1 to a week) from `at` (UTC) on.

        The request must carry `headers` as they are given.
        """
        server = urlsplit(self.endpoint)
        signed = {"host": server.netloc, **{name.lower(): text for name, text in headers.items()}}
        names = ";".join(sorted(signed))
        scope = f"{at:%Y%m%d}/{self.region}/s3/aws4_request"
        moment = f"{at:%Y%m%dT%H%M%SZ}"
        query = "&".join(
            f"{name}={quote(value, safe='')}"
            for name, value in (
                ("X-Amz-Algorithm", ALGORITHM),
                ("X-Amz-Credential", f"{self.access_key}/{scope}"),
                ("X-Amz-Date", moment),
                ("X-Amz-Expires", str(expires_s)),
                ("X-Amz-SignedHeaders", names),
            )
        )
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        encoded = quote(path)
        request = f"{method}\n{encoded}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        told = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = _hmac(self._key(scope), told).hex()
        return f"{server.scheme}://{server.netloc}{encoded}?{query}&X-Amz-Signature={signature}"

    def _key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
