"""/auth: accounts, passwords, cookies, and how often somebody may try."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import urllib3

from services.api.access import accounts
from services.api.settings import ApiSettings
from services.common import passwords
from services.common.program import read
from services.common.tokens import Tokens
from tests.support.api import Api, answer, code, running
from tests.support.people import PASSWORD, SECRET, Person, Town, account, town


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Town]:
    """Give an API with users."""
    with town(tmp_path, login_rate="100/minute") as made:
        yield made


def login(
    somebody: Person, username: str, password: str = PASSWORD, **headers: str
) -> urllib3.BaseHTTPResponse:
    """Log in."""
    body = {"username": username, "password": password}
    return somebody.ask("POST", "/auth/login", body, **headers)


def cookie(response: urllib3.BaseHTTPResponse) -> SimpleCookie:
    """Return the cookies of an answer."""
    return SimpleCookie(response.headers["Set-Cookie"])


def host(api: Api) -> str:
    """Return the host and port of an API."""
    return api.url.removeprefix("http://")


def test_an_account_is_made_and_logged_in_to(people: Town) -> None:
    """Register, log in, be somebody; the password is kept as argon2 only."""
    made = people.stranger.ask("POST", "/auth/register", {"username": "Clara", "password": PASSWORD})
    assert (made.status, answer(made)) == (201, {"username": "clara", "role": "user"})
    kept = people.api.table.users.find("clara")
    assert kept
    assert kept.password_hash.startswith("$argon2id$")
    logged_in = login(people.stranger, "clara")
    found = answer(logged_in)
    assert logged_in.status == 200
    assert set(found) == {"access_token", "token_type", "expires_in", "username", "role"}
    assert (found["token_type"], found["expires_in"], found["role"]) == ("bearer", 3600, "user")
    assert logged_in.headers["Cache-Control"] == "private, no-store"
    clara = Person(people.api, found["access_token"])
    assert clara.get("/auth/me") == {"auth": "required", "username": "clara", "role": "user"}


def test_a_session_is_a_cookie_too(people: Town) -> None:
    """Scripts of a page cannot read it, other sites do not send it; behind https it is kept to https."""
    account(people.api.table, "clara")
    found = cookie(login(people.stranger, "clara"))["lab_session"]
    assert (found["httponly"], found["samesite"].lower(), found["path"]) == (True, "strict", "/")
    assert (found["secure"], found["max-age"]) == ("", "3600")
    secure = login(people.stranger, "clara", X_Forwarded_Proto="https")
    assert cookie(secure)["lab_session"]["secure"] is True
    sent = f"lab_session={found.value}"
    assert answer(people.stranger.ask("GET", "/auth/me", Cookie=sent))["username"] == "clara"
    gone = people.stranger.ask("POST", "/auth/logout", Cookie=sent, Origin=f"http://{host(people.api)}")
    assert gone.status == 204
    assert cookie(gone)["lab_session"]["max-age"] == "0"


def test_a_wrong_password_says_nothing(people: Town, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown user and a wrong password have one answer, and neither is written down."""
    account(people.api.table, "clara")
    with caplog.at_level(logging.INFO):
        wrong, unknown = login(people.stranger, "clara", "geheim-geheim"), login(people.stranger, "nobody")
    assert code(wrong) == code(unknown) == (401, "bad_login")
    assert answer(wrong) == answer(unknown)
    assert wrong.headers["WWW-Authenticate"] == "Bearer"
    lines = [str(vars(record)) for record in caplog.records]
    assert sum("login_failed" in line for line in lines) == 2
    assert not any("geheim" in line or PASSWORD in line or "nobody" in line for line in lines)


