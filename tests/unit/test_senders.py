"""Who may send storage events: Amazon SNS by its certificate, or the one other sender of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from labkit.sns import Sender
from services.api.errors import ApiError
from services.api.outbound import Outbound, Unreachable
from services.api.senders import MAX_CERTIFICATE_BYTES, Senders
from services.common.errors import ConfigurationError
from services.common.sns import CLASS_HOST, Envelope, read_certificate
from tests.support.sns import (
    CERTIFICATE_PATH,
    CONFIRMATION,
    HOST,
    TOPIC_ARN,
    Page,
    certificate,
    event,
    key,
    notification,
    serving,
)

BAD_ADDRESSES = [
    f"http://{HOST}{CERTIFICATE_PATH}",
    f"https://{HOST}:444{CERTIFICATE_PATH}",
    f"https://{HOST}@127.0.0.1{CERTIFICATE_PATH}",
    f"https://user@{HOST}{CERTIFICATE_PATH}",
    f"https://127.0.0.1{CERTIFICATE_PATH}",
    f"https://169.254.169.254{CERTIFICATE_PATH}",
    f"https://{HOST}.evil.test{CERTIFICATE_PATH}",
    f"https://evil.test/{HOST}{CERTIFICATE_PATH}",
    f"https://evil-{HOST}{CERTIFICATE_PATH}",
    f"https://{HOST}/other.pem",
    f"https://{HOST}{CERTIFICATE_PATH}?x=1",
    f"https://{HOST}/a/..{CERTIFICATE_PATH}",
    f"https://{HOST}\n{CERTIFICATE_PATH}",
    f"https://{HOST}\\{CERTIFICATE_PATH}",
    "https://[::1",
    f"https://{CLASS_HOST}{CERTIFICATE_PATH}",
    "file:///etc/passwd",
    "",
]


class Nowhere(Outbound):
    """The outside as nobody may see it."""

    def fetch(self, url: str, max_bytes: int) -> bytes:
        """Fail."""
        raise AssertionError(f"{url} was fetched, up to {max_bytes} bytes")


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    return Sender.keep(tmp_path_factory.mktemp("sns"))


def check(senders: Senders, body: bytes) -> None:
    asyncio.run(senders.check(Envelope.model_validate_json(body)))


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_certificates_are_fetched_from_sns_only(address: str) -> None:
    """Any other address is refused before anything is asked, also the class's when it is not trusted."""
    with pytest.raises(ApiError, match=r"URL|certificate") as refused:
        check(Senders(TOPIC_ARN, "", Nowhere()), notification(event(), SigningCertURL=address))
    assert refused.value.code == "sns_refused"


@pytest.fixture
def page() -> Page:
    return Page(body=certificate(key()).encode())


@pytest.fixture
def amazon(page: Page, tmp_path: Path) -> Iterator[Outbound]:
    """Give the way to a server that stands for the one of Amazon SNS."""
    with serving(page, tmp_path) as (port, trusted):
        yield Outbound(lambda _: ["127.0.0.1"], lambda _: True, port=port, authorities=trusted)


@pytest.mark.parametrize("version", ["1", "2"])
def test_amazon_s_messages_are_taken(amazon: Outbound, page: Page, version: str) -> None:
    """The certificate is fetched once, and both versions of the signature are good."""
    senders = Senders(TOPIC_ARN, "", amazon)
    for _ in range(2):
        check(senders, notification(event(), SignatureVersion=version, Subject="Amazon S3 Notification"))
    assert page.asked == [HOST + CERTIFICATE_PATH]
    with pytest.raises(ApiError, match="signature"):
        check(senders, notification(event(), key("thief")))


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)])
def test_a_certificate_has_its_time(amazon: Outbound, page: Page, days: tuple[int, int]) -> None:
    """One that is over, or not yet good, is refused."""
    page.body = certificate(key(), days=days).encode()
    with pytest.raises(ApiError, match="out of date"):
        check(Senders(TOPIC_ARN, "", amazon), notification(event()))


def test_another_kind_of_key_is_refused(amazon: Outbound, page: Page) -> None:
    """SNS signs with RSA."""
    page.body = certificate(ec.generate_private_key(ec.SECP256R1())).encode()
    with pytest.raises(ApiError, match="signature"):
        check(Senders(TOPIC_ARN, "", amazon), notification(event()))


@pytest.mark.parametrize("body", [b"no certificate", bytes(MAX_CERTIFICATE_BYTES + 1)])
def test_what_is_no_certificate_may_be_one_later(amazon: Outbound, page: Page, body: bytes) -> None:
    """It is not kept, and the sender is told to come again."""
    good, page.body = page.body, body
    senders = Senders(TOPIC_ARN, "", amazon)
    with pytest.raises(Unreachable):
        check(senders, notification(event()))
    page.body = good
    check(senders, notification(event()))


def test_a_name_that_points_inside_is_refused() -> None:
    """The host of the right name, at an address of this machine, is not asked."""
    with pytest.raises(ApiError, match="public network"):
        check(Senders(TOPIC_ARN, "", Outbound(lambda _: ["127.0.0.1"])), notification(event()))


def subscribe(senders: Senders, url: str) -> bool:
    body = notification("subscribe", None, **CONFIRMATION, SubscribeURL=url)
    envelope = Envelope.model_validate_json(body)
    asyncio.run(senders.check(envelope))
    return asyncio.run(senders.subscribe(envelope))


def test_a_subscription_is_confirmed_at_amazon(amazon: Outbound, page: Page) -> None:
    """SubscribeURL is fetched, once its message was found good."""
    url = f"https://{HOST}/?Action=ConfirmSubscription&Token={'t' * 64}"
    assert subscribe(Senders(TOPIC_ARN, "", amazon), url)
    assert page.asked[-1].startswith(f"{HOST}/?Action=ConfirmSubscription")


@pytest.mark.parametrize("host", ["sns.us-east-1.amazonaws.com", "sns.eu-west-1.amazonaws.com.evil.test"])
def test_a_subscription_is_confirmed_in_the_topic_s_region(amazon: Outbound, host: str) -> None:
    """Another region is another service."""
    with pytest.raises(ApiError, match=r"region|URL"):
        subscribe(Senders(TOPIC_ARN, "", amazon), f"https://{host}/?Action=ConfirmSubscription")


def test_a_certificate_is_read_in_any_writing(sender: Sender, tmp_path: Path) -> None:
    """As one line of base64, as PEM, and from a file; anything else ends the program with its reason."""
    pem = certificate(key())
    path = tmp_path / "sender.pem"
    path.write_text(pem)
    found = {
        read_certificate(text).serial_number for text in (pem, "".join(pem.split("\n")[1:-2]), str(path))
    }
    assert len(found) == 1
    for wrong in ("abc", "/nowhere/at.pem", "-----BEGIN CERTIFICATE-----"):
        with pytest.raises(ConfigurationError, match="LAB_SNS_CERTIFICATE"):
            Senders(sender.topic_arn, wrong, Nowhere())
