"""Messages of SNS for tests, and a server over TLS that stands for a host of Amazon's."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from services.common.sns import Envelope

TOPIC_ARN = "arn:aws:sns:eu-west-1:123456789012:uploads"
HOST = "sns.eu-west-1.amazonaws.com"
CERTIFICATE_PATH = "/SimpleNotificationService-0a1b2c.pem"
CONFIRMATION = {"Type": "SubscriptionConfirmation", "Token": "t" * 64}


@functools.cache
def key(name: str = "amazon") -> rsa.RSAPrivateKey:
    """Return the private key of this name, always the same in one run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    of: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, host: str = HOST, days: tuple[int, int] = (-1, 30)
) -> str:
    """Return a certificate of a key for a host as PEM, good from one day to another, counted from today."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(of.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days[0]))
        .not_valid_after(now + dt.timedelta(days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(of, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def notification(message: str, signer: rsa.RSAPrivateKey | None = None, /, **more: object) -> bytes:
    """Return a message of the topic, signed with the key of Amazon unless another is given."""
    fields = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC_ARN,
        "Message": message,
        "Timestamp": "2026-11-22T08:00:00.000Z",
        "SignatureVersion": "2",
        "Signature": "",
        "SigningCertURL": f"https://{HOST}{CERTIFICATE_PATH}",
        **more,
    }
    signed = Envelope.model_validate(fields).signed_by(signer or key())
    return signed.model_dump_json(exclude_none=True).encode()


def event(*records: tuple[str, str, str], **more: object) -> str:
    """Return a storage event: name, bucket and key of each object."""
    found = [
        {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
        for name, bucket, key in records
    ]
    return json.dumps({"Records": found, **more})


@dataclass
class Page:
    """What the server answers, and the hosts and paths that it was asked for."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that does not trust this server."""


@contextlib.contextmanager
def serving(page: Page, folder: Path, host: str = HOST) -> Iterator[tuple[int, str]]:
    """Serve a page over TLS on the loopback address; give its port, and the path of whom to trust for it."""
    own = key("server")
    private = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted, both = folder / "trusted.pem", folder / "server.pem"
    trusted.write_text(certificate(own, host))
    both.write_text(private.decode() + trusted.read_text())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page.asked.append(self.headers["Host"] + self.path)
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # a client that has read enough
                self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(both)
    with _Server(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, str(trusted)
        finally:
            server.shutdown()
            thread.join(10)
