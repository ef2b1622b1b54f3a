"""Tokens that say who somebody is: JWT, signed with the stack's secret.

One algorithm, and no other is read: https://www.rfc-editor.org/rfc/rfc8725. What somebody may do is not in
the token but in the table of users, so that it holds from the moment at which it is changed there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import jwt

from services.common.errors import QueueLabError

ALGORITHM = "HS256"
ISSUER = "queue-lab"
MIN_SECRET_BYTES = 32
MAX_TOKEN_CHARS = 2000
LEEWAY_S = 5
"""How far the clocks of two programs may be apart."""

LABCTL = "labctl"
"""The subject of the stack's own instrument, which holds the secret: an admin without a row of its own."""


class BadToken(QueueLabError):
    """This is no token of this stack. Log in again."""

    code = "bad_token"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose it is, of which version of their account; and since and until when.

    logged_in_at: when the password was given, also for a token that was given for another token.
    Both times are seconds since 1970.
    """

    subject: str
    version: int
    expires_at: float
    logged_in_at: float


class Tokens:
    """Makes and reads the tokens of one stack."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def mint(self, subject: str, ttl_s: float, version: int = 0, logged_in_at: float | None = None) -> str:
        """Return a token that is good for `ttl_s` seconds; without `logged_in_at`, somebody logs in now."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "iat": now,
            "exp": now + int(ttl_s),
            "auth_time": now if logged_in_at is None else int(logged_in_at),  # named by OpenID Connect
            "ver": version,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    def read(self, token: str) -> Claims:
        """Return what a token says; raise `BadToken` when it is forged, expired or of somebody else."""
        if len(token) > MAX_TOKEN_CHARS:
            raise BadToken("the token is too long to be one of this stack")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "iat", "exp", "auth_time"]},
            )
        except jwt.ExpiredSignatureError:
            raise BadToken("the token has expired") from None
        except jwt.InvalidTokenError:
            raise BadToken("the token is not one of this stack") from None
        version, logged_in_at = claims.get("ver", 0), claims["auth_time"]
        if not (isinstance(version, int) and isinstance(logged_in_at, int)):
            raise BadToken("the token is not one of this stack")
        return Claims(claims["sub"], version, float(claims["exp"]), float(logged_in_at))
