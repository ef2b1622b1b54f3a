"""A hub on a real API over real HTTP: it follows, loses it, and finds it again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.api import app
from services.common.control import Faults, write_faults
from services.common.envelopes import heartbeat_envelope
from services.common.health import health_routes
from services.common.messages import Event, JobEvent
from services.dashboard import hub as hubs
from services.dashboard import rows
from services.dashboard.client import Api as Client
from services.dashboard.client import ApiRefused, open_session
from services.dashboard.hub import Hub, Hubs
from services.dashboard.stream import Told, events
from tests.support.api import Api, answer, running
from tests.support.examples import heartbeat
from tests.support.letters import failed_job
from tests.support.waiting import eventually


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running(tmp_path) as api:
        yield api


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than a second."""
    for name in ("LOOK_S", "RETRY_S", "OLDEST_S"):
        monkeypatch.setattr(hubs, name, 0.05)


@contextlib.asynccontextmanager
async def looking(api: Api, *, admin: bool = True, most: int = 100) -> AsyncIterator[Hub]:
    """Give a hub that follows an API."""
    async with open_session() as session, Hub(Client(session, api.url), most, admin=admin) as hub:
        yield hub


def happen(api: Api, job_id: str, name: JobEvent, **more: Any) -> None:  # noqa: ANN401  (fields of an event)
    """Let something happen to a job, as the tracker tells it."""
    row = api.table.get(job_id)
    assert row is not None
    fields: dict[str, Any] = {"kind": row.kind, "generation": row.generation, "clock": row.clock}
    api.write(Event(name=name, job_id=job_id, attempt=1, at=row.created_at + 1, **(fields | more)))


def status(hub: Hub, job_id: str) -> str:
    """Return what the board says of a job."""
    row = hub.board.job(job_id)
    return row["status"] if row else ""


def link(hub: Hub) -> str:
    """Return how the connection is."""
    return str(hub.board.part("link")["state"])


async def test_what_was_there_and_what_comes(api: Api) -> None:
    """Jobs of before are listed, and each change of any job is told."""
    before = str(answer(api.upload())["job_id"])
    async with looking(api) as hub:
        await eventually(lambda: status(hub, before) == "queued")
        assert link(hub) == "up"
        happen(api, before, "job.started", worker="worker-1")
        await eventually(lambda: status(hub, before) == "processing")
        happen(api, before, "job.completed", worker="worker-1")
        await eventually(lambda: status(hub, before) == "completed")


