"""Tokens: what is let in, and what is not."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from labkit.doctor.entry import make_token
from labkit.passes import Pass
from services.common.tokens import ALGORITHM, ISSUER, LABCTL, LEEWAY_S, MAX_TOKEN_CHARS, BadToken, Tokens
from tests.support.api import answer, code
from tests.support.people import SECRET, Person, Town, town

OTHER = "another-secret-that-is-just-as-long-as-that-one"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Give an API with users."""
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


def claims(subject: str, **other: object) -> dict[str, object]:
    """Return the claims of a good token, with others in their place; None leaves one out."""
    now = int(time.time())
    found = {"iss": ISSUER, "sub": subject, "iat": now, "exp": now + 60, "auth_time": now, "ver": 1, **other}
    return {name: value for name, value in found.items() if value is not None}


def unsigned(subject: str) -> str:
    """Return a token that says of itself that it needs no signature."""
    parts = ({"alg": "none", "typ": "JWT"}, claims(subject))
    texts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join(texts) + "."


def hostile(anna: Person) -> dict[str, str]:
    """Return tokens that somebody might try."""
    me, now = anna.user_id, int(time.time())

    def signed(algorithm: str = ALGORITHM, secret: str = SECRET, **other: object) -> str:
        return jwt.encode(claims(me, **other), secret, algorithm)

    head, body, signature = anna.token.split(".")
    admin = base64.urlsafe_b64encode(json.dumps(claims(LABCTL)).encode()).decode().rstrip("=")
    return {
        "alg none": unsigned(me),
        "another algorithm": signed("HS512"),
        "another secret": signed(secret=OTHER),
        "expired": signed(exp=now - LEEWAY_S - 1),
        "from the future": signed(iat=now + 3600),
        "another issuer": signed(iss="somebody"),
        "no issuer": signed(iss=None),
        "no end": signed(exp=None),
        "no beginning": signed(iat=None),
        "no login": signed(auth_time=None),
        "an odd login": signed(auth_time="now"),
        "nobody's": signed(sub=None),
        "an unknown user": signed(sub="0" * 32),
        "a name for an id": signed(sub="anna"),
        "an odd subject": signed(sub="\0' or 1=1"),
        "an older password": signed(ver=0),
        "an odd version": signed(ver="1"),
        "tampered": f"{head}.{admin}.{signature}",
        "cut off": anna.token[:-1],
        "without a signature": f"{head}.{body}.",
        "no token": "x",
        "too long": anna.token + "x" * MAX_TOKEN_CHARS,
        "very long": "x" * 60_000,
    }


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
def test_a_hostile_token_is_refused(people: Town, header: str) -> None:
    """It is a 401 by whichever way it comes, and says nothing of what would have been right."""
    begin = "Bearer " if header == "Authorization" else "lab_session="
    tokens = hostile(people.anna)
    answers = {
        kind: people.stranger.ask("GET", "/jobs", **{header: begin + token}) for kind, token in tokens.items()
    }
    assert {kind: code(found) for kind, found in answers.items()} == dict.fromkeys(tokens, (401, "bad_token"))
    assert {found.headers["WWW-Authenticate"] for found in answers.values()} == {"Bearer"}


@pytest.mark.parametrize("header", ["Basic YW5uYTpw", "bearer", "Bearer ", "Bearer", "nonsense"])
def test_another_kind_of_login_is_none(people: Town, header: str) -> None:
    """Without a bearer token nobody is logged in."""
    assert code(people.stranger.ask("GET", "/jobs", Authorization=header)) == (401, "not_logged_in")


def test_a_header_wins_over_a_cookie(people: Town) -> None:
    """A bad token in the header is not made good by a cookie."""
    cookie = f"lab_session={people.anna.token}"
    assert people.stranger.ask("GET", "/jobs", Cookie=cookie).status == 200
    both = people.stranger.ask("GET", "/jobs", Cookie=cookie, Authorization="Bearer x")
    assert code(both) == (401, "bad_token")
    ben = people.ben.ask("GET", "/auth/me", Cookie=cookie)
    assert answer(ben)["username"] == "ben"


def test_whoever_is_gone_is_out_at_once(tmp_path: Path) -> None:
    """A token is worth nothing after its user was removed, or has another password."""
    with town(tmp_path) as people:
        assert people.anna.ask("GET", "/jobs").status == 200
        people.api.table.users.set_password("anna", "another hash")
        assert code(people.anna.ask("GET", "/jobs")) == (401, "bad_token")
        people.api.table.users.remove("ben")
        assert code(people.ben.ask("GET", "/jobs")) == (401, "bad_token")


def test_labctl_is_an_admin_without_an_account(people: Town) -> None:
    """Whoever holds the secret is let in; the doctor's token, made without a library, is the same."""
    for token in (Tokens(SECRET).mint(LABCTL, 60), make_token(SECRET)):
        found = Person(people.api, token).get("/auth/me")
        assert found == {"auth": "required", "username": "labctl", "role": "admin"}
    mine, doctors = (Tokens(SECRET).read(token) for token in (_passed(), make_token(SECRET)))
    assert (mine.subject, mine.version) == (doctors.subject, doctors.version) == (LABCTL, 0)
    assert abs(mine.expires_at - doctors.expires_at) < 30


def _passed() -> str:
    return Pass(SECRET).headers()["Authorization"].removeprefix("Bearer ")


def test_without_a_secret_labctl_shows_nothing() -> None:
    """A stack without one gets requests as before."""
    assert Pass.of({}).headers() == {}
    assert SECRET not in repr(Pass(SECRET))


def test_the_secret_is_not_in_a_message() -> None:
    """What is said of a bad token shows neither the token nor the secret."""
    with pytest.raises(BadToken) as refused:
        Tokens(SECRET).read("geheim.geheim.geheim")
    said: Any = str(refused.value)
    assert "geheim" not in said
    assert SECRET not in said
