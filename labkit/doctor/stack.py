"""Checks of the running stack, through the API as its users see it."""

import re
import time
from typing import Any, Dict, List, Optional, Tuple
from uuid import uuid4

from labkit import words
from labkit.doctor.check import Result
from labkit.doctor.entry import Api, api_of
from labkit.doctor.flow import check_flow
from labkit.doctor.http import Answer, request
from labkit.doctor.picture import make_png, png_size
from labkit.doctor.project import Project
from labkit.doctor.usage import check_usage

PARTS = (
    ("broker", "broker", "rabbitmq"),
    ("storage", "object store", "object-store"),
    ("database", "database", "api"),
)
FINAL = ("completed", "failed")
ROUND_TRIP_S = 20
POLL_S = 0.1
PRIORITIES_SINCE = 4  # on quorum queues, as https://www.rabbitmq.com/docs/quorum-queues says


def health(project: Project) -> Optional[Answer]:
    """Return the API's answer on its health, or None if there is no stack on the project's port."""
    answer = request(project.port("api"), "/health")
    return answer if answer is not None and "checks" in answer.json() else None


def check_stack(project: Project, answer: Answer) -> List[Result]:
    """Check the stack whose health is `answer`: each part, what is under way, one image there and back."""
    api = api_of(project)
    results = [_api(project, answer), *_parts(answer.json()), _workers(api)]
    results += [*check_flow(project), check_usage(project)]
    return [*results, check_round_trip(api)]


def not_running(project: Project) -> Result:
    """Say that there is no stack; that is a failure only if its runtime thinks that there is one."""
    detail = "not running: its services are checked when it is up"
    if not project.started:
        return Result("stack", ok=None, detail=detail, fix=words.command("up"), optional=True)
    detail = f"project {project.name} was started, but no API answers on port {project.port('api')}"
    return Result("stack", ok=False, detail=detail, fix=words.command("up"))


def check_round_trip(api: Api, within_s: float = ROUND_TRIP_S) -> Result:
    """Send one small picture through the API, wait for its result and look at it."""
    started = time.monotonic()
    try:
        _round_trip(api, started + within_s)
    except _BrokenError as broken:
        return Result("round trip", ok=False, detail=str(broken), fix=broken.fix)
    return Result("round trip", ok=True, detail=f"one image in {time.monotonic() - started:.1f} s")


class _BrokenError(Exception):
    """The round trip ended early; the text says where."""

    def __init__(self, detail: str, look_at: str) -> None:
        super().__init__(detail)
        self.fix = words.command(look_at)


def _api(project: Project, answer: Answer) -> Result:
    detail = f"http://127.0.0.1:{project.port('api')} answers {answer.status}"
    if answer.status == 200:  # noqa: PLR2004 - HTTP's OK
        return Result("API", ok=True, detail=detail)
    return Result("API", ok=False, detail=detail, fix=words.command("logs api"))


def _parts(body: Dict[str, Any]) -> List[Result]:
    checks = body["checks"] if isinstance(body["checks"], dict) else {}
    return [_part(checks.get(key), name, service) for key, name, service in PARTS]


def _part(check: object, name: str, service: str) -> Result:
    ok = check.get("ok") if isinstance(check, dict) else None
    detail = str(check.get("detail") or "") if isinstance(check, dict) else "the API does not tell"
    if ok is True:
        return Result(name, ok=True, detail=(detail or "the API reaches it") + _priorities(detail))
    fix = words.command(f"restart {service}")
    return Result(
        name, ok=False if ok is False else None, detail=detail or "the API does not reach it", fix=fix
    )


def _priorities(detail: str) -> str:
    """Say of an older broker what it does not do; `detail` of other parts names no version."""
    version = re.match(r"RabbitMQ (\d+)\.", detail)
    old = version is not None and int(version.group(1)) < PRIORITIES_SINCE
    return "; it ignores priorities, which need 4.0" if old else ""


def _workers(api: Api) -> Result:
    """Tell whether somebody takes image jobs: the layout decides which of the queues that is."""
    answer = api.ask("/queues")
    queues = answer.json().get("queues") if answer else None
    if not isinstance(queues, list):
        fix = words.command("logs api")
        return Result("workers", ok=None, detail="the API does not tell who listens on the queues", fix=fix)
    work = [queue for queue in queues if str(queue.get("name")).startswith("image.")]
    busy = {queue["name"]: queue.get("consumers") or 0 for queue in work if ".retry." not in queue["name"]}
    counts = set(busy.values())
    if counts and counts != {0}:
        each = ", ".join(f"{count} on {name}" for name, count in busy.items() if count)
        same = f"{max(counts)} on every image queue"
        return Result("workers", ok=True, detail=same if len(counts) == 1 < len(busy) else each)
    return Result(
        "workers", ok=False, detail="no worker takes image jobs", fix=words.command("scale worker=1")
    )


def _round_trip(api: Api, deadline: float) -> None:
    kind, body = _form(make_png(64, 48), {"operations": "resize,32x24"})
    headers = {"Content-Type": kind}
    accepted = _expect(api.ask("/upload", "POST", body, headers), 202, "upload").json()
    job_id = accepted.get("job_id")
    job = _await_end(api, str(job_id), deadline)
    if job["status"] != "completed":
        raise _BrokenError(f"the job ended as {job['status']}: {job.get('error_message')}", "logs worker")
    result = _expect(api.ask(f"/jobs/{job_id}/result"), 200, "result")
    if png_size(result.body) != (32, 24):
        raise _BrokenError("the result is not the PNG of 32x24 pixels that was asked for", "logs worker")


def _await_end(api: Api, job_id: str, deadline: float) -> Dict[str, Any]:
    """Return the job's status page once it has ended."""
    job = {"status": "unknown"}  # type: Dict[str, Any]
    while time.monotonic() < deadline:
        job = _expect(api.ask(f"/status/{job_id}"), 200, "status").json()
        if job.get("status") in FINAL:
            return job
        time.sleep(POLL_S)
    raise _BrokenError(f"the job did not end in time; it is {job.get('status')}", "status")


def _expect(answer: Optional[Answer], status: int, step: str) -> Answer:
    if answer is None:
        raise _BrokenError(f"{step}: no answer", "logs api")
    if answer.status != status:
        raise _BrokenError(f"{step}: the API answered {answer.status} instead of {status}", "logs api")
    return answer


def _form(picture: bytes, fields: Dict[str, str]) -> Tuple[str, bytes]:
    """Return content type and body of an HTML form with the file `picture` and text `fields`."""
    boundary = uuid4().hex
    mark = f"--{boundary}\r\nContent-Disposition: form-data; name="
    texts = "".join(f'{mark}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    head = f'{texts}{mark}"file"; filename="doctor.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head.encode() + picture + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
