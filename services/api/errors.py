"""What the API answers when it cannot do what was asked: `{"error": {"code", "message", "hint"}}`.

`PROBLEMS` is the one list of codes; `docs/api.md` shows it and is held to it by a test. Errors of the
pipeline (`QueueLabError`) are looked up by their own code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from services.common.errors import QueueLabError

log = logging.getLogger(__name__)

RETRY_AFTER_S = 2
LINGER_BYTES = 1024 * 1024
LINGER_S = 1.0

BODY_ENDED = "lab.body_ended"
"""Whether a request was read to its end: a key of its ASGI scope."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of error: its HTTP status, and what to do next."""

    status: int
    hint: str


PROBLEMS: Mapping[str, Problem] = MappingProxyType(
    {
        "bad_form": Problem(400, "Send multipart/form-data, e.g. curl -F file=@photo.jpg …/upload"),
        "one_file": Problem(400, "Send exactly one file, in the field `file` or in the field `image`."),
        "no_files": Problem(400, "Send files: curl -F files=@a.jpg -F files=@b.jpg …/upload/batch"),
        "bad_operation": Problem(400, "docs/api.md shows the grammar; `resize,800x600` works."),
        "bad_callback_url": Problem(
            400,
            "Give http://host/path or https://host/path of a public host; "
            "LAB_WEBHOOK_ALLOW_PRIVATE=true opens this machine and private networks.",
        ),
        "weak_password": Problem(
            400, "Choose a longer one; several words that do not belong together are good."
        ),
        "bad_json": Problem(400, "Send a JSON object with Content-Type: application/json."),
        "bad_field": Problem(400, "docs/api.md lists the fields of this route and what they may be."),
        "processing_time_too_long": Problem(400, "Ask for less, or raise LAB_MAX_PROCESSING_TIME_S."),
        "not_logged_in": Problem(
            401,
            "POST /auth/login gives a token: send it as Authorization: Bearer …, or as the cookie that came.",
        ),
        "bad_token": Problem(401, "Log in again: POST /auth/login"),
        "bad_login": Problem(401, "Check both; labctl user password NAME sets another password."),
        "admin_only": Problem(403, "Ask an admin; labctl user add NAME --admin makes one."),
        "auth_off": Problem(403, "Set LAB_AUTH=required to have users."),
        "registration_closed": Problem(403, "Ask an admin for an account; labctl user add NAME makes one."),
        "origin_refused": Problem(403, "Add the page's origin to LAB_ALLOWED_ORIGINS."),
        "sns_off": Problem(403, "Set LAB_SNS_TOPIC_ARN to the topic that may send here."),
        "sns_refused": Problem(403, "docs/api.md says whose messages are taken, and how they are checked."),
        "route_not_found": Problem(404, "GET / lists the routes."),
        "job_not_found": Problem(404, "Check the job_id; GET /jobs lists the newest jobs."),
        "batch_not_found": Problem(
            404, "Check the batch_id; a batch of which every file was refused has no jobs to show."
        ),
        "letter_not_found": Problem(404, "GET /dlq lists the letters; a replay may have taken it."),
        "no_such_output": Problem(404, "GET /status/{job_id} lists the outputs of the job."),
        "object_missing": Problem(404, "It was deleted from the object store; upload the file again."),
        "method_not_allowed": Problem(405, "The Allow header names the methods of this route."),
        "request_timeout": Problem(408, "Send the body faster, or raise LAB_BODY_TIMEOUT_S."),
        "user_exists": Problem(409, "Choose another name."),
        "job_exists": Problem(
            409, "An id names one job: follow it with GET /status/{id}, or choose another."
        ),
        "idempotency_conflict": Problem(
            409, "Choose a new Idempotency-Key for a new upload; send the same again only as it was."
        ),
        "job_not_finished": Problem(409, "Ask GET /status/{job_id} until the status is completed."),
        "job_not_failed": Problem(409, "Only a failed job can be tried again; GET /jobs?status=failed."),
        "job_gone": Problem(
            409,
            "Send the message again with POST /produce, or announce the image with POST /upload/url.",
        ),
        "upload_missing": Problem(409, "PUT the file to the URL that came with the job_id, then try again."),
        "upload_differs": Problem(
            409, "Announce what the file is by its content, and send it with the headers of the answer."
        ),
        "upload_not_announced": Problem(409, "POST /upload/url announces a direct upload."),
        "job_failed": Problem(409, "error_message says why; send the job again once that is mended."),
        "upload_expired": Problem(410, "Ask for another URL: POST /upload/url"),
        "file_too_large": Problem(413, "Send a smaller file, or raise LAB_MAX_UPLOAD_BYTES."),
        "batch_too_large": Problem(413, "Send fewer files in one batch, or raise LAB_MAX_BATCH_BYTES."),
        "too_many_files": Problem(413, "Send fewer files in one batch, or raise LAB_MAX_BATCH_FILES."),
        "too_many_pixels": Problem(413, "Send a smaller image, or raise LAB_MAX_PIXELS."),
        "body_too_large": Problem(413, "Send less in one request: fewer messages, or a shorter text."),
        "payload_too_large": Problem(413, "Send a smaller payload, or raise LAB_MAX_PAYLOAD_BYTES."),
        "not_an_image": Problem(
            415, "Send a JPEG, PNG, WebP, GIF, BMP or TIFF file; the name does not count."
        ),
        "too_often": Problem(
            429,
            "Try again after Retry-After seconds; LAB_LOGIN_RATE and LAB_UPLOAD_RATE say what is allowed.",
        ),
        "faults_unreadable": Problem(500, "Write them anew: labctl chaos clear"),
        "internal_error": Problem(500, "This is a fault of the API; its log has the details."),
        "broker_unavailable": Problem(503, "Nothing was done. Start RabbitMQ, then send it again."),
        "broker_blocked": Problem(
            503, "Nothing was done. Make room on RabbitMQ's disk, or in its memory, then send it again."
        ),
        "storage_unavailable": Problem(
            503, "Nothing was done. Start the object store (or is its disk full?), then try again."
        ),
        "upload_busy": Problem(503, "Try again in a moment."),
        "sns_unreachable": Problem(503, "Is Amazon SNS reachable from here? The sender tries again."),
        "no_room": Problem(
            503, "Nothing was accepted. Make room in the API's folder for temporary files, then try again."
        ),
        "database_unavailable": Problem(
            503,
            "Start the database and the tracker, which makes its table, then try again. Is its disk full?",
        ),
        "too_many_listeners": Problem(
            503, "Close what you do not need, ask another API, or raise LAB_MAX_LISTENERS."
        ),
        "stopping": Problem(503, "Connect again in a moment."),
        "unconfirmed": Problem(
            503, "RabbitMQ may or may not have the job: GET /status/{job_id} tells when it is worked on."
        ),
        "unroutable": Problem(
            503, "A work queue is missing; restart the API, which declares it, and try again."
        ),
    }
)

