"""Presigned URLs are those that Amazon's own client would make and accept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from services.common.presign import Signer
from services.common.storage import S3Store

EXAMPLE = Signer(
    endpoint="https://examplebucket.s3.amazonaws.com",
    region="us-east-1",
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # noqa: S106 - from Amazon's manual
)


def test_the_manual_s_example_comes_out() -> None:
    """Its signature is in "Authenticating Requests: Using Query Parameters"."""
    url = EXAMPLE.url("GET", "/test.txt", {}, at=datetime(2013, 5, 24, tzinfo=UTC), expires_s=86400)
    assert url.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/lab/uploads/abc", {}),
        ("/lab/uploads/abc", {"Content-Type": "image/jpeg", "Content-Length": "123"}),
        ("/lab/a b/ü+%~", {"Content-Type": "image/png"}),
    ],
)
def test_it_is_what_botocore_signs(path: str, headers: Mapping[str, str]) -> None:
    """Another writing of the same rules comes to the same signature."""
    signer = Signer(endpoint="http://127.0.0.1:9000", region="us-east-1", access_key="a", secret_key="s/+")  # noqa: S106 - a test's
    url = signer.url("PUT", path, headers, at=datetime.now(UTC), expires_s=60)
    query = {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}
    request = AWSRequest("PUT", url.partition("?")[0], dict(headers))
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials("a", "s/+"), "s3", "us-east-1", expires=60)
    unsigned = url.partition("&X-Amz-Signature=")[0]
    request.url = unsigned
    request.headers["Host"] = "127.0.0.1:9000"
    told = auth.string_to_sign(request, auth.canonical_request(request))
    assert auth.signature(told, request) == query["X-Amz-Signature"]


def test_the_public_address_is_the_one_that_is_signed() -> None:
    """Clients outside reach the store under another name than the API does."""
    store = S3Store("http://object-store:9000", "lab", "s", "lab", "http://127.0.0.1:9555")
    assert store.presigned_put("uploads/a", {}, 60).startswith("http://127.0.0.1:9555/lab/uploads/a?X-Amz-")
    inside = S3Store("http://object-store:9000", "lab", "s", "lab")
    assert inside.presigned_put("uploads/a", {}, 60).startswith("http://object-store:9000/lab/uploads/a?")
