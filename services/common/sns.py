"""Messages of Amazon SNS as they come over HTTP: their fields, what of them is signed, and by whom.

See https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from pydantic import BaseModel, ConfigDict, Field

from services.common.errors import ConfigurationError

CLASS_HOST = "sns.queue-lab.invalid"
"""Stands in a message of the class's own sender, whose certificate nobody fetches; names end there never."""

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: Mapping[str, type[HashAlgorithm]] = MappingProxyType({"1": SHA1, "2": SHA256})
_MARKS = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")


class Envelope(BaseModel):
    """One message of SNS."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    Type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    MessageId: str = Field(min_length=1, max_length=100)
    TopicArn: str = Field(min_length=1, max_length=300)
    Message: str = Field(description="for a notification: the storage event, as JSON in a text")
    Timestamp: str = Field(max_length=40)
    SignatureVersion: Literal["1", "2"] = Field(description="1: RSA with SHA-1; 2: RSA with SHA-256")
    Signature: str = Field(max_length=2000, description="base64")
    SigningCertURL: str = Field(max_length=500, description="where the sender's certificate is")
    Subject: str | None = Field(default=None, max_length=300)
    Token: str | None = Field(default=None, max_length=2000)
    SubscribeURL: str | None = Field(default=None, max_length=3000, description="to be fetched to subscribe")

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of: names and values, a line each."""
        names = _NOTIFICATION if self.Type == "Notification" else _CONFIRMATION
        values = ((name, getattr(self, name)) for name in names)
        return "".join(f"{name}\n{value}\n" for name, value in values if value is not None).encode()

    def signed_by(self, key: RSAPrivateKey) -> Envelope:
        """Return the message with its signature."""
        signature = key.sign(self.signed, PKCS1v15(), _HASHES[self.SignatureVersion]())
        return self.model_copy(update={"Signature": base64.b64encode(signature).decode()})

    def is_signed_by(self, key: RSAPublicKey) -> bool:
        """Whether the signature is this key's, and of this message."""
        try:
            signature = base64.b64decode(self.Signature, validate=True)
            key.verify(signature, self.signed, PKCS1v15(), _HASHES[self.SignatureVersion]())
        except (InvalidSignature, ValueError):
            return False
        return True


def read_certificate(text: str) -> x509.Certificate:
    """Return a certificate from PEM, from PEM without its first and last line, or from a file of either.

    Raises `ConfigurationError`.
    """
    try:
        inside = Path(text).read_text(encoding="ascii") if text.endswith(".pem") else text
        for mark in _MARKS:
            inside = inside.replace(mark, "")
        return x509.load_der_x509_certificate(base64.b64decode("".join(inside.split()), validate=True))
    except (OSError, ValueError, binascii.Error) as error:
        raise ConfigurationError(f"LAB_SNS_CERTIFICATE is no certificate: {error}") from error


def key_of(certificate: x509.Certificate) -> RSAPublicKey | None:
    """Return the public key of a certificate; None when it is not of the kind that SNS signs with."""
    key = certificate.public_key()
    return key if isinstance(key, RSAPublicKey) else None