def test_nobodys_password_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash is computed whether or not there is such a user."""
    seen: list[str] = []
    verify = passwords._HASHER.verify

    def noted(kept: str, password: str) -> bool:
        seen.append(kept)
        return verify(kept, password)

    monkeypatch.setattr(type(passwords._HASHER), "verify", lambda _, *given: noted(*given))
    assert not passwords.matches(None, PASSWORD)
    assert passwords.matches(passwords.hashed(PASSWORD), PASSWORD)
    costs = {re.match(r"\$argon2id\$v=\d+\$[^$]+", kept)[0] for kept in seen}  # type: ignore[index]
    assert len(seen) == 2
    assert len(costs) == 1


@pytest.mark.parametrize(
    ("username", "password", "status", "refusal"),
    [
        ("clara", "short", 400, "weak_password"),
        ("clara", "1234567890", 400, "weak_password"),
        ("clara", "aaaaaaaaaaaa", 400, "weak_password"),
        ("clara-clara", "Clara-Clara1", 400, "weak_password"),
        ("c", PASSWORD, 400, "bad_field"),
        ("-clara", PASSWORD, 400, "bad_field"),
        ("cla ra", PASSWORD, 400, "bad_field"),
        ("cl\u0430ra", PASSWORD, 400, "bad_field"),
        ("c" * 33, PASSWORD, 400, "bad_field"),
        ("clara", "x" * 201, 400, "bad_field"),
        ("anna", PASSWORD, 409, "user_exists"),
        ("ANNA", PASSWORD, 409, "user_exists"),
        ("admin", PASSWORD, 409, "user_exists"),
        ("labctl", PASSWORD, 409, "user_exists"),
    ],
)
def test_a_bad_account_is_refused(
    people: Town, username: str, password: str, status: int, refusal: str
) -> None:
    """Weak passwords, names that look like others, and names that are taken or kept."""
    body = {"username": username, "password": password}
    response = people.stranger.ask("POST", "/auth/register", body)
    assert code(response) == (status, refusal)
    assert password not in response.data.decode()


def test_nobody_registers_as_an_admin(people: Town) -> None:
    """A field that the route does not know is refused, so nobody writes a role into it."""
    body = {"username": "clara", "password": PASSWORD, "role": "admin"}
    assert code(people.stranger.ask("POST", "/auth/register", body)) == (400, "bad_field")


def test_registration_can_be_closed(tmp_path: Path) -> None:
    """Then only an admin makes accounts, with labctl."""
    with town(tmp_path, registration="closed") as people:
        body = {"username": "clara", "password": PASSWORD}
        assert code(people.stranger.ask("POST", "/auth/register", body)) == (403, "registration_closed")


def test_a_token_is_renewed_while_it_is_good(people: Town) -> None:
    """A fresh one is of the same user; nobody gets one for nothing."""
    found = answer(people.anna.ask("POST", "/auth/refresh"))
    assert Tokens(SECRET).read(found["access_token"]).subject == people.anna.user_id
    assert code(people.stranger.ask("POST", "/auth/refresh")) == (401, "not_logged_in")


def test_a_hash_is_renewed_when_its_parameters_are_old(people: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs in gets today's parameters, and stays logged in elsewhere."""
    account(people.api.table, "clara")
    before = people.api.table.users.find("clara")
    monkeypatch.setattr(passwords, "outdated", lambda _: True)
    assert login(people.stranger, "clara").status == 200
    after = people.api.table.users.find("clara")
    assert before
    assert after
    assert before.password_hash != after.password_hash
    assert before.version == after.version


def test_a_name_is_tried_so_often_and_no_more(tmp_path: Path) -> None:
    """Then it is a 429 that says when to come again, for the right password too; others are let in."""
    with town(tmp_path, login_rate="3/minute") as people:
        account(people.api.table, "clara")
        account(people.api.table, "dora")
        assert [login(people.stranger, "clara", "wrong-wrong").status for _ in range(3)] == [401] * 3
        refused = login(people.stranger, "clara")
        assert code(refused) == (429, "too_often")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert login(people.stranger, "dora").status == 200


def test_an_address_tries_so_many_names_and_no_more(tmp_path: Path) -> None:
    """Ten times as much as one user; a proxy that is trusted says whose address it is."""
    with town(tmp_path, login_rate="1/minute") as people:
        tried = [login(people.stranger, f"nobody{number}").status for number in range(11)]
        assert tried == [401] * 10 + [429]
        register = people.stranger.ask("POST", "/auth/register", {"username": "x", "password": "y"})
        assert code(register) == (429, "too_often")
        assert login(people.stranger, "nobody", X_Forwarded_For="192.0.2.7").status == 401


def test_a_network_of_ipv6_is_one_address(tmp_path: Path) -> None:
    """Every client has 2**64 of them; what stands for an address of IPv4 is just that."""
    with town(tmp_path, login_rate="1/minute") as people:
        addresses = [f"2001:db8:0:1::{number}" for number in range(11)]
        others = ["2001:db8:0:2::1", "::ffff:192.0.2.1", "::ffff:192.0.2.2", "somebody"]
        tried = [
            login(people.stranger, f"nobody{number}", X_Forwarded_For=address).status
            for number, address in enumerate([*addresses, *others])
        ]
        assert tried == [401] * 10 + [429] + [401] * len(others)


