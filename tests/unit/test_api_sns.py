"""POST /webhook/sns on the in-memory twins: who may send, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from labkit.sns import Sender, tampered
from services.common.sns import CLASS_HOST
from services.common.storage import upload_key
from tests.support.api import Api, answer, code, running
from tests.support.direct import age, announce, bring, complete, refusal, row, sweep, track
from tests.support.sns import CONFIRMATION, HOST, TOPIC_ARN, event, key, notification


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    return Sender.keep(tmp_path_factory.mktemp("sns"))


@pytest.fixture
def api(tmp_path: Path, sender: Sender) -> Iterator[Api]:
    """Give an API that trusts the class's own sender."""
    with running(tmp_path, sns_topic_arn=sender.topic_arn, sns_certificate=sender.certificate) as api:
        yield api


def post(api: Api, body: bytes) -> urllib3.BaseHTTPResponse:
    """Send a message as SNS does: its JSON is called text."""
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
    return api.http.request("POST", f"{api.url}/webhook/sns", body=body, headers=headers)


def outcomes(response: urllib3.BaseHTTPResponse) -> list[str]:
    assert response.status == 200
    return [record["outcome"] for record in answer(response)["records"]]


def test_an_event_enqueues_what_has_come(api: Api, sender: Sender) -> None:
    """The answer has an entry for each object; complete afterwards changes nothing."""
    ids = [announce(api) for _ in range(3)]
    for job_id in ids:
        bring(api, job_id)
    response = post(api, sender.notification("lab", [upload_key(job_id) for job_id in ids]))
    found = answer(response)
    assert (response.status, found["type"], found["confirmed"]) == (200, "Notification", False)
    assert [record["job_id"] for record in found["records"]] == ids
    assert outcomes(response) == ["queued"] * 3
    assert {job.job_id for job in api.jobs()} == set(ids)
    assert answer(complete(api, ids[0]))["status"] == "queued"
    assert api.jobs() == []


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_event_may_come_twice(api: Api, sender: Sender, version: str) -> None:
    """The same message, and the same object twice in one message, make one job."""
    job_id = announce(api)
    bring(api, job_id)
    key = upload_key(job_id)
    body = sender.notification("lab", [key, key], version=version)  # type: ignore[arg-type]
    assert outcomes(post(api, body)) == ["queued", "queued"]
    assert outcomes(post(api, body)) == ["queued", "queued"]
    assert len(api.jobs()) == 1


def test_event_and_complete_at_once_make_one_job(api: Api, sender: Sender) -> None:
    """Whoever is first enqueues; the other one waits and says the same."""
    ids = [announce(api) for _ in range(5)]
    for job_id in ids:
        bring(api, job_id)
    with ThreadPoolExecutor(10) as clients:
        events = [
            clients.submit(post, api, sender.notification("lab", [upload_key(job_id)])) for job_id in ids
        ]
        requests = [clients.submit(complete, api, job_id) for job_id in ids]
    assert {request.result().status for request in requests} == {202}
    assert [outcomes(found.result()) for found in events] == [["queued"]] * 5
    assert sorted(job.job_id for job in api.jobs()) == sorted(ids)


def test_an_event_before_the_object_changes_nothing(api: Api, sender: Sender) -> None:
    """An object that is not there is told so, and is not asked for again."""
    job_id = announce(api)
    body = sender.notification("lab", [upload_key(job_id)])
    assert outcomes(post(api, body)) == ["upload_missing"]
    bring(api, job_id)
    assert complete(api, job_id).status == 202


def test_an_event_about_another_file_ends_the_job(api: Api, sender: Sender) -> None:
    """The job fails with the reason that complete would have answered."""
    job_id = announce(api)
    bring(api, job_id, b"text")
    body = sender.notification("lab", [upload_key(job_id)])
    assert outcomes(post(api, body)) == ["not_an_image"]
    track(api)
    assert row(api, job_id).error_code == "not_an_image"
    assert refusal(complete(api, job_id)) == (415, "not_an_image")


def test_an_event_after_the_expiry_cleans_up(api: Api, sender: Sender, tmp_path: Path) -> None:
    """What came too late is deleted."""
    job_id = announce(api)
    age(tmp_path)
    sweep(api)
    track(api)
    bring(api, job_id)
    assert outcomes(post(api, sender.notification("lab", [upload_key(job_id)]))) == ["upload_expired"]
    api.run(api.parts.objects.drain())
    assert not api.store.objects


@pytest.mark.parametrize(
    ("name", "bucket", "key"),
    [
        ("ObjectRemoved:Delete", "lab", "uploads/{}"),
        ("ObjectCreated:Put", "other", "uploads/{}"),
        ("ObjectCreated:Put", "lab", "results/{}/result"),
        ("ObjectCreated:Put", "lab", "uploads/{}/more"),
        ("ObjectCreated:Put", "lab", "uploads/"),
        ("ObjectCreated:Put", "lab", "uploads/../{}"),
        ("ObjectCreated:Put", "lab", "uploads/" + "k" * 100_000),
        ("ObjectCreated:Put", "lab", "uploads/%00"),
        ("", "lab", "uploads/{}"),
    ],
)
def test_other_objects_are_ignored(api: Api, sender: Sender, name: str, bucket: str, key: str) -> None:
    """Other events, buckets and keys are none of this; a huge key is shown in part."""
    job_id = announce(api)
    bring(api, job_id)
    response = post(api, signed(sender, event((name, bucket, key.format(job_id)))))
    assert outcomes(response) == ["ignored"]
    assert len(response.data) < 1000
    assert row(api, job_id).status == "pending"


