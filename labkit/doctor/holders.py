"""Which process listens on a port. Linux: from /proc. macOS: from lsof."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Optional, Set, Tuple

PROC = Path("/proc")
STACK_MARK = b"LAB_STACK="
LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp


class Holder(NamedTuple):
    """The process that holds a port."""

    pid: int  # 0: it belongs to another user, so it cannot be seen
    name: str
    user: str = ""
    stack: str = ""  # the state folder of the stack that it belongs to, "" if to none or not known

    def __str__(self) -> str:
        if self.stack:
            return f"{self.name} (pid {self.pid}) of project {Path(self.stack).name}"
        if self.pid:
            return f"{self.name} (pid {self.pid})"
        return f"a process of user {self.user}" if self.user else "a process of another user"


def holder(port: int) -> Optional[Holder]:
    """Return who listens on the TCP port, or None if nothing on this machine tells."""
    if (PROC / "net/tcp").exists():
        return _from_proc(port)
    return _from_lsof(port) if shutil.which("lsof") else None


def _from_proc(port: int) -> Optional[Holder]:
    inodes, uid = _listening(port)
    if not inodes:
        return None
    for folder in PROC.glob("[0-9]*"):
        if _holds(folder, inodes):
            return Holder(int(folder.name), _name(folder), stack=stack_of(folder))
    return Holder(0, "", _user(uid))


def _listening(port: int) -> Tuple[Set[str], int]:
    """Return the inodes of the sockets that listen on `port`, and their owner's user id."""
    inodes = set()  # type: Set[str]
    uid = -1
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
                uid = int(fields[7])
    return inodes, uid


def _holds(folder: Path, inodes: Set[str]) -> bool:
    try:
        entries = list((folder / "fd").iterdir())
    except OSError:  # gone meanwhile, or another user's
        return False
    sockets = {f"socket:[{inode}]" for inode in inodes}
    return any(_link(entry) in sockets for entry in entries)


def _link(entry: Path) -> str:
    try:
        return os.readlink(str(entry))
    except OSError:  # closed meanwhile
        return ""


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return "a process"


def stack_of(folder: Path) -> str:
    """Return the state folder of the stack that a process of /proc belongs to, "" if to none or not known.

    The runtime has written it into the environment of all processes of a stack.
    """
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    marks = [line[len(STACK_MARK) :] for line in variables if line.startswith(STACK_MARK)]
    return os.fsdecode(marks[0]) if marks else ""


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415 - Windows has no pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _from_lsof(port: int) -> Optional[Holder]:
    command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        text = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"p(\d+)\nc(.*)", text.decode(errors="replace"))
    return Holder(int(found.group(1)), found.group(2)) if found else None