def test_only_so_many_wait_for_a_hash(people: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes later is told when to come again, instead of waiting longer than a client waits."""
    monkeypatch.setattr(accounts, "MAX_WAITING", 0)
    refused = login(people.stranger, "clara")
    assert code(refused) == (429, "too_often")
    assert refused.headers["Retry-After"] == "10"
    monkeypatch.undo()
    assert login(people.stranger, "clara").status == 401


def test_nobody_is_believed_who_is_no_proxy(tmp_path: Path) -> None:
    """Without a trusted proxy a header of the client's changes neither its address nor its cookie."""
    with town(tmp_path, login_rate="1/minute", trusted_proxies="") as people:
        account(people.api.table, "clara")
        forged = login(people.stranger, "clara", X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.7")
        assert cookie(forged)["lab_session"]["secure"] == ""
        assert login(people.stranger, "clara", X_Forwarded_For="192.0.2.8").status == 429


def test_a_user_uploads_so_much_and_no_more(tmp_path: Path) -> None:
    """Each file and each message counts, in a batch too; an admin is not counted."""
    with town(tmp_path, upload_rate="3/minute") as people:
        assert people.anna.upload().status == 202
        batch = {"messages": [{"payload": number} for number in range(3)]}
        refused = people.anna.ask("POST", "/batch-produce", batch)
        assert code(refused) == (429, "too_often")
        assert int(refused.headers["Retry-After"]) >= 1
        assert people.anna.ask("POST", "/produce", {"payload": 1}).status in (201, 429)
        assert code(people.anna.upload()) == (429, "too_often")
        assert people.ben.upload("/api/upload").status == 202
        assert [people.admin.upload().status for _ in range(5)] == [202] * 5


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://{host}"}, 201),
        ({"Sec_Fetch_Site": "same-origin"}, 201),
        ({"Origin": "http://lab.example"}, 201),
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": "http://evil.example@{host}"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"}, 403),
    ],
)
def test_a_cookie_is_good_for_the_apis_own_pages_only(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """What changes something has to come from a page that may; whoever sends a token needs no page."""
    with town(tmp_path, allowed_origins="http://lab.example") as people:
        said = {name: value.format(host=host(people.api)) for name, value in headers.items()}
        sent = {"Cookie": f"lab_session={people.anna.token}", **said}
        assert people.stranger.ask("POST", "/produce", {"payload": 1}, **sent).status == status
        assert people.stranger.ask("GET", "/jobs", **sent).status == 200
        foreign = status == 403 and bool(headers)
        assert people.anna.ask("POST", "/produce", {"payload": 1}, **said).status == (403 if foreign else 201)


def test_without_users_everybody_is_an_admin_without_a_name(tmp_path: Path) -> None:
    """Nothing is asked for, whatever a request carries; there are no accounts to make."""
    with running(tmp_path) as api:
        found = answer(api.get("/auth/me", Authorization="Bearer x", Cookie="lab_session=y"))
        assert found == {"auth": "off", "username": None, "role": "admin"}
        assert code(api.post("/auth/login", {"username": "a", "password": "b"})) == (403, "auth_off")
        assert code(api.post("/auth/register", {"username": "a", "password": "b"})) == (403, "auth_off")
        assert code(api.post("/auth/refresh", {})) == (403, "auth_off")
        assert api.post("/auth/logout", {}).status == 204
        foreign = api.http.request("POST", f"{api.url}/dlq/replay", headers={"Origin": "http://evil.example"})
        assert code(foreign) == (403, "origin_refused")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("LOCALHOST", 200),
        ("lab.localhost:8000", 200),
        ("api:8000", 200),
        ("lab.example:8443", 200),
        ("lab.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
    ],
)
def test_without_users_no_page_takes_this_machines_place(tmp_path: Path, name: str, status: int) -> None:
    """A page whose own name was made to lead here is refused; a name that was allowed is not."""
    with running(tmp_path, allowed_origins="https://lab.example:8443") as api:
        assert api.get("/jobs", Host=name).status == status
        sent = {"Host": name, "Origin": f"http://{name}"}
        made = api.http.request("POST", f"{api.url}/produce", body=b'{"payload": 1}', headers=sent)
        assert made.status == (201 if status == 200 else status)
        assert api.get("/", Host=name).status == 200  # what anybody may ask for, anybody may


def test_with_users_any_name_will_do(people: Town) -> None:
    """A page of another name has nobody's cookie."""
    assert people.anna.ask("GET", "/jobs", Host="lab.example").status == 200


def test_the_admin_of_a_setting_is_made_once(people: Town) -> None:
    """Its password is set when there is none yet, and never again."""
    for password in (PASSWORD, "another password"):
        people.api.run(people.api.parts.accounts.keep_admin(password))
    found = answer(login(people.stranger, "admin"))
    assert found["role"] == "admin"
    assert code(login(people.stranger, "admin", "another password")) == (401, "bad_login")


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_users_need_a_secret(
    secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one, or with one that can be guessed, the API does not start; it says what to do."""
    monkeypatch.setenv("LAB_AUTH", "required")
    monkeypatch.setenv("LAB_JWT_SECRET", secret)
    with pytest.raises(SystemExit):
        read(ApiSettings, "api")
    told = capsys.readouterr().err
    assert told.startswith("LAB_JWT_SECRET: LAB_AUTH=required needs 32 bytes or more")
    assert "openssl rand" in told
    monkeypatch.setenv("LAB_JWT_SECRET", SECRET)
    assert SECRET not in repr(read(ApiSettings, "api"))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LAB_AUTH", "maybe", "LAB_AUTH: Input should be 'off' or 'required'"),
        ("LAB_LOGIN_RATE", "often", "LAB_LOGIN_RATE: must look like 10/minute"),
        ("LAB_ALLOWED_ORIGINS", "*", "LAB_ALLOWED_ORIGINS: * is no origin"),
        ("LAB_ALLOWED_ORIGINS", "http://a.example/", "LAB_ALLOWED_ORIGINS: http://a.example/ is no origin"),
        ("LAB_ADMIN_PASSWORD", "admin", "LAB_ADMIN_PASSWORD: a password has 10 characters or more"),
    ],
)
def test_a_wrong_setting_is_told(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API ends at once, with one line."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit):
        read(ApiSettings, "api")
    assert capsys.readouterr().err.startswith(said)
