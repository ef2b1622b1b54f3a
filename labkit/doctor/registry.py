"""Asks a registry whether it has an image, as https://distribution.github.io/distribution/spec/api/ says.

Only the head of the image's manifest is asked for: that is no pull, and registries do not count it as one.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Dict, Optional, Tuple

ANSWER_S = 5
HUB = "registry-1.docker.io"
FOUND, LOGIN, MISSING = 200, 401, 404
KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


def server(name: str) -> str:
    """Return the host of the registry that an image comes from."""
    return _parts(name)[0]


def offers(name: str, scheme: str = "https") -> Optional[bool]:
    """Tell whether the registry has the image; None when it does not answer, or not as expected."""
    host, repository, tag = _parts(name)
    url = f"{scheme}://{host}/v2/{repository}/manifests/{tag}"
    try:
        status, challenge = _head(url, {})
        if status == LOGIN:
            status, _ = _head(url, {"Authorization": f"Bearer {_token(challenge)}"})
    except (OSError, ValueError, KeyError):  # urllib's errors are OSErrors
        return None
    return {FOUND: True, MISSING: False}.get(status)


def _parts(name: str) -> Tuple[str, str, str]:
    """Split as Docker does: `postgres:17` is docker.io's library/postgres."""
    host, slash, rest = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = HUB, name
    repository, _, tag = rest.partition(":")
    if host == HUB and "/" not in repository:
        repository = f"library/{repository}"
    return host, repository, tag or "latest"


def _head(url: str, headers: Dict[str, str]) -> Tuple[int, str]:
    """Return the status of a HEAD request, and how to log in if that is asked for."""
    request = urllib.request.Request(url, headers=dict(headers, Accept=KINDS), method="HEAD")  # noqa: S310 - our own URL
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - same
            return int(answer.status), ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("WWW-Authenticate", "")


def _token(challenge: str) -> str:
    """Get the token that everybody gets: no name and no password are sent."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm")
    if not realm.startswith(("https://", "http://127.0.0.1")):
        raise ValueError(realm)
    url = f"{realm}?{urllib.parse.urlencode(fields)}"
    with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:  # noqa: S310 - the scheme was looked at
        return str(json.loads(answer.read().decode())["token"])
