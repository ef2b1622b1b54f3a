"""The images of the stack: which there are, pulled and built, saved into one file and loaded again.

Which ones docker-compose.yml says, and Compose reads it; nothing is written down twice.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from labkit.doctor import engine
from labkit.doctor.images import present
from labkit.errors import DockerRefused, ImageMissing, LabError
from labkit.project import REPOSITORY
from labkit.runtime.docker import trouble
from labkit.stack import EXTRAS

COMPOSE = ("compose", "--file", "docker-compose.yml", "--profile", "*")
TRIES, PAUSE_S = 3, 4.0
CHUNK = 1 << 20
LAST_LINES = 8

Told = Callable[[str], None]
Counted = Callable[[int], None]

_PASSING = re.compile(
    r"timeout|timed out|TLS handshake|EOF|connection re(set|fused)|no such host|temporary failure"
    r"|status(?: code)?:? 5\d\d|unexpected|network is unreachable",
    re.IGNORECASE,
)
"""Words of troubles that may be over in a moment."""


@dataclass(frozen=True, slots=True)
class Images:
    """Names of images: what is pulled, and what is built here."""

    pulled: tuple[str, ...]
    built: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """All of them."""
        return self.pulled + self.built

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that are not on this machine."""
        return tuple(name for name in self.every if present(name) is None)

    @property
    def size(self) -> int:
        """The bytes of those that are here."""
        return sum(present(name) or 0 for name in self.every)


def wanted() -> Images:
    """Read docker-compose.yml; what has to be asked for is fetched then. Raises LabError."""
    listed = json.loads(_docker(*COMPOSE, "config", "--format", "json"))["services"].values()
    services = [service for service in listed if not set(EXTRAS).intersection(service.get("profiles", ()))]
    built = {service["image"] for service in services if "build" in service}
    every = dict.fromkeys(service["image"] for service in services)
    return Images(
        tuple(name for name in every if name not in built), tuple(name for name in every if name in built)
    )


def pull(name: str, told: Told = lambda _: None, tries: int = TRIES, pause_s: float = PAUSE_S) -> None:
    """Pull one image; Docker draws its own progress where standard error is a terminal.

    What may be over in a moment is tried again. Raises ImageMissing and other LabErrors.
    """
    for left in reversed(range(tries)):
        said = _shown("pull", name)
        if said is None:
            return
        if not left or not _PASSING.search(said):
            raise _not_pulled(name, said)
        told(f"{name}: {trouble.gist(said)}. Once more in {pause_s:.0f} s …")
        time.sleep(pause_s)


def _not_pulled(name: str, said: str) -> LabError:
    known = trouble.explain(said)
    if not isinstance(known, ImageMissing):
        return known
    crowded = "Too many pulls came from this network. Wait an hour, or log in (docker login)"
    first = crowded if "toomanyrequests" in said.replace(" ", "").lower() else "Check the network"
    why = "its registry cannot be reached" if _PASSING.search(said) else trouble.gist(said)
    return ImageMissing(
        f"The image {name} cannot be pulled: {why}.",
        f"{first}; or use a bundle of your class: labctl prepare --from DIR",
    )


def build(log: Path) -> None:
    """Build what is built here; what Docker says goes into `log`. Raises ImageMissing and other LabErrors."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        status = subprocess.call(  # noqa: S603 - a fixed list
            [engine.program(), *COMPOSE, "build"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    if status:
        raise _not_built(log)


def _not_built(log: Path) -> LabError:
    said = log.read_text(errors="replace")
    known = trouble.explain(said)
    if not isinstance(known, DockerRefused) or trouble.gist(said) not in known.message:  # it has better words
        return known
    return ImageMissing(
        f"The image of the services cannot be built: {trouble.gist(said)}",
        f"Check the network: building fetches Python packages. The whole log: {log}",
    )


def ids(names: Collection[str]) -> dict[str, str]:
    """Return the id of each image. Raises LabError for one that is not here."""
    return {name: _docker("image", "inspect", "--format", "{{.Id}}", name) for name in names}


def save(names: Sequence[str], path: Path, counted: Counted = lambda _: None) -> int:
    """Write images into a compressed archive; `counted` hears of bytes. Return the size of the file, bytes.

    Raises LabError, also when the disk is full.
    """
    command = [engine.program(), "save", *names]
    try:
        with (
            gzip.open(path, "wb", compresslevel=1) as sink,
            subprocess.Popen(  # noqa: S603 - a fixed list
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as process,
        ):
            if process.stdout is None or process.stderr is None:
                raise AssertionError("both are pipes")
            _copy(process.stdout, sink, counted)
            said = process.stderr.read().decode(errors="replace")
        if process.returncode:
            path.unlink()
            raise trouble.explain(said)
        _look_into(path, names)
        return path.stat().st_size
    except OSError as error:
        path.unlink(missing_ok=True)
        raise LabError(f"The images cannot be saved: {error}.", "Name a folder with more room.") from error


def load(path: Path) -> None:
    """Load the images of an archive. Raises LabError."""
    if not path.is_file():
        raise LabError(f"{path.name} is missing in the bundle.", "Copy the whole folder again.")
    said = _shown("load", "--input", str(path))
    if said is not None:
        raise trouble.explain(said)


def _look_into(path: Path, names: Sequence[str]) -> None:
    """See that the archive can be read to its end, and has all the images."""
    with tarfile.open(path, "r|gz") as archive:
        listed: set[str] = set()
        for entry in archive:
            file = archive.extractfile(entry) if entry.name == "manifest.json" else None
            if file is not None:
                listed = {tag for image in json.load(file) for tag in image["RepoTags"] or ()}
    if lacking := set(names) - listed:
        raise LabError(f"The archive lacks {', '.join(sorted(lacking))}.", "Run the same command again.")


def _copy(source: IO[bytes], sink: gzip.GzipFile, counted: Counted) -> None:
    done = 0
    while chunk := source.read(CHUNK):
        sink.write(chunk)
        done += len(chunk)
        counted(done)


def _docker(*words: str) -> str:
    """Return what a command says that only reads. Raises LabError."""
    said = engine.ask(*words, folder=str(REPOSITORY))
    if not said.ok:
        raise trouble.explain(said.text or "Connection aborted")
    return said.text


def _shown(*words: str) -> str | None:
    """Run a command that shows its progress on a terminal; return its error, None if all went well."""
    terminal = sys.stderr.isatty()
    done = subprocess.run(  # noqa: S603 - a fixed list
        [engine.program(), *words],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    return done.stderr.decode(errors="replace") if done.returncode else None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str]) -> int:
    """Pull what is missing, and build: a part of the test suite, `python -m labkit.images build`."""
    if list(arguments) != ["build"]:
        _say("Usage: python -m labkit.images build")
        return 2
    try:
        for name in set(wanted().pulled) & set(wanted().missing):
            pull(name, _say)
    except LabError as error:
        _say(f"{error.message} {error.next_step}")
        return 1
    return subprocess.call([engine.program(), *COMPOSE, "build"], cwd=REPOSITORY)  # noqa: S603 - a fixed list


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
