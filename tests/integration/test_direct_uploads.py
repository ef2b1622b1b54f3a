"""Direct uploads with a real S3 server, a real RabbitMQ and a foreign client."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from botocore.config import Config

from labkit.sns import Sender
from services.common.jobs import JobStore
from services.common.storage import upload_key
from test_images import generate_sample
from tests.support.api import picture
from tests.support.brokers import Inbox
from tests.support.programs import Program, check_lines, connected, healthy
from tests.support.proxy import proxy_to
from tests.support.waiting import eventually

PICTURE = generate_sample.photo(320, 240, seed=1)
WANTED = {"filename": "photo.jpg", "content_type": "image/jpeg", "operations": "resize,160x120"}
LARGE = 6 * 1024 * 1024

Found = tuple[int, Any]


@pytest.fixture
def environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Give the variables of an API that trusts the class's own sender."""
    return {**environment, **Sender.keep(tmp_path / "sns").settings}


async def send(method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Found:
    """Send a request; return the status, and the JSON of the answer if it is some."""

    def call() -> Found:
        with urllib3.PoolManager(retries=False, timeout=30) as pool:
            answer = pool.request(method, url, body=body, headers=headers)
            is_json = answer.headers.get("content-type") == "application/json"
            return answer.status, json.loads(answer.data) if is_json else answer.data

    return await asyncio.to_thread(call)


async def announce(api: Program, **more: object) -> dict[str, Any]:
    status, found = await send("POST", f"{api.url}/upload/url", json.dumps({**WANTED, **more}).encode())
    assert status == 201
    return dict(found)


async def bring(permit: Mapping[str, Any], data: bytes, **headers: str) -> int:
    """PUT a file as the permit says."""
    own = {name: value for name, value in permit["headers"].items() if name != "Content-Length"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await send("PUT", permit["url"], data, {**own, **named}))[0]


async def complete(api: Program, permit: Mapping[str, Any]) -> Found:
    return await send("POST", api.url + permit["links"]["complete"])


def foreign(environment: Mapping[str, str]) -> Any:  # noqa: ANN401  (boto3 makes its classes at run time)
    """Return Amazon's own client of the object store."""
    return boto3.client(
        "s3",
        endpoint_url=environment["LAB_S3_ENDPOINT"],
        aws_access_key_id=environment["LAB_S3_ACCESS_KEY"],
        aws_secret_access_key=environment["LAB_S3_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


async def test_a_file_goes_past_the_api(environment: dict[str, str]) -> None:
    """It is PUT to the store, and comes out of it as the job's original; the message waits in its queue."""
    async with connected(environment) as broker, healthy("api", environment) as api:
        permit = await announce(api, size=len(PICTURE))
        assert await bring(permit, PICTURE) == 200
        status, found = await complete(api, permit)
        assert (status, found["status"]) == (202, "queued")
        assert await complete(api, permit) == (status, found)
        assert (await broker.depth("image.jobs")).ready == 1
        assert await send("GET", f"{api.url}/jobs/{permit['job_id']}/original") == (200, PICTURE)
        assert {"upload_announced", "upload_accepted"} <= set(api.events())
        check_lines(api)


async def test_a_url_is_good_for_what_was_announced(environment: dict[str, str]) -> None:
    """Another type, size, key or method, or one second too late: the store refuses it."""
    async with healthy("api", {**environment, "LAB_UPLOAD_URL_EXPIRY_S": "1"}) as api:
        permit = await announce(api, size=len(PICTURE))
        other = {**permit, "url": permit["url"].replace(permit["job_id"], "other")}
        assert await bring(permit, PICTURE, Content_Type="text/html") == 403
        assert await bring(permit, PICTURE + b"x") == 403
        assert await bring(other, PICTURE) == 403
        assert (await send("GET", permit["url"]))[0] == 403
        assert (await complete(api, permit))[0] == 409

        async def is_over() -> bool:
            return await bring(permit, PICTURE) == 403

        await eventually(is_over)


async def test_the_public_address_may_be_another(environment: dict[str, str]) -> None:
    """The API knows the store under one address, clients under the other, which is what is signed."""
    public = environment["LAB_S3_ENDPOINT"]
    async with proxy_to(public).listening() as proxy:
        own = {"LAB_S3_ENDPOINT": proxy.url(public), "LAB_S3_PUBLIC_ENDPOINT": public}
        async with healthy("api", {**environment, **own}) as api:
            permit = await announce(api)
            assert urlsplit(permit["url"]).netloc == urlsplit(public).netloc
            assert await bring(permit, PICTURE) == 200
            assert (await complete(api, permit))[0] == 202


async def test_a_foreign_client_brings_the_file(environment: dict[str, str]) -> None:
    """boto3 PUTs one object, and another one in parts; a storage event enqueues both, once."""
    large = picture(1500, 1450, "BMP")
    assert len(large) > LARGE
    sender = Sender(**_kept(environment))
    async with connected(environment) as broker, healthy("api", environment) as api:
        small, big = await announce(api), await announce(api, content_type="image/bmp")

        def put() -> None:
            client = foreign(environment)
            client.put_object(
                Bucket=small["bucket"], Key=small["key"], Body=PICTURE, ContentType="image/jpeg"
            )
            client.upload_fileobj(
                io.BytesIO(large), big["bucket"], big["key"], ExtraArgs={"ContentType": "image/bmp"},
                Config=boto3.s3.transfer.TransferConfig(multipart_threshold=LARGE, multipart_chunksize=LARGE),
            )  # fmt: skip
            client.close()

        await asyncio.to_thread(put)
        body = sender.notification(small["bucket"], [small["key"], big["key"]])
        first = await send("POST", f"{api.url}/webhook/sns", body)
        assert [record["outcome"] for record in first[1]["records"]] == ["queued", "queued"]
        assert await send("POST", f"{api.url}/webhook/sns", body) == first
        assert (await complete(api, small))[0] == (await complete(api, big))[0] == 202
        assert (await broker.depth("image.jobs")).ready == 2
        assert await send("GET", f"{api.url}/jobs/{big['job_id']}/original") == (200, large)


def _kept(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the sender whose certificate the environment has."""
    folder = Path(environment["LAB_DATABASE_URL"].removeprefix("sqlite:///")).parent / "sns"
    found = Sender.keep(folder)
    return {"key": found.key, "certificate": found.certificate}


async def test_a_file_that_calls_itself_compressed_is_taken_as_it_is(environment: dict[str, str]) -> None:
    """Nobody unpacks it: a few kilobytes could become gigabytes."""
    async with healthy("api", environment) as api:
        permit = await announce(api)
        assert await bring(permit, gzip.compress(PICTURE), Content_Encoding="gzip") == 200
        status, found = await complete(api, permit)
        assert (status, found["error"]["code"]) == (415, "not_an_image")


async def test_two_replicas_and_two_ways_make_one_job(environment: dict[str, str]) -> None:
    """Complete and the storage event come to both at once, for each of several uploads."""
    sender = Sender(**_kept(environment))
    async with (
        connected(environment) as broker,
        healthy("api", environment) as left,
        healthy("api", environment) as right,
    ):
        permits = [await announce(left) for _ in range(6)]
        assert {await bring(permit, PICTURE) for permit in permits} == {200}
        calls = []
        for permit in permits:
            body = sender.notification(permit["bucket"], [permit["key"]])
            for api in (left, right):
                calls += [complete(api, permit), send("POST", f"{api.url}/webhook/sns", body)]
        assert {status for status, _ in await asyncio.gather(*calls)} == {200, 202}
        sent = Inbox()
        await broker.consume("image.jobs", sent, prefetch=100)
        await eventually(lambda: len(sent) >= len(permits))
        ids = sorted(json.loads(body)["job_id"] for body in sent.bodies)
        assert ids == sorted(permit["job_id"] for permit in permits)
        assert (await broker.depth("image.jobs")).ready == 0


async def test_an_api_that_dies_while_it_looks_leaves_the_upload(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The store hangs, the API is killed: its claim runs out, and then another API does the rest."""
    real = environment["LAB_S3_ENDPOINT"]
    proxy = proxy_to(real)
    async with proxy.listening():
        own = {"LAB_S3_ENDPOINT": proxy.url(real), "LAB_S3_PUBLIC_ENDPOINT": real}
        async with healthy("api", {**environment, **own}) as api:
            permit = await announce(api)
            assert await bring(permit, PICTURE) == 200
            proxy.holds = True
            for link in proxy.links:
                link.hold("up", "down")
            asking = asyncio.create_task(complete(api, permit))
            await eventually(lambda: any(link.waiting["up"] for link in proxy.links))
            api.process.kill()
            with pytest.raises(urllib3.exceptions.HTTPError):
                await asking
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        [[claimed_until]] = connection.execute("select claimed_until from uploads")
        assert claimed_until > 0
        connection.execute("update uploads set claimed_until = 1")
    connection.close()
    async with connected(environment) as broker, healthy("api", environment) as api:
        assert (await complete(api, permit))[0] == 202
        assert (await broker.depth("image.jobs")).ready == 1


async def test_a_store_that_is_gone_at_complete_is_a_503(environment: dict[str, str]) -> None:
    """Nothing is decided, and the next try works."""
    real = environment["LAB_S3_ENDPOINT"]
    proxy = proxy_to(real)
    async with proxy.listening():
        own = {"LAB_S3_ENDPOINT": proxy.url(real), "LAB_S3_PUBLIC_ENDPOINT": real}
        async with healthy("api", {**environment, **own}) as api:
            permit = await announce(api)
            assert await bring(permit, PICTURE) == 200
            proxy.target = ("127.0.0.1", 9)
            proxy.cut()
            status, found = await complete(api, permit)
            assert (status, found["error"]["code"]) == (503, "storage_unavailable")
            proxy.target = proxy_to(real).target
            assert (await complete(api, permit))[0] == 202


async def test_an_abandoned_upload_is_swept(environment: dict[str, str], tmp_path: Path) -> None:
    """The running API ends the job and deletes the file by itself; the tracker writes it down."""
    async with healthy("tracker", environment), healthy("api", environment) as api:
        permit = await announce(api)
        assert await bring(permit, PICTURE) == 200
        with sqlite3.connect(tmp_path / "lab.db") as connection:
            connection.execute("update uploads set expires_at = 1")
        connection.close()

        async def has_failed() -> bool:
            found = (await send("GET", f"{api.url}/status/{permit['job_id']}"))[1]
            return bool(found["reason"] == "upload_expired")

        await eventually(has_failed, 20)
        status, found = await complete(api, permit)
        assert (status, found["error"]["code"]) == (410, "upload_expired")
        table = JobStore(environment["LAB_DATABASE_URL"])
        upload = table.uploads.get(permit["job_id"])
        table.close()
        assert upload is not None
        assert upload.state == "refused"
        assert "upload_expired" in api.events()
        assert permit["key"] == upload_key(permit["job_id"])
