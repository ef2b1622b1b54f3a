"""The sender of storage events: what Amazon's object store and its topic would send, with a key of the class.

The key stays in `.lab/sns/`, readable by its owner only; the certificate is what an API is told to trust.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote_plus

from labkit.errors import LabError
from labkit.runtime.private import make_private_dir, own_files, write_private
from services.common.storage import upload_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:queue-lab"
VALID_DAYS = 365
KEY_BITS = 2048

Version = Literal["1", "2"]


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender with its key; `certificate` is base64 in one line, as LAB_SNS_CERTIFICATE takes it."""

    key: RSAPrivateKey
    certificate: str
    topic_arn: str = TOPIC_ARN

    @classmethod
    def keep(cls, folder: Path) -> Self:
        """Read the key and the certificate kept in a folder; make them when they are not there.

        Raises LabError.
        """
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow

        with own_files(folder):
            path = make_private_dir(folder) / "sender.pem"
            if not path.exists():
                write_private(path, "".join(_make()))
            text = path.read_text(encoding="ascii")
        key_pem, _, certificate = text.partition("-----BEGIN CERTIFICATE-----")
        try:
            key = serialization.load_pem_private_key(key_pem.encode(), password=None)
        except ValueError as error:
            raise LabError(f"{path} has no key: {error}.", "Delete the file; a new one is made.") from None
        return cls(key, "".join(certificate.partition("-----END")[0].split()))  # type: ignore[arg-type]

    @property
    def settings(self) -> dict[str, str]:
        """What an API has to be told to take this sender's messages."""
        return {"LAB_SNS_TOPIC_ARN": self.topic_arn, "LAB_SNS_CERTIFICATE": self.certificate}

    def notification(self, bucket: str, keys: Sequence[str], *, version: Version = "2") -> bytes:
        """Return the message that objects were created, as the body of a request."""
        event = {"Records": [_record(bucket, key) for key in keys]}
        return self._message("Notification", json.dumps(event), version, Subject="Amazon S3 Notification")

    def confirmation(self, *, version: Version = "2") -> bytes:
        """Return the message that asks whether a subscription is wanted."""
        from services.common.sns import CLASS_HOST  # noqa: PLC0415 - slow

        token = uuid.uuid4().hex
        url = f"https://{CLASS_HOST}/?Action=ConfirmSubscription&TopicArn={self.topic_arn}&Token={token}"
        said = f"You have chosen to subscribe to the topic {self.topic_arn}."
        return self._message("SubscriptionConfirmation", said, version, Token=token, SubscribeURL=url)

    def _message(self, kind: str, message: str, version: Version, **more: str) -> bytes:
        from services.common.sns import CLASS_HOST, Envelope  # noqa: PLC0415 - slow

        fields = {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": self.topic_arn,
            "Message": message,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": version,
            "Signature": "",
            "SigningCertURL": f"https://{CLASS_HOST}/SimpleNotificationService-class.pem",
        }
        envelope = Envelope.model_validate({**fields, **more})
        return envelope.signed_by(self.key).model_dump_json(exclude_none=True).encode()


def object_key(name: str) -> str:
    """Return the key of what a person names: a job_id stands for its upload."""
    return name if "/" in name else upload_key(name)


def tampered(body: bytes) -> bytes:
    """Return a message as somebody would change it on its way: the signature stays as it was."""
    message = json.loads(body)
    return json.dumps({**message, "Message": message["Message"] + " "}).encode()


def _record(bucket: str, key: str) -> dict[str, object]:
    """Return what S3 says of one new object; in an event a key is encoded as in a form."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": TOPIC_ARN.split(":")[3],
        "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": quote_plus(key, safe="/"), "sequencer": uuid.uuid4().hex[:16].upper()},
        },
    }


def _make() -> tuple[str, str]:
    """Return a new key and a certificate of it, as PEM."""
    from cryptography import x509  # noqa: PLC0415 - slow
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - slow
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - slow
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - slow

    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Queue Lab storage events")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
