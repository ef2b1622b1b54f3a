"""Checks of what is under way in the running stack: queues, jobs, dead letters, and who follows events."""

import time
from typing import Any, Dict, List, Optional

from labkit import words
from labkit.doctor import engine
from labkit.doctor.check import Result
from labkit.doctor.entry import Api, api_of
from labkit.doctor.http import request
from labkit.doctor.project import COMPOSE_PROJECT, COMPOSE_SERVICE, LOCAL, Project, compose_project

BY_EVENTS = ("tracker", "notifier")
DEAD_LETTER = "dead-letter"
MANY = 100  # jobs that wait for each worker: more deserves a look
LONG_S = 60  # most jobs take a second; text jobs 5 s at the most, unless a setting allows more
SOME = 200  # jobs that are looked at
SHORT_ID = 8


def check_flow(project: Project) -> List[Result]:
    """Check what waits, what takes long, what was given up, and the two services that follow events."""
    follower = _follower if project.runtime == LOCAL else _container
    told = [follower(project, name) for name in BY_EVENTS]
    api = api_of(project)
    return [*told, _queues(api), _jobs(api), _dead_letters(api)]


def _follower(project: Project, name: str) -> Result:
    answer = request(project.port(name), "/health")
    if answer is not None and answer.status == 200:  # noqa: PLR2004 - HTTP's OK
        return Result(name, ok=True, detail="follows what becomes of jobs")
    if answer is None:
        detail = f"no answer on port {project.port(name)}"
        return Result(name, ok=False, detail=detail, fix=words.command(f"logs {name}"))
    checks = answer.json().get("checks")
    details = [str(check.get("detail")) for check in _values(checks) if check.get("ok") is False]
    detail = "; ".join(details) or f"answers {answer.status}"
    return Result(name, ok=False, detail=detail, fix=words.command(f"restart {name}"))


def _container(project: Project, name: str) -> Result:
    """Take Docker's word: a container's own port cannot be reached everywhere."""
    labels = {COMPOSE_PROJECT: compose_project(project.name), COMPOSE_SERVICE: name}
    wanted = [word for label, value in labels.items() for word in ("--filter", f"label={label}={value}")]
    said = engine.ask("ps", "--all", *wanted, "--format", "{{.Status}}")
    if "(healthy)" in said.text and "(Paused)" not in said.text:
        return Result(name, ok=True, detail="follows what becomes of jobs")
    if "starting" in said.text:
        return Result(name, ok=None, detail="is starting", fix=words.command("ps"))
    fix = words.command(f"restart {name}" if said.text else "up")
    return Result(name, ok=False, detail=said.text or "no container", fix=fix)


def _queues(api: Api) -> Result:
    """Tell how many jobs wait, and whether anybody takes them."""
    queues = _list(api, "/queues", "queues")
    if queues is None:
        return _silent("queues")
    work = [queue for queue in queues if ".retry." not in queue["name"] and queue["name"] != DEAD_LETTER]
    filled = [queue for queue in work if queue.get("ready")]
    detail = ", ".join(_queue(queue) for queue in filled) or "nothing waits"
    if any(not queue.get("consumers") for queue in filled):
        fix = words.command("up")
        return Result("queues", ok=False, detail=f"nobody takes the jobs: {detail}", fix=fix)
    if any(queue["ready"] > MANY * queue["consumers"] for queue in filled):
        return Result("queues", ok=None, detail=detail, fix=words.command("scale 4"), optional=True)
    return Result("queues", ok=True, detail=detail)


def _jobs(api: Api) -> Result:
    """Name a job that some worker has had in its hands for long."""
    jobs = _list(api, f"/jobs?status=processing&limit={SOME}", "jobs")
    if jobs is None:
        return _silent("jobs in processing")
    begun = [(_started(job), job) for job in jobs if _started(job) is not None]
    if not begun:
        return Result("jobs in processing", ok=True, detail=f"{len(jobs)}")
    since, job = min(begun, key=lambda pair: pair[0] or 0.0)
    seconds = max(0.0, time.time() - (since or 0.0))
    detail = f"{len(jobs)}, the longest for {seconds:.0f} s"
    if seconds <= LONG_S:
        return Result("jobs in processing", ok=True, detail=detail)
    detail += f": {str(job.get('job_id'))[:SHORT_ID]} by {job.get('worker')}"
    return Result("jobs in processing", ok=None, detail=detail, fix=words.command("ps"), optional=True)


def _dead_letters(api: Api) -> Result:
    answer = api.ask("/dlq/stats")
    body = answer.json() if answer else {}
    count = body.get("failed_messages")
    if not isinstance(count, int):
        return _silent("dead letters")
    if not count:
        return Result("dead letters", ok=True, detail="none")
    return Result("dead letters", ok=None, detail=f"{count}", fix=words.command("dlq list"), optional=True)


def _silent(name: str) -> Result:
    return Result(name, ok=None, detail="the API does not tell", fix=words.command("logs api"))


def _queue(queue: Dict[str, Any]) -> str:
    consumers = queue.get("consumers") or 0
    return f"{queue['ready']} in {queue['name']} for {consumers} worker{'' if consumers == 1 else 's'}"


def _started(job: Dict[str, Any]) -> Optional[float]:
    clock = job.get("clock")
    started = clock.get("started") if isinstance(clock, dict) else None
    return float(started) if isinstance(started, (int, float)) else None


def _list(api: Api, path: str, field: str) -> Optional[List[Dict[str, Any]]]:
    """Return the objects in a field of an answer, or None if it is not as it should be."""
    answer = api.ask(path)
    found = answer.json().get(field) if answer else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else None


def _values(checks: Any) -> List[Dict[str, Any]]:  # noqa: ANN401 - JSON
    return [check for check in checks.values() if isinstance(check, dict)] if isinstance(checks, dict) else []
