"""Finds the machine's RabbitMQ, and installs it if there is none.

The version is read from names of files: asking the server would start an Erlang machine, and that
leaves its `epmd` behind.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Tuple

from labkit.install import packages
from labkit.install.errors import LabError
from labkit.install.say import ask as ask_person

MINIMUM = (3, 10)  # the first with a message TTL on quorum queues
PACKAGE = packages.Need(apt="rabbitmq-server", dnf="rabbitmq-server", brew="rabbitmq")
NEWER = (
    "Use Docker, a newer system (Debian 12, Ubuntu 24.04 or later), "
    "or the packages described on https://www.rabbitmq.com/docs/download"
)

LINUX = ("usr/lib/rabbitmq/bin", "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")
BREW = ("opt/homebrew", "usr/local", "home/linuxbrew/.linuxbrew")


class Server(NamedTuple):
    """A RabbitMQ that is installed on this machine."""

    path: Path  # the script that starts a node for any user: not the wrapper in /usr/sbin
    version: str  # "3.10.8"; "" when the files do not tell

    @property
    def new_enough(self) -> Optional[bool]:
        """Tell whether the kit can use it; None when the version is not known."""
        return at_least(self.version) if self.version else None


def find_server(root: Path = Path("/")) -> Optional[Server]:
    """Return the RabbitMQ server of this machine (below `root`), or None."""
    for path in _candidates(root):
        # /usr/sbin holds links to a wrapper that refuses every user but rabbitmq and root.
        if path.is_file() and path.resolve().name == "rabbitmq-server":
            return Server(path, read_version(path))
    return None


def read_version(path: Path) -> str:
    """Return the version of the server script `path`, or "" if the files around it do not tell."""
    real = path.resolve()
    named = re.search(r"rabbitmq_server-(\d+(?:\.\d+)+)", str(real))
    if named:
        return named.group(1)
    for plugin in (real.parent.parent / "plugins").glob("rabbit-*"):
        named = re.match(r"rabbit-(\d+(?:\.\d+)+)", plugin.name)
        if named:
            return named.group(1).rstrip(".")
    return ""


def at_least(version: str, minimum: Tuple[int, ...] = MINIMUM) -> bool:
    """Compare a version like "3.10.8" with `minimum`."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= minimum


def ensure_rabbitmq(*, assume_yes: bool, ask: packages.Ask = ask_person) -> Server:
    """Return this machine's RabbitMQ; install it first if there is none.

    Asks before it installs, unless `assume_yes`. The broker that a package may start by itself is left
    alone. Raises LabError with the exact command when it may not install, or the version is too old.
    """
    server = find_server()
    if server is None:
        _refuse_windows()
        _refuse_old_package()
        packages.ensure(PACKAGE, "RabbitMQ is not installed.", assume_yes=assume_yes, ask=ask)
        server = find_server()
    if server is None:
        raise LabError("RabbitMQ was installed, but its rabbitmq-server script was not found.", NEWER)
    if server.new_enough is False:
        raise LabError(f"RabbitMQ {server.version} is too old: Queue Lab needs 3.10.", NEWER)
    return server


def _candidates(root: Path) -> Iterator[Path]:
    for folder in LINUX:
        yield from sorted(root.glob(f"{folder}/rabbitmq-server"), reverse=True)
    for prefix in (os.environ.get("HOMEBREW_PREFIX", "").lstrip("/"), *BREW):
        if prefix:
            yield root / prefix / "opt/rabbitmq/sbin/rabbitmq-server"
    found = shutil.which("rabbitmq-server")
    if found and root == Path("/"):
        yield Path(found)


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise LabError("The local runtime does not run on Windows.", "Install WSL2: wsl --install")


def _refuse_old_package() -> None:
    """Stop before apt installs a RabbitMQ that is too old to be of use (Ubuntu 22.04 has 3.9)."""
    offered = _apt_offers()
    if offered and not at_least(offered):
        raise LabError(f"This system offers only RabbitMQ {offered}: Queue Lab needs 3.10.", NEWER)


def _apt_offers() -> str:
    """Return the version that apt would install, or "" if it does not tell."""
    if not shutil.which("apt-cache"):
        return ""
    command = ["apt-cache", "policy", "rabbitmq-server"]
    environment = dict(os.environ, LC_ALL="C")
    try:
        text = subprocess.check_output(command, stderr=subprocess.DEVNULL, env=environment).decode()
    except (OSError, subprocess.CalledProcessError):
        return ""
    offered = re.search(r"Candidate: (?:\d+:)?(\d+(?:\.\d+)+)", text)
    return offered.group(1) if offered else ""
