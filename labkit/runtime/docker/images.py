"""The images that a stack needs: fetched when missing, built anew when their sources have changed."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import DockerRefused, ImageMissing
from labkit.runtime.base import Progress, Report
from labkit.runtime.docker.compose import Compose
from labkit.runtime.docker.engine import Engine
from labkit.runtime.docker.trouble import OR_LOCAL, not_fetched
from labkit.runtime.private import write_private

# What services/Dockerfile copies.
SOURCES = ("services", "constraints.txt")


class Images:
    """Sees that images are there. `notes` is a file that outlives the stack."""

    def __init__(self, engine: Engine, compose: Compose, notes: Path, report: Report) -> None:
        self._engine = engine
        self._compose = compose
        self._notes = notes
        self._report = report

    def ensure(
        self, config: Mapping[str, Any], services: Collection[str], variables: Mapping[str, str]
    ) -> None:
        """Fetch or build what these services need. Raises ImageMissing and what Compose's words mean."""
        every = config["services"]
        built = {entry["image"]: (name, entry["build"]) for name, entry in every.items() if "build" in entry}
        for image in dict.fromkeys(every[name]["image"] for name in services):
            if image in built:
                name, build = built[image]
                self._build(image, name, Path(build["context"]), variables)
            elif not self._engine.image_id(image):
                owner = next(name for name in services if every[name]["image"] == image)
                self._pull(image, owner, variables)

    def _pull(self, image: str, service: str, variables: Mapping[str, str]) -> None:
        try:
            self._told(Progress.PULLING, image, ("pull", "--quiet", service), variables)
        except ImageMissing as error:  # the engine's words do not always name it
            raise not_fetched(image, error.message.partition(": ")[2]) from error

    def _build(self, image: str, service: str, context: Path, variables: Mapping[str, str]) -> None:
        """Build unless the image was made from these sources, as far as is known."""
        present = self._engine.image_id(image)
        digest = fingerprint(context)
        noted = self._read().get(image, {})
        # An image that somebody else made or brought, in a bundle perhaps, is taken as it is.
        if not present or (present == noted.get("id") and digest != noted.get("sources")):
            try:
                self._told(Progress.BUILDING, image, ("build", service), variables)
            except DockerRefused as error:
                raise ImageMissing(
                    f"The image {image} cannot be built: {error.message}",
                    f"See all of it: docker compose build; {OR_LOCAL}",
                ) from error
            present = self._engine.image_id(image)
        if noted != {"id": present, "sources": digest}:
            notes = {**self._read(), image: {"id": present, "sources": digest}}
            write_private(self._notes, json.dumps(notes, indent=2))

    def _told(
        self, progress: Progress, image: str, words: tuple[str, ...], variables: Mapping[str, str]
    ) -> None:
        self._report(progress, image)
        self._compose.run("--profile", "*", *words, variables=variables)
        self._report(Progress.READY, image)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}


def fingerprint(context: Path) -> str:
    """Tell apart the sources of an image."""
    digest = hashlib.sha256()
    for path in _files(context):
        digest.update(str(path.relative_to(context)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(context: Path) -> Iterator[Path]:
    for name in SOURCES:
        root = context / name
        found = sorted(root.rglob("*")) if root.is_dir() else [root]
        yield from (path for path in found if path.is_file() and "__pycache__" not in path.parts)
