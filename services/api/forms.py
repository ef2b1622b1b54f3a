"""The upload forms: files and what to do with them, parsed while they arrive.

Memory stays bounded whatever is sent: one file is kept in memory up to `SPOOL_BYTES`, then on disk, and once
`SPOOLED_AT_ONCE` forms are under way the next ones go to disk from their first byte. All files of a batch
share one temporary file on disk.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.api.errors import ApiError
from services.api.reading import bounded, in_time
from services.api.shelf import Shelf

FILE_FIELDS = ("file", "image")
BATCH_FIELDS = ("files", *FILE_FIELDS)
MAX_FIELDS = 16
MAX_FIELD_BYTES = 4096
FORM_BYTES = 64 * 1024
PART_BYTES = 1024
"""Room for the headers of one file."""
SPOOL_BYTES = 1024 * 1024
SPOOLED_AT_ONCE = 16
MAX_NAME = 300
UTF_8 = (b"utf-8", b"utf8", b"us-ascii")
PRIORITY = re.compile("[0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that a client sent: open, of `size` bytes, with its cleaned name."""

    file: BinaryIO
    size: int
    filename: str


@dataclass(frozen=True, slots=True)
class Form:
    """What a client sent: files, the operations and the callback_url as text, a priority from 0 to 9."""

    uploads: tuple[Upload, ...]
    operations: str
    priority: int
    callback_url: str


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a form may hold: files in these fields, so many of them, so many bytes in all."""

    fields: tuple[str, ...]
    files: int
    bytes: int
    code: str
    too_large: str
    shelved: bool


class FormReader:
    """Reads upload forms; `max_bytes` bounds one file, `timeout_s` the time for the whole request.

    A batch may have `max_files` files with `max_batch_bytes` in all.
    """

    def __init__(self, *, max_bytes: int, max_files: int, max_batch_bytes: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._under_way = 0
        self._one = _Bounds(
            fields=FILE_FIELDS,
            files=len(FILE_FIELDS),
            bytes=max_bytes + FORM_BYTES,
            code="file_too_large",
            too_large=f"the file has more than the {max_bytes:,} bytes allowed",
            shelved=False,
        )
        self._many = _Bounds(
            fields=BATCH_FIELDS,
            files=max_files,
            bytes=max_batch_bytes + FORM_BYTES + max_files * PART_BYTES,
            code="batch_too_large",
            too_large=f"the files have more than the {max_batch_bytes:,} bytes allowed",
            shelved=True,
        )

    @contextlib.asynccontextmanager
    async def one(self, request: Request) -> AsyncIterator[Form]:
        """Yield a form of exactly one file, and close it afterwards."""
        async with self._reading(request, self._one) as form:
            if len(form.uploads) != 1:
                count = len(form.uploads)
                raise ApiError("one_file", f"the form has {count} files in `file` and `image` together")
            yield form

    @contextlib.asynccontextmanager
    async def many(self, request: Request) -> AsyncIterator[Form]:
        """Yield a form of one file or more, and close them afterwards."""
        async with self._reading(request, self._many) as form:
            if not form.uploads:
                raise ApiError("no_files", "the form has no file")
            yield form

    @contextlib.asynccontextmanager
    async def _reading(self, request: Request, bounds: _Bounds) -> AsyncIterator[Form]:
        self._under_way += 1
        try:
            async with contextlib.AsyncExitStack() as stack:
                # Nothing reaches the disk before the first byte of a file.
                shelf = stack.enter_context(_shelf()) if bounds.shelved else None
                sent = await self._parse(request, bounds, shelf)
                stack.push_async_callback(sent.close)
                yield _form(sent, bounds.fields)
        finally:
            self._under_way -= 1

    async def _parse(self, request: Request, bounds: _Bounds, shelf: Shelf | None) -> FormData:
        _check_type(request.headers.get("content-type", ""))
        receive = bounded(request, bounds.bytes, bounds.code, bounds.too_large)
        stream = Request(request.scope, receive).stream()
        parser = _Parser(request.headers, stream, shelf, bounds.files)
        parser.spool_max_size = SPOOL_BYTES if self._under_way <= SPOOLED_AT_ONCE else 1
        try:
            async with contextlib.aclosing(stream), in_time(self._timeout_s):
                return await parser.parse()
        except MultiPartException as error:
            code = "too_many_files" if parser.too_many_files and bounds.shelved else "bad_form"
            raise ApiError(code, error.message, close=True) from None
        except OSError as error:
            raise ApiError(
                "no_room", f"the upload could not be kept: {error.strerror}", close=True
            ) from error


class _Parser(MultiPartParser):
    """A parser that refuses a form without its end, and puts files onto a shelf if there is one."""

    def __init__(
        self, headers: Headers, stream: AsyncGenerator[bytes], shelf: Shelf | None, max_files: int
    ) -> None:
        super().__init__(
            headers,
            self._whole(stream),
            max_files=max_files,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        self._shelf = shelf
        self._ended = False

    @property
    def too_many_files(self) -> bool:
        """Whether parsing ended at a file too many."""
        return self._current_files > self.max_files

    def on_headers_finished(self) -> None:
        """Begin a file or a field."""
        super().on_headers_finished()
        file = self._current_part.file
        if self._shelf is not None and file is not None:
            file.file.close()
            file.file = self._shelf.add()

    def on_end(self) -> None:
        """Note that the closing boundary has come."""
        self._ended = True

    async def _whole(self, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async for chunk in stream:
            yield chunk
        if not self._ended:
            raise MultiPartException("The form is cut off: its closing boundary is missing.")


@contextlib.contextmanager
def _shelf() -> Iterator[Shelf]:
    # In memory only while there is next to nothing in it.
    with tempfile.SpooledTemporaryFile(max_size=1) as file:
        yield Shelf(file)


def _check_type(content_type: str) -> None:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise ApiError("bad_form", "the body is not multipart/form-data", close=True)
    # Some of Python's codecs make text that no JSON can carry, and some are no text at all.
    if options.get(b"charset", b"utf-8").lower() not in UTF_8:
        raise ApiError("bad_form", "the form is not in UTF-8", close=True)


def _form(sent: FormData, fields: tuple[str, ...]) -> Form:
    files = [value for name in fields for value in sent.getlist(name)]
    uploads = [_upload(value) for value in files]
    priority = _text(sent, "priority") or "0"
    if not PRIORITY.fullmatch(priority):
        raise ApiError("bad_field", "priority: it is a digit from 0 to 9")
    return Form(tuple(uploads), _text(sent, "operations"), int(priority), _text(sent, "callback_url").strip())


def _upload(value: UploadFile | str) -> Upload:
    if not isinstance(value, UploadFile):
        raise ApiError("one_file", "the field is text, not a file; with curl write -F file=@photo.jpg")
    return Upload(value.file, value.size or 0, clean_name(value.filename or ""))


def _text(sent: FormData, name: str) -> str:
    value = sent.get(name, "")
    if not isinstance(value, str):
        raise ApiError("bad_form", f"the field `{name}` is a file, not text")
    return value


def clean_name(name: str) -> str:
    """Return a file name without folders, control characters and what else does not print."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[:MAX_NAME] if printable.strip(".") else "upload"
