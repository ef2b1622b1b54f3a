"""The homework before a class: see that everything is here, and that one image comes back."""

from __future__ import annotations

import getpass
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labkit import images as imaging
from labkit.access import Access
from labkit.analysis.statistics import Spread
from labkit.doctor import engine
from labkit.errors import LabError
from labkit.install import wheels
from labkit.labs.classfile import ClassFile
from labkit.labs.codes import Code, encode
from labkit.load.arrivals import at_once
from labkit.load.workloads import Expected, same
from labkit.measure import Measured, measure
from labkit.runs import RUNS, RunFiles
from labkit.runtime.base import Runtime
from test_images import generate_sample

GROUPS = ("notebooks", "dashboard")
"""What a class uses besides the base."""

MODULES = ("pika", "PIL", "matplotlib", "pandas", "jupyterlab", "ipykernel", "nbconvert", "nicegui")
LAB = 0
SIZE = (160, 120)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that has to be so: true, false, or not known; next_step: what to do where it is not."""

    name: str
    ok: bool | None
    said: str
    next_step: str = ""


def packages() -> Step:
    """See that all modules of the class can be imported, without importing them."""
    importlib.invalidate_caches()
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        return Step(
            "Python packages",
            ok=False,
            said=f"missing: {', '.join(missing)}",
            next_step="Delete the folder .venv and run the same command again.",
        )
    return Step("Python packages", ok=True, said="all of them are here")


def docker() -> Step:
    """See that an engine with Compose v2 answers."""
    found = engine.check_docker()
    return Step("Docker", found.ok, found.detail, found.fix and f"For Docker: {found.fix}")


def images(source: Path | None, log: Path, told: Callable[[str], None]) -> Step:
    """Bring all images onto this machine: from a bundle, by pulling, by building. `told` hears of each.

    log: what building says goes there.
    """
    try:
        found = imaging.wanted()
        if source is not None:
            _load(source, found, told)
        for name in found.missing:
            if name in found.pulled:
                told(f"Pulling {name} …")
                imaging.pull(name, told)
        if set(found.missing) & set(found.built):
            told("Building the image of the services; the first time takes a minute or two …")
            imaging.build(log)
    except LabError as error:
        return Step("Images", ok=False, said=error.message, next_step=error.next_step)
    return Step("Images", ok=True, said=f"{len(found.every)} are here, {found.size / 1e9:.1f} GB")


def _load(source: Path, found: imaging.Images, told: Callable[[str], None]) -> None:
    """Load the images of a bundle, unless just these are here. Raises LabError."""
    bundled = wheels.read(source).images
    if bundled is None:
        told("There are no images in this bundle.")
        return
    here = set(bundled) - set(found.missing)
    if imaging.ids(here) != bundled:
        told("Loading the images of the bundle …")
        imaging.load(source / wheels.IMAGES)


def round_trip(runtime: Runtime, access: Access, runs: Path = RUNS) -> Measured:
    """Send one small image through every hop, download the result and look at it."""
    picture = generate_sample.photo(640, 480, seed=1)
    operations = "resize,{}x{}".format(*SIZE)
    workload = same("ready.jpg", picture, 1, operations, Expected("JPEG", *SIZE))
    return measure(runtime, access, workload, at_once(1), name="prepare", runs=runs)


def judged(found: Measured, pinned: ClassFile | None) -> Iterator[Step]:
    """Say what the round trip showed: of the broker, the image, and the report page."""
    run = RunFiles(found.run)
    version = str((run.about.get("versions") or {}).get("rabbitmq", ""))
    yield broker(version, pinned)
    yield image(found)
    yield page(run)


def broker(version: str, pinned: ClassFile | None) -> Step:
    """Compare the broker's version with the one that the class pins."""
    if pinned is None or pinned.accepts(version):
        return Step("RabbitMQ", ok=True, said=version or "answers")
    return Step(
        "RabbitMQ",
        ok=False,
        said=f"{version}, and this class uses {pinned.broker}",
        next_step="Ask your instructor which runtime to use: labctl prepare --runtime docker",
    )


def image(found: Measured) -> Step:
    """Tell whether the image came back, and is right."""
    ledger = found.ledger
    if ledger.completed == ledger.verified == 1:
        return Step(
            "One image", ok=True, said=f"came back after {_took(found.summary.latency)}, and is right"
        )
    why = next((record.error for record in found.records if record.error), "") or "it did not come back"
    return Step("One image", ok=False, said=why, next_step="See what is wrong: labctl doctor")


def page(run: RunFiles) -> Step:
    """Make a page with pictures: the first time takes longer, and is better done at home."""
    from labkit.report.page import write_report  # noqa: PLC0415 - matplotlib is slow

    write_report(run)
    return Step("Report", ok=True, said="pictures can be drawn")


def speed(runtime: Runtime, told: Callable[[str], None]) -> Step:
    """Measure what workers can do here, unless that was done lately: answers and experiments use it."""
    from labkit.experiments import calibrate  # noqa: PLC0415 - slow
    from labkit.experiments.declaration import everything  # noqa: PLC0415 - slow

    place = calibrate.place(runtime.project.root, runtime.kind)
    try:
        found = calibrate.ensure(place, calibrate.needed(everything()), told, runtime.kind)
    except LabError as error:
        return Step("Speed", ok=False, said=error.message, next_step=error.next_step)
    said = f"{found.allowed:g} cores are worth {found.cores:.1f}"
    return Step("Speed", ok=True, said=f"{said}; other programs were at work, too" if found.busy else said)


def verdict(steps: list[Step]) -> bool | None:
    """Tell whether all is ready; None when nothing is wrong but something is not known."""
    if any(step.ok is False for step in steps):
        return False
    return None if any(step.ok is None for step in steps) else True


def code(student: str) -> str:
    """Return the code that says READY."""
    return encode(Code(student, LAB, (True,)))


def user() -> str:
    """Return the name under which somebody is logged in, "" if there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _took(latency: Spread) -> str:
    return "a moment" if latency.p50_ms is None else f"{latency.p50_ms / 1000:.1f} s"