@pytest.mark.parametrize("name", ["ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:Put"])
def test_keys_are_decoded(api: Api, sender: Sender, name: str) -> None:
    """In an event keys are encoded as in a form; other stores write the event's name with a prefix."""
    job_id = announce(api)
    bring(api, job_id)
    assert outcomes(post(api, signed(sender, event((name, "lab", f"uploads%2F{job_id}"))))) == ["queued"]


def test_an_upload_that_nobody_announced_is_unknown(api: Api, sender: Sender) -> None:
    """It is told so, and the other objects of the message are dealt with."""
    job_id = announce(api)
    bring(api, job_id)
    body = sender.notification("lab", [upload_key("nobody"), upload_key(job_id)])
    assert outcomes(post(api, body)) == ["job_not_found", "queued"]


def test_what_cannot_be_done_now_comes_again(api: Api, sender: Sender) -> None:
    """A store that is gone is a 503, so that SNS sends the message again; then it works."""
    job_id = announce(api)
    bring(api, job_id)
    body = sender.notification("lab", [upload_key(job_id)])
    api.store.available = False
    assert code(post(api, body)) == (503, "storage_unavailable")
    api.store.available = True
    api.broker.connected = False
    assert code(post(api, body)) == (503, "broker_unavailable")
    api.broker.connected = True
    assert outcomes(post(api, body)) == ["queued"]


def signed(sender: Sender, message: str, **more: object) -> bytes:
    """Return any message as the class's own sender signs it."""
    address = f"https://{CLASS_HOST}/SimpleNotificationService-class.pem"
    fields = {"TopicArn": sender.topic_arn, "SigningCertURL": address, **more}
    return notification(message, sender.key, **fields)


def test_the_store_may_try_its_topic(api: Api, sender: Sender) -> None:
    """S3's test event has no records, and is no error."""
    assert outcomes(post(api, signed(sender, '{"Service": "Amazon S3", "Event": "s3:TestEvent"}'))) == []


@pytest.mark.parametrize(
    "message", ["hello", "[]", '{"Records": [1]}', '{"Records": 7}', event(("a", "b", "c")) * 2]
)
def test_a_message_without_a_storage_event_is_a_400(api: Api, sender: Sender, message: str) -> None:
    """SNS does not send it again."""
    assert code(post(api, signed(sender, message))) == (400, "bad_field")


def test_a_long_event_is_refused(api: Api, sender: Sender) -> None:
    """A thousand records are the most, a mebibyte of body too."""
    many = event(*[("ObjectCreated:Put", "lab", "x")] * 1001)
    assert code(post(api, signed(sender, many))) == (400, "bad_field")
    assert code(post(api, b"x" * (1024 * 1024 + 1))) == (413, "body_too_large")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"Type": "Other"}', b"\xff", b'"\\ud800"'])
def test_what_is_no_message_is_a_400(api: Api, body: bytes) -> None:
    """Whatever is sent, there is an answer."""
    assert post(api, body).status == 400


def test_without_a_topic_it_is_off(tmp_path: Path, sender: Sender) -> None:
    """That is how an API begins: nobody may send."""
    with running(tmp_path) as api:
        assert code(post(api, sender.notification("lab", ["k"]))) == (403, "sns_off")


def test_a_changed_message_is_refused(api: Api, sender: Sender) -> None:
    """The signature is of the message as it was."""
    job_id = announce(api)
    bring(api, job_id)
    body = sender.notification("lab", [upload_key(job_id)])
    assert code(post(api, tampered(body))) == (403, "sns_refused")
    assert row(api, job_id).status == "pending"


@pytest.mark.parametrize(
    "changed",
    [
        {"TopicArn": TOPIC_ARN},
        {"Signature": ""},
        {"Signature": "AAAA"},
        {"Signature": "not base64!"},
        {"SignatureVersion": "1"},
        {"MessageId": "another"},
        {"Timestamp": "2020-01-01T00:00:00.000Z"},
        {"Subject": "another"},
    ],
)
def test_every_part_is_signed(api: Api, sender: Sender, changed: dict[str, str]) -> None:
    """A message in which anything is another is refused."""
    body = json.loads(sender.notification("lab", ["k"]))
    assert code(post(api, json.dumps({**body, **changed}).encode())) == (403, "sns_refused")


def test_another_key_is_refused(api: Api, sender: Sender) -> None:
    """So is a message that somebody else signed in the name of the sender."""
    body = notification(
        event(),
        key("thief"),
        TopicArn=sender.topic_arn,
        SigningCertURL=f"https://{CLASS_HOST}/SimpleNotificationService-class.pem",
    )
    assert code(post(api, body)) == (403, "sns_refused")


def test_the_class_s_sender_confirms_without_a_fetch(api: Api, sender: Sender) -> None:
    """Its host is nowhere; the signature is checked all the same."""
    response = post(api, sender.confirmation())
    assert (response.status, answer(response)["confirmed"]) == (200, True)
    assert code(post(api, tampered(sender.confirmation()))) == (403, "sns_refused")


def test_the_class_s_sender_cannot_have_something_fetched(api: Api, sender: Sender) -> None:
    """An address inside, or anywhere but at SNS, is not asked, whoever signed for it."""
    for url in ("http://127.0.0.1/", "https://127.0.0.1/", "https://example.com/", f"http://{HOST}/", ""):
        body = signed(sender, "subscribe", **CONFIRMATION, SubscribeURL=url)
        assert code(post(api, body)) == (403, "sns_refused")


def test_an_end_of_a_subscription_is_only_taken_note_of(api: Api, sender: Sender) -> None:
    """There is nothing to do."""
    body = signed(sender, "bye", **{**CONFIRMATION, "Type": "UnsubscribeConfirmation"})
    assert (post(api, body).status, answer(post(api, body))["confirmed"]) == (200, False)
