"""The users beside the job table, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from services.common.jobs import Filter, JobStore, Wanted
from services.common.messages import Change
from tests.support.examples import event, new_id, new_job


def test_a_user_is_found_by_id_and_by_name(jobs: JobStore) -> None:
    """What was added is there, and nobody else."""
    name = new_id()[:20]
    added = jobs.users.add(name, "a hash", "admin")
    assert added
    assert jobs.users.find(name) == jobs.users.get(added.user_id) == added
    assert (added.username, added.role, added.version) == (name, "admin", 1)
    assert jobs.users.find("nobody") is None
    assert jobs.users.get("nobody") is None
    assert "a hash" not in repr(added)


def test_a_name_is_given_once(jobs: JobStore) -> None:
    """However many ask for it at the same time; the first one's password stays."""
    name = new_id()[:20]
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda number: jobs.users.add(name, f"hash {number}", "user"), range(8)))
    [first] = [user for user in added if user]
    assert jobs.users.find(name) == first


def test_another_password_is_another_version(jobs: JobStore) -> None:
    """Sessions of the old one end; the same password in another hash ends none."""
    name = new_id()[:20]
    first = jobs.users.add(name, "first", "user")
    assert first
    assert jobs.users.rehash(first, "first again")
    assert jobs.users.set_password(name, "second")
    second = jobs.users.find(name)
    assert second
    assert (second.password_hash, second.version) == ("second", first.version + 1)
    assert not jobs.users.rehash(first, "too late")
    assert not jobs.users.set_password("nobody", "x")
    assert not jobs.users.change_password(first, "too late")
    assert jobs.users.change_password(second, "third")
    third = jobs.users.find(name)
    assert third
    assert (third.password_hash, third.version) == ("third", second.version + 1)


def test_a_removed_user_leaves_the_jobs(jobs: JobStore) -> None:
    """Nobody gets them by taking the name; users stay when the jobs are deleted."""
    name = new_id()[:20]
    first = jobs.users.add(name, "hash", "user")
    assert first
    job_id = new_id()
    jobs.add([new_job(job_id=job_id, user_id=first.user_id)])
    assert jobs.users.remove(name)
    assert not jobs.users.remove(name)
    second = jobs.users.add(name, "hash", "user")
    assert second
    assert second.user_id != first.user_id
    assert [row.job_id for row in jobs.list(Filter(user_id=first.user_id))] == [job_id]
    assert jobs.list(Filter(user_id=second.user_id)) == []
    jobs.clear()
    assert jobs.users.find(name) == second
    assert name in [user.username for user in jobs.users.list()]


def test_a_job_keeps_its_owner(jobs: JobStore) -> None:
    """Lists, batches and changes are asked for by owner; events, which know of none, take none away."""
    anna, ben, batch = new_id(), new_id(), new_id()
    mine, theirs = new_id(), new_id()
    jobs.add(
        [
            new_job(job_id=mine, user_id=anna, batch_id=batch),
            new_job(job_id=theirs, user_id=ben, batch_id=batch),
        ]
    )
    last = jobs.last_seq()
    rows = jobs.apply([event("job.started", job_id=mine), event("job.completed", job_id=theirs)]).rows
    assert {change.job_id: change.user_id for change in rows} == {mine: anna, theirs: ben}
    assert jobs.count_batch(batch, anna) == {"processing": 1}
    assert jobs.count_batch(batch) == {"processing": 1, "completed": 1}
    assert jobs.count_batch(batch, "nobody") == {}
    assert [change.job_id for change in jobs.changes(last, Wanted(user_id=ben), 10)] == [theirs]
    row = jobs.get(mine)
    assert row
    assert row.user_id == anna


def test_a_listener_wants_its_own() -> None:
    """What is fitting in the table is fitting as it happens, too."""
    change = Change(seq=1, job_id="j", kind="text", status="queued", generation=1, attempt=1, user_id="anna")
    assert Wanted().fits(change)
    assert Wanted(user_id="anna").fits(change)
    assert not Wanted(user_id="ben").fits(change)
