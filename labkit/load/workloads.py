"""What to send: fixed workloads, the same for the same seed, each job with the result it must have."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from PIL import Image

from labkit.errors import BadValue
from test_images import generate_sample

GRID_OPERATIONS = "resize,watermark"
PHOTO_SIZE = (1200, 1600)
PAGE_SIZE = (1403, 1662)


@dataclass(frozen=True, slots=True)
class Expected:
    """The result that a job must have: Pillow's name of the format, and pixels."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One job to send. `image` names an entry of the workload's images, or is empty for a text job."""

    sequence: int
    image: str = ""
    operations: str = ""
    processing_time_s: float = 0.0
    priority: int = 0
    expected: Expected | None = None

    @property
    def kind(self) -> Literal["image", "text"]:
        """Which endpoint takes it."""
        return "image" if self.image else "text"


@dataclass(frozen=True, slots=True)
class Workload:
    """Jobs in the order in which they are sent, and the pictures that they share."""

    name: str
    jobs: tuple[Planned, ...]
    images: Mapping[str, bytes] = field(default_factory=dict)


_PICTURES = {"A.jpg": ("JPEG", *PHOTO_SIZE), "B.png": ("PNG", *PAGE_SIZE)}
_OPERATIONS = ("rotate,90", "resize,800x600,cover", "force_resize,700x700", "convert")


def mix(jobs: int, seed: int = 1) -> Workload:
    """Return the reference workload: two pictures, four operations, a quarter of the jobs each."""
    chance = random.Random(seed)
    names = [_OPERATIONS[number % len(_OPERATIONS)] for number in range(jobs)]
    chance.shuffle(names)
    planned = []
    for sequence, name in enumerate(names):
        image = chance.choice(sorted(_PICTURES))
        operations, expected = _mixed(image, name)
        planned.append(Planned(sequence=sequence, image=image, operations=operations, expected=expected))
    return Workload("mix", tuple(planned), mix_images(seed))


def mix_images(seed: int = 1) -> dict[str, bytes]:
    """Return the two pictures of `mix` by name."""
    return {
        "A.jpg": generate_sample.photo(*PHOTO_SIZE, seed=seed),
        "B.png": generate_sample.text(*PAGE_SIZE, seed=seed),
    }


def text(jobs: int, processing_time_s: float | Sequence[float], priority: int = 0) -> Workload:
    """Return text jobs, each of which holds a consumer for `processing_time_s`; several times take turns."""
    times = (processing_time_s,) if isinstance(processing_time_s, float | int) else processing_time_s
    planned = (
        Planned(sequence=number, processing_time_s=times[number % len(times)], priority=priority)
        for number in range(jobs)
    )
    return Workload("text", tuple(planned))


def grid(jobs: int, operations: str = GRID_OPERATIONS, seed: int = 1) -> Workload:
    """Return the classroom workload: one 1920x1080 JPEG, all jobs alike. Raises BadValue."""
    image = generate_sample.grid(seed=seed)
    return replace(same("grid.jpg", image, jobs, operations, expectation(image, operations)), name="grid")


def expectation(image: bytes, operations: str) -> Expected | None:
    """Return what these operations make of the picture, by doing them here; None when they fail on it.

    Raises BadValue for operations that cannot be read.
    """
    from services.worker.processors import ImageError, parse_operations, process  # noqa: PLC0415 - slow
    from services.worker.processors.errors import BadOperation, OutsideImage  # noqa: PLC0415 - slow

    try:
        chain = parse_operations(operations)
    except BadOperation as error:
        raise BadValue(f"{operations!r} are no operations: {error}", "See: labctl bulk --help") from None
    try:
        result = process(image, chain, sleep=lambda _: None).result
    except (ImageError, OutsideImage):
        return None
    with Image.open(io.BytesIO(result.data)) as made:
        return Expected(made.format or "", *made.size)


def same(name: str, image: bytes, jobs: int, operations: str, expected: Expected | None = None) -> Workload:
    """Return one picture, sent `jobs` times with the same operations."""
    planned = (
        Planned(sequence=number, image=name, operations=operations, expected=expected)
        for number in range(jobs)
    )
    return Workload(operations, tuple(planned), {name: image})


def _mixed(image: str, operation: str) -> tuple[str, Expected]:
    kind, width, height = _PICTURES[image]
    if operation.startswith("rotate"):
        return operation, Expected(kind, height, width)
    if operation.startswith("resize"):
        return operation, Expected(kind, 800, 600)
    if operation.startswith("force_resize"):
        return operation, Expected(kind, 700, 700)
    other = "PNG" if kind == "JPEG" else "JPEG"
    return f"convert,{other.lower()}", Expected(other, width, height)
