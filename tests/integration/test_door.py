"""labctl.py in small checkouts of its own: nothing here needs a network."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import Checkout, environment, eventually, slow_package, wheel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX processes")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout that was set up once, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("door")
    checkout = Checkout(folder / "queue lab")
    checkout.require(wheel(folder / "my wheels", "alpha"))
    assert checkout.run("exit", "0").returncode == 0
    return checkout


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """Return a checkout in which nothing was run yet."""
    return Checkout(tmp_path / "lab")


def test_first_run_makes_the_environment_and_keeps_stdout_clean(fresh: Checkout, tmp_path: Path) -> None:
    """The first run installs the listed packages; all its words go to standard error."""
    fresh.require(wheel(tmp_path, "alpha"))
    done = fresh.run("show", "--json")
    told = json.loads(done.stdout)
    assert told["packages"]["alpha"] == "1.0"
    assert told["prefix"] == str(fresh.venv)
    assert "Setting up Queue Lab" in done.stderr
    assert "Ready after" in done.stderr


def test_second_run_installs_nothing_and_says_nothing(shared: Checkout) -> None:
    """A set-up checkout goes straight to the command."""
    log = (shared.venv / "install.log").stat()
    done = shared.run("show")
    assert done.stderr == ""
    assert (shared.venv / "install.log").stat() == log


def test_arguments_folder_and_exit_code_pass_through(shared: Checkout, tmp_path: Path) -> None:
    """The command sees what was typed, where it was typed; its exit code comes back."""
    command = [sys.executable, str(shared.root / "labctl.py")]
    show = subprocess.check_output([*command, "a b", "--x", "*"], cwd=tmp_path, env=environment())
    told = json.loads(show)
    assert told["arguments"] == ["a b", "--x", "*"]
    assert told["folder"] == str(tmp_path)
    assert shared.run("exit", "7").returncode == 7


def test_modules_in_the_users_folder_are_not_imported(shared: Checkout, tmp_path: Path) -> None:
    """A file in the working folder or on the user's PYTHONPATH never shadows the kit's modules."""
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "labkit").mkdir()
    (tmp_path / "labkit/__init__.py").write_text("raise SystemExit('shadowed')")
    done = subprocess.run(
        [sys.executable, shared.root / "labctl.py", "exit", "0"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=""),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_signals_reach_the_command(shared: Checkout) -> None:
    """The command takes the door's place: it has its process id and gets its signals."""
    with shared.start("wait") as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "stopping\n"
    assert process.returncode == 5


def test_shell_door_names_itself(shared: Checkout) -> None:
    """Who came through ./labctl is told ./labctl, who came through Python is told that."""
    shell = subprocess.check_output(["./labctl", "show"], cwd=shared.root, env=environment())
    assert json.loads(shell)["door"] == "./labctl"
    assert shared.told("show")["door"].endswith(" labctl.py")


def test_bare_environment_is_enough(shared: Checkout) -> None:
    """The door works without PATH, HOME and language."""
    done = subprocess.run([sys.executable, shared.root / "labctl.py", "exit", "3"], env={}, check=False)
    assert done.returncode == 3


def test_changed_lists_are_installed(fresh: Checkout, tmp_path: Path) -> None:
    """A new version in the lists is there at the next run, without a new environment."""
    fresh.require(wheel(tmp_path, "alpha"))
    fresh.told("show")
    fresh.require(wheel(tmp_path, "alpha", "2.0"))
    assert fresh.told("show")["packages"]["alpha"] == "2.0"


def test_constraints_are_obeyed_and_noticed(fresh: Checkout, tmp_path: Path) -> None:
    """The file constraints.txt holds, and a change of it counts as a change of the lists."""
    fresh.require(wheel(tmp_path, "alpha"))
    fresh.told("show")
    (fresh.root / "constraints.txt").write_text("alpha==2.0\n")
    done = fresh.run("show")
    assert done.returncode == 1
    assert "alpha" in done.stderr


def test_groups_are_installed_when_first_needed(fresh: Checkout, tmp_path: Path) -> None:
    """A group comes on demand, stays, and follows a change of the lists."""
    fresh.require(wheel(tmp_path, "alpha"), test=(wheel(tmp_path, "beta"),))
    assert "beta" not in fresh.told("show")["packages"]
    assert fresh.told("ensure", "test")["packages"]["beta"] == "1.0"
    assert fresh.run("ensure", "test").stderr == ""
    fresh.require(wheel(tmp_path, "alpha"), test=(wheel(tmp_path, "beta", "2.0"),))
    assert fresh.told("show")["packages"]["beta"] == "2.0"


def test_a_bundle_stands_for_the_network(fresh: Checkout, tmp_path: Path) -> None:
    """`prepare --from` takes every package out of the bundle, and none from anywhere else."""
    fresh.require("lab_alpha")
    bundle = fresh.bundle(tmp_path / "usb", "lab_alpha")
    told = fresh.told("prepare", "--from", str(bundle))
    assert told["packages"]["lab_alpha"] == "1.0"
    fresh.require("lab_alpha", "lab_beta")
    stale = fresh.run("prepare", "--from", str(bundle))
    assert "another version of Queue Lab" in stale.stderr
    fresh.bundle(bundle, "lab_alpha")
    lacking = fresh.run("prepare", "--from", str(bundle))
    assert (stale.returncode, lacking.returncode) == (1, 1)
    assert "Make the bundle again" in lacking.stderr


