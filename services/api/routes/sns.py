"""POST /webhook/sns: the object store says, through a topic of Amazon SNS, that files have come.

SNS sends a message again after any answer of 500 and more, and may send it twice anyway: nothing here does
anything a second time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from services.api.answers import Heard
from services.api.context import Context, context
from services.api.errors import PROBLEMS, ApiError
from services.api.openapi import problems
from services.api.reading import json_body, read_json
from services.common.errors import QueueLabError
from services.common.sns import Envelope
from services.common.storage import upload_key

log = logging.getLogger(__name__)

router = APIRouter()

MAX_BODY_BYTES = 1024 * 1024
"""A message of SNS has up to 256 KiB, and its JSON is quoted once more."""
MAX_RECORDS = 1000
SHOWN_OF_KEY = 100
TRANSIENT = 500

REFUSALS = (
    *("bad_json", "bad_field", "sns_off", "sns_refused", "request_timeout", "body_too_large"),
    *("broker_unavailable", "broker_blocked", "storage_unavailable", "database_unavailable"),
    *("unconfirmed", "unroutable", "upload_busy", "sns_unreachable"),
)

_KEY = re.compile(re.escape(upload_key("")) + r"([A-Za-z0-9_-]{1,64})")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Named(_Part):
    name: str


class _Object(_Part):
    key: str


class _Stored(_Part):
    bucket: _Named
    object: _Object


class _Record(_Part):
    eventName: str  # noqa: N815  (Amazon's name)
    s3: _Stored


class _StorageEvent(_Part):
    Records: tuple[_Record, ...] = Field(default=(), max_length=MAX_RECORDS)


@router.post(
    "/webhook/sns", response_model=Heard, responses=problems(*REFUSALS), openapi_extra=json_body(Envelope)
)
async def sns(request: Request) -> Response:
    """Take a message of SNS: confirm a subscription, or enqueue the files that a storage event names."""
    parts = context(request)
    timeout_s = parts.settings.body_timeout_s
    envelope = await read_json(request, Envelope, max_bytes=MAX_BODY_BYTES, timeout_s=timeout_s)
    confirmed, records = False, list[dict[str, Any]]()
    try:
        await parts.senders.check(envelope)
        if envelope.Type == "SubscriptionConfirmation":
            fetched = await parts.senders.subscribe(envelope)
            confirmed = True
            log.info("sns_subscribed", extra={"topic": envelope.TopicArn, "fetched": fetched})
    except ApiError as error:
        log.warning("sns_refused", extra={"error": str(error)})
        raise
    if envelope.Type == "Notification":
        records = await _hear(parts, _records(envelope.Message))
    answer = {
        "type": envelope.Type,
        "message_id": envelope.MessageId,
        "confirmed": confirmed,
        "records": records,
    }
    return JSONResponse(answer)


def _records(message: str) -> Sequence[_Record]:
    try:
        return _StorageEvent.model_validate_json(message).Records
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ApiError("bad_field", f"Message: no storage event: {first['msg']}") from None


async def _hear(parts: Context, records: Sequence[_Record]) -> list[dict[str, Any]]:
    """Deal with all records, also when one of them has to come again; then raise its error."""
    heard: list[dict[str, Any]] = []
    again: ApiError | QueueLabError | None = None
    for record in records:
        job_id = _job_id(record, parts.settings.s3_bucket)
        outcome = "ignored"
        if job_id:
            try:
                outcome = (await parts.direct.heard(job_id)).status
            except (ApiError, QueueLabError) as error:
                if error.code not in PROBLEMS or PROBLEMS[error.code].status >= TRANSIENT:
                    again = again or error
                outcome = error.code
        key = unquote_plus(record.s3.object.key)[:SHOWN_OF_KEY]
        heard.append({"key": key, "outcome": outcome, "job_id": job_id})
    if again:
        raise again
    return heard


def _job_id(record: _Record, bucket: str) -> str | None:
    """Return the job whose file an event is about, None when it is about something else."""
    created = record.eventName.removeprefix("s3:").startswith("ObjectCreated:")
    found = _KEY.fullmatch(unquote_plus(record.s3.object.key))
    return found[1] if created and found and record.s3.bucket.name == bucket else None
