"""Passwords: what may be one, and what is kept of it. Hashing blocks for some 50 ms, on purpose."""

from __future__ import annotations

import functools
import re
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARS = 10
MAX_CHARS = 200
MAX_HASH_CHARS = 200

USERNAME = r"^[a-z0-9][a-z0-9._-]{1,31}$"
"""Lower case: two users whose names look alike would be one in the eyes of all others."""

_HASHER = PasswordHasher()  # argon2id, as RFC 9106 recommends it where memory is short
_COMMON = frozenset(("1234567890", "password123", "password1234", "qwertyuiop", "1q2w3e4r5t", "letmein123"))
_FEW = 4


def wrong_name(username: str) -> str:
    """Return why this cannot be a user's name, "" when it can."""
    if re.fullmatch(USERNAME, username):
        return ""
    return "a name has 2 to 32 of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit"


def weakness(password: str, username: str) -> str:
    """Return why this password is none, "" when it will do: long beats colourful (NIST SP 800-63B)."""
    if len(password) < MIN_CHARS:
        return f"a password has {MIN_CHARS} characters or more"
    if len(password) > MAX_CHARS:
        return f"a password has {MAX_CHARS} characters at the most"
    plain = password.casefold()
    if username.casefold() in plain and len(plain) < len(username) + MIN_CHARS:
        return "the password is little more than the name"
    if plain in _COMMON or len(set(plain)) < _FEW:
        return "this is a password that everybody tries first"
    return ""


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return _HASHER.hash(_same(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept; without one it takes just as long to say no."""
    try:
        return _HASHER.verify(kept or _nobodys(), _same(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def _same(password: str) -> str:
    """Return one form of what different keyboards send as different code points."""
    return unicodedata.normalize("NFKC", password)


@functools.cache
def _nobodys() -> str:
    return hashed(secrets.token_urlsafe())