def test_failed_pip_gives_one_error_and_keeps_what_worked(fresh: Checkout, tmp_path: Path) -> None:
    """Without its packages the door says why and where the log is; the groups of before still work."""
    good = wheel(tmp_path, "alpha")
    fresh.require(good)
    fresh.told("show")
    fresh.require(good, "missing @ file:///nowhere/missing-1.0-py3-none-any.whl")
    done = fresh.run("show")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: pip could not install" in done.stderr
    assert str(fresh.venv / "install.log") in done.stderr
    assert "Traceback" not in done.stderr
    fresh.require(good)
    assert fresh.run("show").stderr == ""


def test_half_installed_package_is_mended(shared: Checkout) -> None:
    """An installation that was cut off while it wrote files starts again from an empty folder."""
    module = next(shared.venv.glob("lib/*/site-packages/alpha.py"))
    module.unlink()
    (shared.venv / "queue-lab.json").write_text(json.dumps({**shared.stamp(), "finished": False}))
    assert "Setting up" in shared.run("show").stderr
    assert module.exists()


def test_killed_build_is_taken_up_again(fresh: Checkout, tmp_path: Path) -> None:
    """A door killed while pip works leaves a lock with pip; the next run waits for it and finishes."""
    package = tmp_path / "slow"
    fresh.require(slow_package(package, "slow"))
    with fresh.start("show") as killed:
        eventually((package / "builds.txt").exists)
        killed.kill()
    with fresh.start("show") as second:
        assert second.stderr is not None
        assert "Waiting for it" in second.stderr.readline()
        (package / "gate").touch()
        assert json.loads(second.communicate()[0])["packages"]["slow"] == "1.0"
    assert fresh.stamp()["finished"]


def test_interrupt_stops_in_one_line(fresh: Checkout, tmp_path: Path) -> None:
    """Ctrl-C during an installation ends with 130 and one sentence; the next run goes on."""
    package = tmp_path / "slow"
    fresh.require(slow_package(package, "slow"))
    with fresh.start("show") as process:
        eventually((package / "builds.txt").exists)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the door, pip and the build
        error = process.communicate()[1]
    assert process.returncode == 130
    assert "Stopped." in error
    assert "Traceback" not in error
    (package / "gate").touch()
    assert fresh.told("show")["packages"]["slow"] == "1.0"


def test_two_first_runs_install_once(fresh: Checkout, tmp_path: Path) -> None:
    """Of two runs at the same time one installs and the other waits."""
    package = tmp_path / "slow"
    fresh.require(slow_package(package, "slow"))
    (package / "gate").touch()
    with fresh.start("show") as first, fresh.start("show") as second:
        answers = [json.loads(process.communicate()[0]) for process in (first, second)]
    assert [told["packages"]["slow"] for told in answers] == ["1.0", "1.0"]
    assert (package / "builds.txt").read_text().count("build") == 1


def test_copied_checkout_gets_its_own_environment(shared: Checkout, tmp_path: Path) -> None:
    """The environment of a copied folder is made anew: its scripts would run the original's."""
    copy = tmp_path / "copy"
    shutil.copytree(shared.root, copy, symlinks=True)
    done = subprocess.run(
        [sys.executable, "labctl.py", "show"], cwd=copy, env=environment(), capture_output=True, check=True
    )
    assert b"Setting up" in done.stderr
    assert json.loads(done.stdout)["prefix"] == str(copy / ".venv")


def test_vanished_python_is_replaced(shared: Checkout) -> None:
    """An environment whose Python is gone, after an upgrade of the system say, is made anew."""
    python = shared.venv / "bin/python"
    python.unlink()
    python.symlink_to(shared.root / "gone")
    assert "Setting up" in shared.run("show").stderr
    assert shared.run("show").stderr == ""


def test_environment_made_by_hand_is_kept(fresh: Checkout, tmp_path: Path) -> None:
    """A .venv that the user has made is used, with what is in it."""
    subprocess.check_call([sys.executable, "-m", "venv", fresh.venv])
    pip = [str(fresh.venv / "bin/python"), "-m", "pip", "install", "-q", "--no-index"]
    subprocess.check_call([*pip, wheel(tmp_path, "mine")])
    fresh.require(wheel(tmp_path, "alpha"))
    assert {"alpha", "mine"} <= fresh.told("show")["packages"].keys()


def test_unreadable_project_file_is_said(fresh: Checkout) -> None:
    """A broken pyproject.toml is an error with a next step, not a traceback."""
    (fresh.root / "pyproject.toml").write_text("[project")
    done = fresh.run("show")
    assert done.returncode == 1
    assert "git checkout" in done.stderr
    assert "Traceback" not in done.stderr
