"""Files of requests as editors read them (.http): parsed, filled in and sent.

Of the editors' notation this knows what `docs/api.http` uses: `@variable = value`, `# @name`, files by
`< path`, `{{variable}}`, `{{$guid}}` and `{{name.response.body.$.field}}`.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

POLL_S = 0.1

_VARIABLE = re.compile(r"^@(\w+) *= *(.+)$", re.MULTILINE)
_NAME = re.compile(r"^# @name (\w+)$", re.MULTILINE)
_EXPECT = re.compile(r"^# expect (\d{3})(?: within (\d+) s)?$", re.MULTILINE)
_BRACES = re.compile(r"{{(.+?)}}")
_FIELD = re.compile(r"(\w+)\.response\.body\.\$\.(\w+)")


@dataclass(frozen=True)
class HttpRequest:
    """One request; `expect` is the status that has to come within `within_s` seconds."""

    title: str
    name: str
    expect: int
    within_s: float
    method: str
    url: str
    headers: Mapping[str, str]
    body: str


@dataclass
class HttpFile:
    """A file of requests, and the answers so far by the names of their requests."""

    path: Path
    variables: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    def requests(self) -> list[HttpRequest]:
        """Read the file."""
        head, *blocks = self.path.read_text(encoding="utf-8").split("\n### ")
        self.variables = dict(_VARIABLE.findall(head)) | self.variables
        return list(map(_request, blocks))

    def send(self, request: HttpRequest, pool: urllib3.PoolManager) -> urllib3.BaseHTTPResponse:
        """Send a request until the expected status comes, or its time is over."""
        url = self._filled(request.url)
        headers = {name: self._filled(value) for name, value in request.headers.items()}
        body = b"".join(self._body(request))
        deadline = time.monotonic() + request.within_s
        while True:
            answer = pool.request(request.method, url, body=body or None, headers=headers)
            if answer.status == request.expect or time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        if answer.headers.get("content-type") == "application/json":
            self.answers[request.name] = json.loads(answer.data)
        return answer

    def _body(self, request: HttpRequest) -> Iterator[bytes]:
        is_form = "multipart" in request.headers.get("Content-Type", "")
        lines = request.body.split("\n") if request.body else []
        for number, line in enumerate(lines):
            if number and is_form:
                yield b"\r\n"
            elif number:
                yield b"\n"
            if line.startswith("< "):
                yield (self.path.parent / line.removeprefix("< ")).read_bytes()
            else:
                yield self._filled(line).encode()

    def _filled(self, text: str) -> str:
        return _BRACES.sub(lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        if name == "$guid":
            return str(uuid.uuid4())
        if found := _FIELD.fullmatch(name):
            return str(self.answers[found[1]][found[2]])
        return self.variables[name]


def _request(block: str) -> HttpRequest:
    title, _, rest = block.partition("\n")
    names, expected = _NAME.findall(rest), _EXPECT.findall(rest)
    if len(names) != 1 or len(expected) != 1:
        raise ValueError(f"{title}: it needs one name, and one status to expect")
    told = "\n".join(line for line in rest.split("\n") if not line.startswith("# "))
    head, _, body = told.strip().partition("\n\n")
    first, *headers = head.split("\n")
    method, _, url = first.partition(" ")
    [(status, within_s)] = expected
    return HttpRequest(
        title=title,
        name=names[0],
        expect=int(status),
        within_s=float(within_s or 0),
        method=method,
        url=url,
        headers=dict(line.split(": ", 1) for line in headers),
        body=body,
    )
