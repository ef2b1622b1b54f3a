"""The Standard Webhooks scheme."""

from __future__ import annotations

import time

import pytest

from services.common.signatures import check_secret, draw_secret, signed, verify
from tests.support.receiver import SECRET, authentic

ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = '{"test": 2432232314}'


def test_the_vector_of_the_scheme() -> None:
    """Id, time and body of the scheme's own example give its signature."""
    assert signed(SECRET, ID, BODY, 1614265330.9) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_another_make_verifies_it() -> None:
    """A receiver that was written from the scheme's words takes it, whatever letters the body has."""
    secret = draw_secret()
    headers = signed(secret, "job-1:1", body := '{"file_name":"größe.png"}', time.time())
    assert authentic(headers, body.encode(), secret)
    assert not authentic(headers, body.encode(), SECRET)
    assert verify(secret, headers, body.encode()) == ""


@pytest.mark.parametrize(
    ("changes", "age_s", "said"),
    [
        ({"webhook-id": "other"}, 0, "does not match"),
        ({"webhook-signature": "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="}, 0, "does not match"),
        ({"webhook-signature": "v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="}, 0, "does not match"),
        ({"webhook-signature": "v1"}, 0, "not of the form"),
        ({"webhook-signature": "v1,a"}, 0, "not of the form"),
        ({"webhook-signature": ""}, 0, "missing"),
        ({"webhook-timestamp": "now"}, 0, "no number"),
        ({}, 400, "5 minutes old"),
        ({}, -400, "5 minutes ahead"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, str], age_s: float, said: str) -> None:
    """A changed, an old and a malformed request are refused in words."""
    headers = signed(SECRET, ID, BODY, time.time() - age_s) | changes
    assert said in verify(SECRET, headers, BODY.encode())


def test_a_changed_body_is_seen() -> None:
    """A body with one more space, or of no text at all, is refused."""
    headers = signed(SECRET, ID, BODY, time.time())
    assert "does not match" in verify(SECRET, headers, BODY.encode() + b" ")
    assert verify(SECRET, headers, b"\xff\xfe")


def test_secrets() -> None:
    """A drawn secret is one of the scheme, and new each time; a refusal does not repeat what was given."""
    assert draw_secret() != draw_secret()
    check_secret(draw_secret())
    check_secret(SECRET)
    for wrong in ("geheim", "whsec_", "whsec_geheim", "whsec_Z2VoZWlt", SECRET.removeprefix("whsec_")):
        with pytest.raises(ValueError, match="24 to 64 bytes") as refused:
            check_secret(wrong)
        assert "geheim" not in str(refused.value)
