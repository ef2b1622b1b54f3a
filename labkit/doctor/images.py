"""Checks of the images: is each here, or could it be pulled. Nothing is pulled."""

import re
import threading
from typing import Dict, List, Optional

from labkit import words
from labkit.doctor import registry
from labkit.doctor.check import Result, Results
from labkit.doctor.engine import ask
from labkit.doctor.project import EXTRAS, setting

OWN = "queue-lab/"
"""What the names of images begin with that are built here."""

LOOK_S = 12.0  # how long all registries together may take
ROOM_GB = 3  # for all images, and the layers that building leaves


Sizes = Dict[str, Optional[int]]
"""Each image with its bytes; None: it is not here."""


def references() -> List[str]:
    """Return the images of docker-compose.yml, then those that the Dockerfile builds on, each once."""
    compose = _found(r"^\s*image:\s*(\S+)", "docker-compose.yml")
    bases = _found(r"^FROM\s+(?:--\S+\s+)*(\S+)", "services/Dockerfile")
    return list(dict.fromkeys([_filled(name) for name in compose] + bases))


def extras() -> List[str]:
    """Return the images of services that have to be asked for."""
    try:
        text = (words.ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    except OSError:
        return []
    services = re.split(r"\n(?=  [\w-]+:\s*\n)", text)
    asked_for = [
        one
        for one in services
        if re.search(rf"^    profiles: \[({'|'.join(set(EXTRAS.values()))})\]", one, re.MULTILINE)
    ]
    found = [re.search(r"^    image:\s*(\S+)", one, flags=re.MULTILINE) for one in asked_for]
    names = [_filled(image.group(1)) for image in found if image]
    return [name for name in names if not name.startswith(OWN)]


def present(name: str) -> Optional[int]:
    """Return the size of an image that is on this machine, bytes; None if it is not."""
    said = ask("image", "inspect", "--format", "{{.Size}}", name)
    return int(said.text) if said.ok and said.text.isdigit() else None


def sizes() -> Sizes:
    """Look which images are here."""
    return {name: present(name) for name in references()}


def check_images(sizes: Sizes) -> Results:
    """Check each image; registries are asked only for what is not here, all at once."""
    built = any(size for name, size in sizes.items() if name.startswith(OWN))
    bases = set(_found(r"^FROM\s+(?:--\S+\s+)*(\S+)", "services/Dockerfile"))
    spare = extras()
    wanted = [
        name
        for name, size in sizes.items()
        if size is None and name not in spare and not name.startswith(OWN) and not (built and name in bases)
    ]
    offered = _offers(wanted)
    return [
        _spare(name, size) if name in spare else _result(name, size, offered, needed=name in wanted)
        for name, size in sizes.items()
    ]


def _spare(name: str, size: Optional[int]) -> Result:
    if size is not None:
        return _result(name, size, {}, needed=False)
    fix = words.command("up --observability")
    return Result(
        _short(name), ok=None, detail=f"{name} is fetched when it is asked for", fix=fix, optional=True
    )


def _result(name: str, size: Optional[int], offered: Dict[str, Optional[bool]], *, needed: bool) -> Result:
    short = _short(name)
    if size is not None:
        return Result(short, ok=True, detail=f"{name} is here, {size / 1e6:.0f} MB")
    if name.startswith(OWN):
        fix = words.command("prepare --runtime docker")
        return Result(short, ok=None, detail=f"{name} is built by the first start", fix=fix, optional=True)
    if not needed:
        return Result(short, ok=True, detail=f"{name} is not here; only building needs it")
    if offered.get(name):
        return Result(short, ok=True, detail=f"{name} is not here yet; its registry has it")
    fix = words.command("prepare --runtime docker --from DIR") + "   (DIR: a bundle)"
    if offered.get(name) is False:
        return Result(short, ok=False, detail=f"{name} is not here, and its registry has none", fix=fix)
    server = registry.server(name)
    return Result(short, ok=False, detail=f"{name} is not here, and {server} does not answer", fix=fix)


def _short(name: str) -> str:
    return "image " + name.split(":", maxsplit=1)[0].rpartition("/")[2]


def _offers(names: List[str]) -> Dict[str, Optional[bool]]:
    """Ask the registries side by side; who has not answered in time is missing in the result."""
    found = {}  # type: Dict[str, Optional[bool]]

    def look(name: str) -> None:
        found[name] = registry.offers(name)

    threads = [threading.Thread(target=look, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LOOK_S / len(threads))
    return dict(found)


def _found(pattern: str, path: str) -> List[str]:
    try:
        text = (words.ROOT / path).read_text(encoding="utf-8")
    except OSError:
        return []
    return re.findall(pattern, text, flags=re.MULTILINE)


def _filled(name: str) -> str:
    """Put settings in place of ${NAME:-default}, as Compose does."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: setting(match.group(1)) or match.group(2), name)
