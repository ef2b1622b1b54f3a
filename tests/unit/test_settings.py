"""Settings: read once from the environment, refused in plain words."""

from __future__ import annotations

import pytest

from services.api.settings import ApiSettings
from services.common.program import read
from services.common.settings import ProgramSettings
from services.common.topology import WORK_QUEUES
from services.notifier.settings import NotifierSettings
from services.tracker.settings import TrackerSettings
from services.worker.settings import WorkerSettings
from tests.support.receiver import SECRET

PROGRAMS: tuple[type[ProgramSettings], ...] = (ApiSettings, WorkerSettings, TrackerSettings, NotifierSettings)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_defaults_are_enough(kind: type[ProgramSettings]) -> None:
    """A program starts without any variable; every field says what it means."""
    settings = kind()
    assert settings.host == "127.0.0.1"
    assert all(field.description for field in kind.model_fields.values())


def test_variables_have_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAB_ variables set fields, LOG_LEVEL is shared with other programs; the rest is ignored."""
    for name, value in {
        "LAB_PREFETCH": "7",
        "LAB_INSTANCE": "worker-9",
        "LOG_LEVEL": "debug",
        "PREFETCH": "1",
        "LAB_SOMETHING_ELSE": "x",
    }.items():
        monkeypatch.setenv(name, value)
    settings = WorkerSettings()
    assert (settings.prefetch, settings.instance, settings.log_level) == (7, "worker-9", "DEBUG")


def test_secrets_are_not_shown() -> None:
    """Printing settings gives no password away."""
    shown = f"{WorkerSettings()!r} {TrackerSettings()!r}"
    assert "guest:guest" not in shown
    assert "lab-secret" not in shown


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LAB_PORT", "70000", "LAB_PORT: Input should be less than or equal to 65535"),
        ("LAB_PREFETCH", "many", "LAB_PREFETCH: Input should be a valid integer"),
        ("LAB_RETRY", "often", "LAB_RETRY: Input should be 'delayed', 'requeue' or 'none'"),
        ("LAB_AMQP_URL", "localhost:5672", "LAB_AMQP_URL: must look like amqp://"),
        ("LAB_AMQP_URL", "amqp:///", "LAB_AMQP_URL: must look like amqp://"),
        ("LAB_S3_ENDPOINT", "127.0.0.1:9000", "LAB_S3_ENDPOINT: must look like http://"),
        ("LAB_QUEUES", "image.jobs, image.jbos", "LAB_QUEUES: there is no work queue image.jbos; known are"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL: Input should be 'DEBUG'"),
        ("LAB_INSTANCE", "x" * 101, "LAB_INSTANCE: String should have at most 100"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program with a wrong setting ends at once, with a line that names it and no traceback."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        read(WorkerSettings, "worker")
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith(said)
    assert ".env.example" in line
    assert len(line.splitlines()) == 1


def test_a_wrong_webhook_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key of another form ends the notifier at once; it is not shown, and a right one is not either."""
    monkeypatch.setenv("LAB_WEBHOOK_SECRET", "geheim")
    with pytest.raises(SystemExit):
        read(NotifierSettings, "notifier")
    told = capsys.readouterr().err
    assert told.startswith("LAB_WEBHOOK_SECRET: must be whsec_")
    assert "geheim" not in told
    monkeypatch.setenv("LAB_WEBHOOK_SECRET", SECRET)
    assert SECRET not in repr(read(NotifierSettings, "notifier"))


def test_a_wrong_database_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database of another kind is refused before anything starts; its password is not shown."""
    monkeypatch.setenv("LAB_DATABASE_URL", "mysql://me:hidden@host/db")
    with pytest.raises(SystemExit):
        read(TrackerSettings, "tracker")
    told = capsys.readouterr().err
    assert told.startswith("LAB_DATABASE_URL: must look like sqlite:")
    assert "hidden" not in told


@pytest.mark.parametrize(
    "url", ["amqp://guest:guest@127.0.0.1:5672/", "amqps://broker.example", "amqp://u:p%40w@h:1/vhost"]
)
def test_urls_that_are_fine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port, path and password are up to the user."""
    monkeypatch.setenv("LAB_AMQP_URL", url)
    assert WorkerSettings().amqp_url.get_secret_value() == url


def test_a_program_without_a_name_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two programs on one network are told apart by host and process."""
    name = read(WorkerSettings, "worker").instance
    assert name.startswith("worker-")
    assert len(name.split("-")) >= 3
    monkeypatch.setenv("LAB_INSTANCE", "worker-2")
    assert read(WorkerSettings, "worker").instance == "worker-2"


def test_a_worker_consumes_everything_or_what_it_is_told() -> None:
    """Pools are workers with queues of their own."""
    assert WorkerSettings().consumed == WORK_QUEUES
    assert WorkerSettings(queues=" image.convert , text.jobs,").consumed == ("image.convert", "text.jobs")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "lab.example", "127.0.0.1.example"])
def test_nobody_opens_the_api_to_the_network_by_one_setting(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without users, an address that others reach has to be asked for twice."""
    monkeypatch.setenv("LAB_HOST", host)
    with pytest.raises(SystemExit):
        read(ApiSettings, "api")
    told = capsys.readouterr().err
    assert told.startswith("LAB_OPEN_TO_NETWORK: without LAB_AUTH=required everybody who reaches")
    assert len(told.splitlines()) == 1
    monkeypatch.setenv("LAB_OPEN_TO_NETWORK", "true")
    assert read(ApiSettings, "api").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_this_machine_needs_no_users(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only this machine comes in, one setting is enough."""
    monkeypatch.setenv("LAB_HOST", host)
    assert read(ApiSettings, "api").host == host
