"""/auth/password and /auth/refresh: what a session can do for its user, and what it cannot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import urllib3

from services.api.routes.auth import SESSION_S
from services.common.tokens import Tokens
from tests.support.api import answer, code
from tests.support.people import PASSWORD, SECRET, Person, Town, account, town


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Town]:
    """Give an API with users."""
    with town(tmp_path, login_rate="100/minute") as made:
        account(made.api.table, "clara")
        yield made


def login(people: Town, password: str = PASSWORD) -> urllib3.BaseHTTPResponse:
    """Log clara in."""
    return people.stranger.ask("POST", "/auth/login", {"username": "clara", "password": password})


def session(people: Town) -> Person:
    """Return clara, logged in."""
    return Person(people.api, answer(login(people))["access_token"])


def test_a_session_is_not_renewed_for_ever(people: Town) -> None:
    """Twelve hours after the login it takes the password again, however often there was a fresh token."""
    user = people.api.table.users.get(people.anna.user_id)
    assert user

    def renewed(login_ago_s: float) -> urllib3.BaseHTTPResponse:
        token = Tokens(SECRET).mint(user.user_id, 60, user.version, time.time() - login_ago_s)
        return Person(people.api, token).ask("POST", "/auth/refresh")

    fresh = renewed(SESSION_S - 60)
    assert fresh.status == 200
    found = Tokens(SECRET).read(answer(fresh)["access_token"])
    assert time.time() - found.logged_in_at > SESSION_S - 70
    assert code(renewed(SESSION_S + 60)) == (401, "bad_token")


def test_a_user_changes_the_password(people: Town) -> None:
    """Every session ends but the one that changed it, which goes on with the token that it gets."""
    clara, elsewhere = session(people), session(people)
    changed = clara.ask("POST", "/auth/password", {"password": PASSWORD, "new_password": "another battery"})
    assert changed.status == 200
    assert SimpleCookie(changed.headers["Set-Cookie"])["lab_session"].value == answer(changed)["access_token"]
    assert Person(people.api, answer(changed)["access_token"]).get("/auth/me")["username"] == "clara"
    assert {who.ask("GET", "/auth/me").status for who in (clara, elsewhere)} == {401}
    assert login(people).status == 401
    assert login(people, "another battery").status == 200


@pytest.mark.parametrize(
    ("password", "fresh", "status", "refusal"),
    [
        ("wrong-wrong", "another battery", 401, "bad_login"),
        (PASSWORD, "short", 400, "weak_password"),
        (PASSWORD, "Clara", 400, "weak_password"),
        (PASSWORD, PASSWORD, 400, "weak_password"),
        (PASSWORD, "x" * 201, 400, "bad_field"),
    ],
)
def test_a_bad_change_changes_nothing(
    people: Town, password: str, fresh: str, status: int, refusal: str
) -> None:
    """Whoever got hold of a session does not know the password; the next one is as strong as the first."""
    clara = session(people)
    refused = clara.ask("POST", "/auth/password", {"password": password, "new_password": fresh})
    assert code(refused) == (status, refusal)
    assert clara.ask("GET", "/auth/me").status == 200
    assert login(people).status == 200


def test_a_password_is_tried_with_a_session_as_often_as_without(tmp_path: Path) -> None:
    """A stolen token is no way around the bound on logins."""
    with town(tmp_path, login_rate="3/minute") as people:
        wrong = {"password": "wrong-wrong", "new_password": "another battery"}
        tried = [people.anna.ask("POST", "/auth/password", wrong).status for _ in range(4)]
        assert tried == [401, 401, 401, 429]
