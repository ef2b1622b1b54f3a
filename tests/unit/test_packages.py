"""How system packages are installed, with stand-ins for apt-get and sudo on the PATH."""

import os
import shutil
from pathlib import Path

import pytest

from labkit.install import packages, programs, rabbitmq
from labkit.install.errors import LabError

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there is no local runtime on Windows")

NEED = packages.Need(apt="some-server", dnf="some-server", brew="server")


class Machine:
    """A PATH of a few programs that note how they were called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.calls = folder / "calls.txt"
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr("sys.platform", "linux")

    def has(self, name: str, then: str = "exit 0") -> None:
        """Put a program on the PATH."""
        program = self.folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.calls}"\n{then}\n')
        program.chmod(0o755)

    def user(self, uid: int) -> None:
        """Let the present user have this id."""
        self._monkeypatch.setattr("os.geteuid", lambda: uid)

    def called(self) -> list[str]:
        """Return the calls so far."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Set up a Linux machine with apt and an administrator in front of it."""
    env = shutil.which("env")
    assert env is not None
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "env").symlink_to(env)
    machine = Machine(folder, monkeypatch)
    machine.has("apt-get")
    machine.user(0)
    return machine


def yes(_question: str) -> bool:
    """Agree."""
    return True


def no(_question: str) -> bool:
    """Refuse."""
    return False


def never(question: str) -> bool:
    """Fail the test: nothing may be asked."""
    raise AssertionError(question)


def test_root_installs_with_apt_and_is_not_asked(machine: Machine) -> None:
    """With --yes and rights, apt refreshes its lists and installs."""
    packages.ensure(NEED, "It is missing.", assume_yes=True, ask=never)
    assert machine.called() == [
        "apt-get update",
        "apt-get install -y -o DPkg::Lock::Timeout=300 some-server",
    ]


def test_user_goes_through_sudo_without_a_password_prompt(machine: Machine) -> None:
    """An ordinary user's commands run under sudo, which must not wait where nobody can type."""
    machine.user(1000)
    machine.has("sudo")
    packages.ensure(NEED, "It is missing.", assume_yes=False, ask=yes)
    assert machine.called()[0] == "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update"


def test_no_rights_tells_the_command(machine: Machine) -> None:
    """Without sudo nothing is run, and the error holds the command for someone who may."""
    machine.user(1000)
    with pytest.raises(LabError) as caught:
        packages.ensure(NEED, "It is missing.", assume_yes=True, ask=never)
    assert "su -c 'apt-get update && apt-get install -y some-server'" in caught.value.next_step
    assert machine.called() == []


def test_refusal_tells_the_command(machine: Machine) -> None:
    """Who says no learns what to run by hand."""
    with pytest.raises(LabError, match="missing") as caught:
        packages.ensure(NEED, "It is missing.", assume_yes=False, ask=no)
    assert caught.value.next_step == "Run: apt-get update && apt-get install -y some-server"
    assert machine.called() == []


