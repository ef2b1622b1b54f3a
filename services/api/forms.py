"""The upload form: one file and its operations, parsed while it arrives.

Memory stays bounded whatever is sent: a file is kept in memory up to `SPOOL_BYTES`, then on disk, and once
`SPOOLED_AT_ONCE` uploads are under way the next ones go to disk from their first byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.api.errors import ApiError
from services.api.reading import bounded, in_time

FILE_FIELDS = ("file", "image")
MAX_FIELDS = 16
MAX_FIELD_BYTES = 4096
FORM_BYTES = 64 * 1024
SPOOL_BYTES = 1024 * 1024
SPOOLED_AT_ONCE = 64
MAX_NAME = 300


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client sent: an open file of `size` bytes, its cleaned name, and the operations as text."""

    file: BinaryIO
    size: int
    filename: str
    operations: str


class FormReader:
    """Reads upload forms; `max_bytes` bounds the file, `timeout_s` the time for the whole request."""

    def __init__(self, *, max_bytes: int, timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._under_way = 0

    @contextlib.asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[Upload]:
        """Yield the upload, and close its file afterwards."""
        self._under_way += 1
        try:
            form = await self._parse(request)
            try:
                yield self._upload(form)
            finally:
                await form.close()
        finally:
            self._under_way -= 1

    async def _parse(self, request: Request) -> FormData:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise ApiError("bad_form", "the body is not multipart/form-data", close=True)
        receive = bounded(request, self._max_bytes + FORM_BYTES, "file_too_large", self._too_large)
        stream = Request(request.scope, receive).stream()
        parser = _Parser(
            request.headers,
            stream,
            max_files=len(FILE_FIELDS),
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        parser.spool_max_size = SPOOL_BYTES if self._under_way <= SPOOLED_AT_ONCE else 1
        try:
            async with contextlib.aclosing(stream), in_time(self._timeout_s):
                return await parser.parse()
        except MultiPartException as error:
            raise ApiError("bad_form", error.message, close=True) from None

    def _upload(self, form: FormData) -> Upload:
        files = [value for name in FILE_FIELDS for value in form.getlist(name)]
        if len(files) != 1:
            raise ApiError("one_file", f"the form has {len(files)} files in `file` and `image` together")
        file, operations = files[0], form.get("operations", "")
        if not isinstance(file, UploadFile):
            raise ApiError("one_file", "the field is text, not a file; with curl write -F file=@photo.jpg")
        if not isinstance(operations, str):
            raise ApiError("bad_form", "the field `operations` is a file, not text")
        size = file.size or 0
        if size > self._max_bytes:
            raise ApiError("file_too_large", self._too_large)
        return Upload(file.file, size, clean_name(file.filename or ""), operations)

    @property
    def _too_large(self) -> str:
        return f"the file has more than the {self._max_bytes:,} bytes allowed"


class _Parser(MultiPartParser):
    """A parser that refuses a form without its end."""

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes], **limits: int) -> None:
        super().__init__(headers, self._whole(stream), **limits)
        self._ended = False

    def on_end(self) -> None:
        """Note that the closing boundary has come."""
        self._ended = True

    async def _whole(self, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async for chunk in stream:
            yield chunk
        if not self._ended:
            raise MultiPartException("The form is cut off: its closing boundary is missing.")


def clean_name(name: str) -> str:
    """Return a file name without folders, control characters and what else does not print."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[:MAX_NAME] if printable.strip(".") else "upload"