_BY_STATUS = {404: "route_not_found", 405: "method_not_allowed"}


class ApiError(Exception):
    """An answer other than what was asked for.

    `close` ends the connection instead of reading the rest of the request; `retry_after_s` says when to come
    again; `more` stands beside `error` in the body.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        close: bool = False,
        retry_after_s: int | None = None,
        **more: object,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.close = close
        self.retry_after_s = retry_after_s
        self.more = more


def no_job(job_id: str) -> ApiError:
    """Return what is said of a job that is not there, or not for whoever asks."""
    return ApiError("job_not_found", f"no job {job_id[:64]}")


def no_batch(batch_id: str) -> ApiError:
    """Return the same of a batch."""
    return ApiError("batch_not_found", f"no batch {batch_id[:64]}")


def no_image() -> ApiError:
    """Return the same of an image of the classic gallery."""
    return ApiError("job_not_found", "no image of this number")


class ErrorResponse(JSONResponse):
    """An error as JSON."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        close: bool = False,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        problem = PROBLEMS[code]
        self._close = close
        own = {"Connection": "close"} if close else {}
        if problem.status == 503:  # noqa: PLR2004 - the number is its name
            own["Retry-After"] = str(RETRY_AFTER_S)
        if problem.status == 401:  # noqa: PLR2004 - same
            own["WWW-Authenticate"] = "Bearer"
        if retry_after_s is not None:
            own["Retry-After"] = str(retry_after_s)
        error = {"code": code, "message": message, "hint": problem.hint}
        super().__init__({"error": error, **(more or {})}, problem.status, {**own, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; when closing, let the client read it before the connection goes."""
        if not self._close or scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if not scope.get(BODY_ENDED):
            await _linger(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def described(error: ApiError | QueueLabError) -> dict[str, object]:
    """Return an error as it stands in an answer; raise it when it has no description."""
    if error.code not in PROBLEMS:
        raise error
    about = {"code": error.code, "message": str(error), "hint": PROBLEMS[error.code].hint}
    return {"error": about, **(error.more if isinstance(error, ApiError) else {})}


def install(app: FastAPI) -> None:
    """Make every error of `app` an answer in JSON."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(QueueLabError, _on_pipeline_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(WebSocketRequestValidationError, _on_bad_handshake)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _linger(receive: Receive) -> None:
    # Closing a socket with unread bytes resets it, and the reset can overtake the answer. So a little of
    # what is still coming is read and dropped.
    dropped = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while dropped < LINGER_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _on_api_error(request: Any, error: Exception) -> Any:  # noqa: ANN401  (of either kind)
    assert isinstance(error, ApiError)  # noqa: S101 - registered for this class
    answer = ErrorResponse(
        error.code, str(error), close=error.close, retry_after_s=error.retry_after_s, more=error.more
    )
    return await _answered(request, answer)


async def _on_pipeline_error(request: Any, error: Exception) -> Any:  # noqa: ANN401  (same)
    assert isinstance(error, QueueLabError)  # noqa: S101 - registered for this class
    if error.code not in PROBLEMS:
        raise error
    if PROBLEMS[error.code].status >= 500:  # noqa: PLR2004 - from here on it is not the client's fault
        log.warning("request_failed", extra={"path": request.url.path, "error": str(error)})
    return await _answered(request, ErrorResponse(error.code, str(error)))


async def _answered(request: Request | WebSocket, answer: ErrorResponse) -> Response | None:
    """Return the answer to a request; a handshake is answered here."""
    if isinstance(request, WebSocket):
        await request.send_denial_response(answer)
        return None
    return answer


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return ErrorResponse("bad_field", _first_wrong(error))


async def _on_bad_handshake(websocket: WebSocket, error: Exception) -> None:
    assert isinstance(error, WebSocketRequestValidationError)  # noqa: S101 - registered for this class
    await websocket.send_denial_response(ErrorResponse("bad_field", _first_wrong(error)))


def _first_wrong(error: ValidationException) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return f"{where}: {first['msg']}"


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    message = f"{request.method} {request.url.path}: {error.detail}"
    return ErrorResponse(_BY_STATUS.get(error.status_code, "bad_form"), message, headers=error.headers)


async def _on_disconnect(_: Request, __: Exception) -> Response:
    # Nobody is there to read it; the status is what the metrics show.
    return Response(status_code=400)
