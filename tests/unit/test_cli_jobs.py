"""upload, job, jobs, dlq - against the real API, with everything behind it in memory."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.client import ApiClient
from tests.support.lab import World, picture


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world whose API takes jobs in, and whose jobs are completed at once."""
    world = World.make(tmp_path).up()
    with world.api():
        yield world


@pytest.fixture
def image(tmp_path: Path) -> str:
    """Give the path of a picture."""
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    return str(path)


def uploaded(world: World, image: str, *more: str) -> str:
    """Upload a picture, wait for its end, and return the job."""
    [entry] = json.loads(world.run("upload", image, "--wait", "--json", *more).stdout)
    assert entry["file"] == image
    return str(entry["job_id"])


def test_upload_waits_for_the_result(world: World, image: str) -> None:
    """`upload --wait` ends when the job has, and shows its status."""
    result = world.run("upload", image, "--operations", "rotate,90|resize,20x20", "--wait")
    assert result.exit_code == 0
    assert "completed" in result.stdout


def test_upload_without_waiting_prints_the_job(world: World, image: str) -> None:
    """`upload` returns with the job's id as soon as the API has it."""
    [entry] = json.loads(world.run("upload", image, "--json").stdout)
    assert entry["status"] == "queued"
    assert entry["job_id"]


def test_a_refused_file_fails_the_command(world: World, image: str) -> None:
    """The API's words are shown, and the exit code says that not all went well."""
    result = world.run("upload", image, "--operations", "spin")
    assert result.exit_code == 1
    assert "spin" in result.stdout
    assert "refused" in result.stdout


def test_a_missing_file_is_a_usage_error(world: World) -> None:
    """A file that does not exist is found before anything is sent."""
    assert world.run("upload", "nowhere.png").exit_code == 2


def test_job_shows_where_the_time_went(world: World, image: str) -> None:
    """`job` draws the stage clock."""
    job_id = uploaded(world, image)
    shown = world.run("job", job_id).stdout
    assert job_id in shown
    assert "photo.png" in shown
    assert "50 ms" in next(line for line in shown.splitlines() if line.startswith("process"))
    assert json.loads(world.run("job", job_id, "--json").stdout)["job_id"] == job_id


def test_an_unknown_job_is_the_apis_word(world: World) -> None:
    """An unknown id is said in one line with a hint."""
    result = world.run("job", "nope")
    assert result.exit_code == 1
    assert result.stderr.startswith("The API says: no job nope.")
    assert len(result.stderr.splitlines()) == 2


def test_jobs_can_be_filtered(world: World, image: str) -> None:
    """`jobs` lists by status and operation, newest first, and says when there are more."""
    rotated = uploaded(world, image, "--operations", "rotate,90")
    resized = uploaded(world, image)
    shown = world.run("jobs").stdout
    assert shown.index(resized) < shown.index(rotated)
    only = json.loads(world.run("jobs", "--operation", "rotate", "--status", "completed", "--json").stdout)
    assert [job["job_id"] for job in only["jobs"]] == [rotated]
    assert "There are more" in world.run("jobs", "--limit", "1").stdout


def test_an_unknown_status_is_a_usage_error(world: World) -> None:
    """The known ones are listed."""
    result = world.run("jobs", "--status", "done")
    assert result.exit_code == 2
    assert "completed" in result.stderr


def test_dlq_stats_count_the_dead(world: World) -> None:
    """`dlq stats` shows the queue's length."""
    assert "0 messages in dead-letter" in world.run("dlq", "stats").stdout
    assert json.loads(world.run("dlq", "stats", "--json").stdout)["failed_messages"] == 0


def test_a_replay_that_misses_a_letter_says_so(world: World) -> None:
    """What was asked for and not done is no success."""
    result = world.run("dlq", "replay", "nobody")
    assert result.exit_code == 1
    assert "No letter of: nobody." in result.stdout


def test_an_api_that_is_away_is_said(tmp_path: Path) -> None:
    """Without an answer from the API there is one line and a next step."""
    result = World.make(tmp_path).up().run("jobs")
    assert result.exit_code == 1
    assert "did not answer" in result.stderr
    assert len(result.stderr.splitlines()) == 2


@contextmanager
def uploading(world: World) -> Iterator[None]:
    """Upload one picture after the other while the block runs."""
    over = threading.Event()

    async def upload() -> None:
        async with ApiClient(world.runtime.address("api")) as client:
            while not over.is_set():
                await client.upload(picture(), "photo.png", "rotate,90")
                await asyncio.sleep(0.05)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, upload())
        try:
            yield
        finally:
            over.set()
        done.result(10)


def test_jobs_are_followed(world: World) -> None:
    """Each change is a line, or a line of JSON, as soon as it happens."""
    with uploading(world):
        result = world.run("jobs", "--follow", "--limit", "2", "--operation", "rotate")
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) == 2
        assert all("completed" in line and "rotate,90" in line for line in result.stdout.splitlines())
        told = world.run("jobs", "-f", "-n", "2", "--json", "--status", "completed").stdout.splitlines()
        assert [json.loads(line)["status"] for line in told] == ["completed", "completed"]


def test_following_without_an_api_says_so(tmp_path: Path) -> None:
    """A stack whose API does not answer is an error with a next step."""
    result = World.make(tmp_path).up().run("jobs", "--follow")
    assert result.exit_code == 1
    assert "did not answer" in result.stderr
