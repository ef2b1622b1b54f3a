"""A folder of wheels, made by `labctl bundle`, from which the kit installs itself without a network."""

import json
import platform
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from labkit import words
from labkit.install.errors import LabError
from labkit.install.stamp import Wanted

FORMAT = 1
FILE, WHEELS, IMAGES = "bundle.json", "wheels", "images.tar.gz"


class Bundle(NamedTuple):
    """What a bundle says of itself.

    digests: of the lists that its groups were made from. images: the id of each image; None: there are none.
    """

    python: str
    machine: str
    digests: Dict[str, str]
    made: str
    images: Optional[Dict[str, str]] = None

    def encode(self) -> str:
        """Return it as JSON text."""
        return json.dumps(dict(self._asdict(), format=FORMAT), indent=1) + "\n"


def this_python() -> str:
    """Return what wheels are made for besides the machine: 3.11."""
    return "{}.{}".format(*sys.version_info[:2])


def this_machine() -> str:
    """Return system and processor: linux x86_64."""
    return f"{sys.platform} {platform.machine().lower()}"


def read(folder: Path) -> Bundle:
    """Read what stands in the folder. Raises LabError."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if found.pop("format") == FORMAT:
            return Bundle(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    raise LabError(
        f"{folder} is no bundle: it has no {FILE} that can be read.",
        f"Make one where there is a network: {words.command('bundle DIR')}",
    )


def source(folder: Path, root: Path = words.ROOT) -> Path:
    """Return where the wheels are, after a look whether they are for this machine and this copy of the kit.

    Raises LabError.
    """
    bundle = read(folder)
    here = Bundle(this_python(), this_machine(), {}, "")
    if (bundle.python, bundle.machine) != (here.python, here.machine):
        raise LabError(
            f"This bundle is for Python {bundle.python} on {bundle.machine};"
            f" here is Python {here.python} on {here.machine}.",
            f"Make one on a machine like this one: {words.command('bundle DIR')}",
        )
    wanted = Wanted(root)
    stale = [
        name
        for name, digest in bundle.digests.items()
        if name not in wanted.groups or wanted.digest(name) != digest
    ]
    if stale:
        raise LabError(
            "This bundle was made from another version of Queue Lab.",
            f"Make both from the same version: {words.command('bundle DIR')}",
        )
    return folder.resolve() / WHEELS


def folder_in(arguments: List[str]) -> Optional[Path]:
    """Return the folder of `prepare --from FOLDER`, if that is what was typed."""
    if "prepare" not in arguments:
        return None
    for place, word in enumerate(arguments):
        if word == "--from" and place + 1 < len(arguments):
            return Path(arguments[place + 1])
        if word.startswith("--from="):
            return Path(word[len("--from=") :])
    return None