async def test_a_long_table_is_read_page_by_page(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many of the newest jobs as are shown, however few come at once."""
    monkeypatch.setattr(hubs, "PAGE", 3)
    messages = [{"id": f"job-{number}", "payload": 0} for number in range(12)]
    assert api.post("/batch-produce", {"messages": messages}).status == 201
    async with looking(api, most=8) as hub:
        await eventually(lambda: hub.board.job("job-11"))
        patch = hub.board.patch(-1)
        assert patch is not None
        assert {job["id"] for job in patch["jobs"]} == {f"job-{number}" for number in range(4, 12)}


async def test_workers_queues_and_faults_are_looked_at(api: Api) -> None:
    """What /workers, /queues, /faults and /health say stands on the board."""
    write_faults(api.store, Faults(fail_rate=0.5))
    api.upload()
    async with looking(api) as hub:
        await eventually(lambda: hub.board.part("faults") == {"rows": ["50% of attempts fail"], "error": ""})
        api.publish(heartbeat_envelope(heartbeat("worker-1")))
        await eventually(lambda: hub.board.part("workers", {}).get("rows"))
        waiting = {queue["name"]: queue["ready"] for queue in hub.board.part("queues")["rows"]}
        assert waiting == {"image.jobs": 1, "text.jobs": 0, "dead-letter": 0}
        await eventually(lambda: hub.board.points and hub.board.points[-1].waiting == 1)
        assert [check["ok"] for check in hub.board.part("health")["rows"]] == [True, True, True]


async def test_dead_letters_come_and_go(api: Api) -> None:
    """A letter is listed with its reason when it comes, and not any more when it was purged."""
    async with looking(api) as hub:
        await eventually(lambda: hub.board.part("letters"))
        job_id = failed_job(api)
        await eventually(lambda: hub.board.part("letters")["count"] == 1)
        [letter] = hub.board.part("letters")["rows"]
        assert (letter["id"], letter["code"]) == (job_id, "truncated_image")
        assert api.http.request("DELETE", f"{api.url}/dlq").status == 200
        hub.look_soon()
        await eventually(lambda: hub.board.part("letters")["count"] == 0)


async def test_a_part_that_is_refused_says_why_and_the_rest_goes_on(api: Api) -> None:
    """Without RabbitMQ the queues have the API's own words, and the jobs are listed all the same."""
    job_id = str(answer(api.upload())["job_id"])
    async with looking(api) as hub:
        await eventually(lambda: status(hub, job_id))
        api.broker.connected = False
        await eventually(lambda: "RabbitMQ" in hub.board.part("queues", {}).get("error", ""))
        assert not hub.board.part("health")["rows"][0]["ok"]
        api.broker.connected = True
        await eventually(lambda: not hub.board.part("queues")["error"])


async def test_who_is_no_admin_looks_at_the_jobs_only(api: Api) -> None:
    """Queues, workers, faults and dead letters are not even asked for."""
    async with looking(api, admin=False) as hub:
        await eventually(lambda: hub.board.part("health"))
        await eventually(lambda: link(hub) == "up")
        assert [hub.board.part(name) for name in ("queues", "workers", "faults", "letters")] == [None] * 4


async def test_an_api_that_is_away_is_found_again(tmp_path: Path) -> None:
    """Meanwhile the board keeps what it had; what happened in between is made up for."""
    with running(tmp_path) as first:
        port = int(first.url.rpartition(":")[2])
        job_id = str(answer(first.upload())["job_id"])
        async with looking(first) as hub:
            await eventually(lambda: status(hub, job_id) == "queued")
            first.stop()
            await eventually(lambda: link(hub) == "away")
            assert status(hub, job_id) == "queued"
            with running(tmp_path, port=port) as second:
                happen(second, job_id, "job.completed", worker="worker-1")
                await eventually(lambda: link(hub) == "up")
                await eventually(lambda: status(hub, job_id) == "completed")


async def test_since_when_the_api_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked, it refuses since the first time; the page says that it does answer."""
    asked: list[str] = []
    refused = Hub._refused

    def counted(hub: Hub, error: ApiRefused) -> None:
        asked.append(error.refusal.code)
        refused(hub, error)

    monkeypatch.setattr(Hub, "_refused", counted)
    with running(tmp_path, max_listeners=0) as api:
        async with looking(api) as hub:
            await eventually(lambda: link(hub) == "away")
            before = hub.board.part("link")
            assert before["text"].startswith("It answers, but refuses: ")
            await eventually(lambda: len(asked) > 3)
            assert hub.board.part("link") == before
            assert set(asked) == {"too_many_listeners"}


async def test_an_answer_that_nobody_understands_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A /health without checks, perhaps from a proxy: the page says so, the rest goes on, and it recovers."""
    odd = True

    async def health(request: Request) -> Response:
        if odd:
            return JSONResponse({"status": "starting"}, 503)
        answered: Response = await whole.endpoint(request)
        return answered

    whole, *rest = health_routes({})
    monkeypatch.setattr(app, "health_routes", lambda _: [Route("/health", health), *rest])
    with running(tmp_path) as api:
        async with looking(api) as hub:
            await eventually(lambda: link(hub) == "away")
            before = hub.board.part("link")
            assert "KeyError: 'checks'" in before["text"]
            job_id = str(answer(api.upload())["job_id"])
            await eventually(lambda: hub.board.part("queues")["rows"][0]["ready"] == 1)
            happen(api, job_id, "job.started", worker="worker-1")
            await eventually(lambda: status(hub, job_id) == "processing")
            assert hub.board.part("link") == before
            odd = False
            await eventually(lambda: link(hub) == "up")
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["hub_failed"]


async def test_a_change_that_nobody_understands_is_passed_over(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That something went wrong is shown; the table is read anew, and the stream is followed from there."""
    whole = rows.row
    odd = True

    def broken(told: rows.Json) -> rows.Json:
        if odd or (told.get("status") == "processing" and told.get("type") == "change"):
            raise ZeroDivisionError("no")
        return whole(told)

    monkeypatch.setattr(rows, "row", broken)
    async with looking(api) as hub:
        await eventually(lambda: link(hub) == "up")
        job_id = str(answer(api.upload())["job_id"])
        happen(api, job_id, "job.started", worker="worker-1")
        await eventually(lambda: "ZeroDivisionError" in hub.board.part("link")["text"])
        odd = False
        await eventually(lambda: link(hub) == "up")
        assert status(hub, job_id) == "processing"
        happen(api, job_id, "job.completed", worker="worker-1")
        await eventually(lambda: status(hub, job_id) == "completed")


async def test_faults_that_were_never_read_are_none(api: Api) -> None:
    """With the store away from the start, the part says why and has a list all the same."""
    api.store.available = False
    async with looking(api) as hub:
        await eventually(lambda: hub.board.part("faults"))
        found = hub.board.part("faults")
        assert (found["rows"], bool(found["error"])) == ([], True)
        api.store.available = True
        await eventually(lambda: not hub.board.part("faults")["error"])


async def test_a_reset_empties_the_board(api: Api) -> None:
    """When the jobs that are shown are not in the table any more, they are not shown either."""
    gone = str(answer(api.upload())["job_id"])
    async with looking(api) as hub:
        await eventually(lambda: status(hub, gone))
        api.table.clear()
        kept = str(answer(api.upload())["job_id"])
        await eventually(lambda: not status(hub, gone))
        await eventually(lambda: status(hub, kept))


async def test_a_hub_that_nobody_looks_at_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """One identity has one hub, as long as there is a browser or was one shortly before."""
    monkeypatch.setattr(Hubs, "SWEEP_S", 0.02)
    async with open_session() as session, Hubs(10) as kept:
        client = Client(session, api.url)
        hub = await kept.of("", client, admin=True)
        assert await kept.of("", client, admin=True) is hub
        hub.viewers = 1
        monkeypatch.setattr(Hubs, "IDLE_S", 0.0)
        other = await kept.of("ada", client, admin=True)
        await eventually(lambda: not kept.has("ada"))
        assert kept.has("")
        assert other is not hub


async def test_events_are_read_as_the_standard_says() -> None:
    """Comments, fields without a space, several lines of data, and what is no JSON."""

    async def lines() -> AsyncIterator[bytes]:
        text = ': still here\n\nid: 7\nevent: hello\ndata: {"seq":\ndata: 7}\n\ndata:{"a":1}\n\ndata: no\n\n'
        for line in text.splitlines(keepends=True):
            yield line.encode()

    found = [told async for told in events(lines())]
    assert found == [Told("hello", "7", {"seq": 7}), Told("message", "7", {"a": 1})]