def test_nobody_at_the_keyboard_is_a_refusal(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI the question is not even asked."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(LabError):
        packages.ensure(NEED, "It is missing.", assume_yes=False)
    assert machine.called() == []


def test_failed_update_does_not_stop_the_installation(machine: Machine) -> None:
    """A broken extra source of packages makes `update` fail; the package may install all the same."""
    machine.has("apt-get", '[ "$1" = install ]')
    packages.ensure(NEED, "It is missing.", assume_yes=True)
    assert len(machine.called()) == 2


def test_failed_installation_is_an_error(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """When the last command fails, the error tells the command, after its last words."""
    machine.has("apt-get", "echo no such package; exit 100")
    with pytest.raises(LabError, match="could not be installed") as caught:
        packages.ensure(NEED, "It is missing.", assume_yes=True)
    assert "  no such package\n" in capsys.readouterr().err
    assert "apt-get install -y some-server" in caught.value.next_step


def test_other_managers(machine: Machine) -> None:
    """Fedora uses dnf, macOS uses brew without sudo."""
    (machine.folder / "apt-get").unlink()
    machine.has("brew")
    machine.user(501)
    assert packages.command(NEED) == "brew install server"
    machine.has("dnf")
    machine.has("sudo")
    assert packages.command(NEED) == "sudo dnf install -y some-server"


def test_unknown_system_is_told_what_is_missing(machine: Machine) -> None:
    """Without a known package manager the error names the package."""
    (machine.folder / "apt-get").unlink()
    assert packages.command(NEED) == ""
    with pytest.raises(LabError, match="missing") as caught:
        packages.ensure(NEED, "It is missing.", assume_yes=True)
    assert "some-server" in caught.value.next_step


def test_too_old_package_is_not_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system offers only an old RabbitMQ, nothing is installed."""
    monkeypatch.setattr(rabbitmq, "find_server", lambda: None)
    machine.has("apt-cache", "echo '  Candidate: 3.9.27-0ubuntu0.2'")
    with pytest.raises(LabError, match=r"only RabbitMQ 3\.9\.27"):
        rabbitmq.ensure_rabbitmq(assume_yes=True)
    assert machine.called() == ["apt-cache policy rabbitmq-server"]


def test_program_on_the_path_is_not_installed(machine: Machine) -> None:
    """A program is found by any of its names, and then no package manager is called."""
    machine.has("chromium-browser")
    programs.ensure_program("chromium", assume_yes=True)
    assert machine.called() == []


def test_missing_program_is_installed(machine: Machine) -> None:
    """A program that is not there comes with its package."""
    machine.has("apt-get", f'touch "{machine.folder}/prometheus"; chmod +x "{machine.folder}/prometheus"')
    machine.has("touch", 'exec /usr/bin/touch "$@"')
    machine.has("chmod", 'exec /bin/chmod "$@"')
    programs.ensure_program("prometheus", assume_yes=True)
    assert programs.find("prometheus") == str(machine.folder / "prometheus")


def test_program_that_is_not_found_after_all_is_an_error(machine: Machine) -> None:
    """A package that brings no program of that name is no success."""
    with pytest.raises(LabError, match="prometheus was not found"):
        programs.ensure_program("prometheus", assume_yes=True)


def test_the_packages_of_a_part_come_from_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the stack that is written in Python is installed into the kit's own environment."""
    asked: list[object] = []
    monkeypatch.setattr("labkit.install.environment.ensure", asked.append)
    programs.ensure_program("dashboard", assume_yes=True)
    assert asked == [{"dashboard"}]


def make_server(root: Path, path: str) -> Path:
    """Put an empty server script below `root`."""
    script = root / path
    script.parent.mkdir(parents=True)
    script.touch()
    return script


def test_debian_server_is_found_with_its_version(tmp_path: Path) -> None:
    """On Debian and Fedora the version stands in the folder behind the link."""
    real = make_server(tmp_path, "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server")
    link = tmp_path / "usr/lib/rabbitmq/bin/rabbitmq-server"
    link.parent.mkdir()
    link.symlink_to(real)
    assert rabbitmq.find_server(tmp_path) == rabbitmq.Server(link, "3.10.8")


def test_brew_server_tells_its_version_by_a_plugin(tmp_path: Path) -> None:
    """Homebrew's folder names no server; its plugins carry the version."""
    script = make_server(tmp_path, "opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server")
    plugins = script.parent.parent / "plugins"
    plugins.mkdir()
    (plugins / "rabbit-4.1.2.ez").touch()
    (plugins / "rabbit_common-4.1.2.ez").touch()
    assert rabbitmq.find_server(tmp_path) == rabbitmq.Server(script, "4.1.2")


def test_server_without_a_version_is_unknown(tmp_path: Path) -> None:
    """A server whose files tell no version is neither new enough nor too old."""
    make_server(tmp_path, "usr/local/opt/rabbitmq/sbin/rabbitmq-server")
    server = rabbitmq.find_server(tmp_path)
    assert server is not None
    assert server.new_enough is None


def test_wrapper_is_not_taken_for_the_server(tmp_path: Path) -> None:
    """The wrapper of the Debian package refuses other users, so a link to it does not count."""
    wrapper = make_server(tmp_path, "usr/lib/rabbitmq/bin/rabbitmq-script-wrapper")
    (wrapper.parent / "rabbitmq-server").symlink_to(wrapper)
    assert rabbitmq.find_server(tmp_path) is None


@pytest.mark.parametrize(
    ("version", "enough"), [("3.9.27", False), ("3.10.8", True), ("3.13", True), ("4.0.5", True)]
)
def test_versions_are_compared_as_numbers(version: str, *, enough: bool) -> None:
    """3.10 is newer than 3.9."""
    assert rabbitmq.at_least(version) is enough
