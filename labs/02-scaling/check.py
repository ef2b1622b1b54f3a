"""Lab 02: one worker and four, for jobs that wait and for jobs that compute."""

from __future__ import annotations

from labkit.experiments.calibrate import Calibration
from labkit.labs.checks import NotKnown, Outcome, Passed, Unknown, check
from labkit.labs.evidence import Evidence
from labkit.runs.read import RunFiles
from labkit.words import command

TEXT, IMAGES = 30, 60
OPERATIONS = "filter,blur,10;convert,png"
DO_TEXT = "messages 30 --processing-time 1"
DO_IMAGES = f"bulk --count 60 --operations '{OPERATIONS}'"
FEW, MANY = 1, 4
SLACK = 0.35
"""A speed-up that is measured once is no better than this."""


def text_run(evidence: Evidence, workers: int) -> RunFiles:
    """Return the run of text jobs with so many workers."""
    return evidence.run(do=DO_TEXT, jobs=TEXT, work_s=[1.0], setup={"workers": workers})


def image_run(evidence: Evidence, workers: int) -> RunFiles:
    """Return the run of images with so many workers."""
    run = evidence.run(do=DO_IMAGES, jobs=IMAGES, image=True, setup={"workers": workers})
    if any(job["operations"] != OPERATIONS for job in run.jobs):
        raise NotKnown("The images of your run had other operations.", f"Type: {command(DO_IMAGES)}")
    return run


def duration(evidence: Evidence, run: RunFiles) -> float:
    """Return how long it took, seconds."""
    return evidence.measure("duration_s", run)


def ratio(evidence: Evidence, one: RunFiles, four: RunFiles) -> float:
    """Return how many times as fast four were."""
    return duration(evidence, one) / duration(evidence, four)


@check
def text_with_one_worker(evidence: Evidence) -> Outcome:
    """30 text jobs with one worker take 30 s."""
    run = text_run(evidence, FEW)
    evidence.complete(run, TEXT)
    seconds = duration(evidence, run)
    if not TEXT - 1 <= seconds <= 1.15 * TEXT:
        return Unknown(
            f"They took {seconds:.1f} s: this computer was busy with something else.",
            f"Close other programs. Then {command('scale 1')}, and once more: {command(DO_TEXT)}",
        )
    return Passed(f"{seconds:.1f} s")


@check
def text_with_four_workers(evidence: Evidence) -> Outcome:
    """With four workers they are nearly four times as fast."""
    one, four = text_run(evidence, FEW), text_run(evidence, MANY)
    evidence.complete(four, TEXT)
    found = ratio(evidence, one, four)
    if not 3.2 <= found <= 4.1:
        return Unknown(
            f"They were {found:.2f} times as fast: this computer was busy with something else.",
            f"Close other programs. Then {command('scale 4')}, and once more: {command(DO_TEXT)}",
        )
    return Passed(f"{found:.2f} times as fast: {duration(evidence, four):.1f} s")


@check
def images_with_both(evidence: Evidence) -> Outcome:
    """60 images were computed with one worker and with four."""
    for workers in (MANY, FEW):
        evidence.complete(image_run(evidence, workers), IMAGES)
    one, four = image_run(evidence, FEW), image_run(evidence, MANY)
    return Passed(f"{duration(evidence, one):.1f} s with one, {duration(evidence, four):.1f} s with four")


@check
def images_gain_what_the_cores_give(evidence: Evidence) -> Outcome:
    """Images gain no more than the cores of this computer give."""
    found = ratio(evidence, image_run(evidence, FEW), image_run(evidence, MANY))
    machine = calibration(evidence)
    most = machine.parallel(MANY)
    said = f"{found:.2f} times as fast; this computer can do {most:.2f} with {MANY} processes"
    if abs(found - most) <= SLACK * most:
        return Passed(said)
    if machine.busy:
        return Unknown(
            f"{said}, but other programs were running when that was measured.",
            f"Close them, wait a moment, and check again: {command('lab check')}",
        )
    return Unknown(
        f"{said}. Other programs may have run meanwhile.",
        f"Close them. Then: {command('scale 4')}, and {command(DO_IMAGES)}; "
        f"{command('scale 1')}, and the same images again.",
    )


def calibration(evidence: Evidence) -> Calibration:
    """Return what this machine can do."""
    if evidence.machine is None:
        raise NotKnown("The speed of this computer is not known.", f"Measure it: {command('calibrate')}")
    return evidence.machine()


def figures(evidence: Evidence) -> dict[str, float]:
    """Return both ratios, and the time of the images with four workers."""
    one, four = image_run(evidence, FEW), image_run(evidence, MANY)
    return {
        "text": ratio(evidence, text_run(evidence, FEW), text_run(evidence, MANY)),
        "images": ratio(evidence, one, four),
        "images_4_s": duration(evidence, four),
    }
