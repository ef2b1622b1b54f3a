"""Who may send storage events: the topic of the settings, signed by Amazon SNS or by the one other sender.

A certificate is fetched only from a host of Amazon SNS over HTTPS, and kept. The other sender's comes from
the settings; it is off unless somebody sets it.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from services.api.errors import ApiError
from services.api.outbound import Outbound, PrivateAddress, Unreachable
from services.common.sns import CLASS_HOST, Envelope, key_of, read_certificate
from services.common.threads import detached

MAX_CERTIFICATE_BYTES = 32 * 1024
MAX_ANSWER_BYTES = 64 * 1024
MAX_KEPT = 16
AT_ONCE = 4
TIMEOUT_S = 10.0

_HOST = re.compile(r"sns\.([a-z0-9-]{3,40})\.amazonaws\.com(\.cn)?")
_PATH = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,100}\.pem")


class Senders:
    """The senders that are trusted. Raises an `ApiError` for others, `Unreachable` when nobody answers."""

    def __init__(self, topic_arn: str, certificate: str, outbound: Outbound) -> None:
        self._topic_arn = topic_arn
        self._other = read_certificate(certificate) if certificate else None
        self._outbound = outbound
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[str, x509.Certificate] = {}

    async def check(self, envelope: Envelope) -> None:
        """Return when a message is of the right topic, and signed by a sender that is trusted."""
        if not self._topic_arn:
            raise ApiError("sns_off", "no topic may send here")
        if envelope.TopicArn != self._topic_arn:
            raise ApiError("sns_refused", "the message is of another topic")
        certificate = await self._certificate(envelope.SigningCertURL)
        key = key_of(certificate)
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise ApiError("sns_refused", "the sender's certificate is out of date")
        if key is None or not envelope.is_signed_by(key):
            raise ApiError("sns_refused", "the signature is not of this message")

    async def subscribe(self, envelope: Envelope) -> bool:
        """Confirm a subscription of a message that was checked; tell whether anything had to be fetched."""
        url = envelope.SubscribeURL or ""
        if self._other is not None and urlsplit(_readable(url)).hostname == CLASS_HOST:
            return False
        self._check_address(url)
        region = self._topic_arn.split(":")[3:4]
        found = _HOST.fullmatch(urlsplit(url).hostname or "")
        if found is None or [found[1]] != region:
            raise ApiError("sns_refused", "SubscribeURL is not of the topic's region")
        await self._fetch(url, MAX_ANSWER_BYTES)
        return True

    async def _certificate(self, url: str) -> x509.Certificate:
        parts = urlsplit(_readable(url))
        if self._other is not None and parts.hostname == CLASS_HOST:
            return self._other
        self._check_address(url)
        if not _PATH.fullmatch(parts.path) or parts.query:
            raise ApiError("sns_refused", "SigningCertURL is no certificate of Amazon SNS")
        if url not in self._kept:
            data = await self._fetch(url, MAX_CERTIFICATE_BYTES)
            try:
                certificate = x509.load_pem_x509_certificate(data)
            except ValueError:
                raise Unreachable("what is at SigningCertURL is no certificate") from None
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[url] = certificate
        return self._kept[url]

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        try:
            async with self._turns, asyncio.timeout(TIMEOUT_S):
                return await detached(lambda: self._outbound.fetch(url, max_bytes))
        except PrivateAddress as error:
            raise ApiError("sns_refused", str(error)) from None
        except TimeoutError:
            raise Unreachable(f"no answer in {TIMEOUT_S:g} s") from None

    def _check_address(self, url: str) -> None:
        """Refuse every URL but `https://sns.REGION.amazonaws.com/…`, without a port, a user or a password."""
        parts = urlsplit(_readable(url))
        if parts.scheme != "https" or not _HOST.fullmatch(parts.netloc):
            raise ApiError("sns_refused", "the URL in the message is not one of Amazon SNS")


def _readable(url: str) -> str:
    """Return a URL of printable ASCII; nothing else is worth a look."""
    if not re.fullmatch(r"[!-~]{1,3000}", url):
        raise ApiError("sns_refused", "the URL in the message is not one of Amazon SNS")
    try:
        urlsplit(url)
    except ValueError:
        raise ApiError("sns_refused", "the URL in the message is not one of Amazon SNS") from None
    return url
