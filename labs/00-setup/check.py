"""Lab 00: a picture came back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, UnidentifiedImageError

from labkit.labs.checks import Failed, NotKnown, NotSo, Outcome, Passed, check
from labkit.labs.evidence import Evidence
from labkit.words import command

SIZE = (320, 240)
UPLOAD = "Do step 2; all steps are in labs/00-setup/README.md."


def uploaded(evidence: Evidence) -> Mapping[str, Any]:
    """Return the newest picture that was sent."""
    found = [job for job in evidence.pictures() if job["file_name"] == "photo.jpg"]
    if not found:
        raise NotKnown("photo.jpg was not sent since your prediction.", UPLOAD)
    return found[0]


def completed(evidence: Evidence) -> Mapping[str, Any]:
    """Return it when its job is done."""
    job = uploaded(evidence)
    if job["status"] == "failed":
        raise NotSo(
            f"The job failed: {job['error_message']}", f"Look at it: {command('job ' + job['job_id'])}"
        )
    if job["status"] != "completed":
        raise NotKnown(f"The job is {job['status']}.", "Wait a moment, and check again.")
    return job


@check
def the_picture_was_accepted(evidence: Evidence) -> Outcome:
    """The API accepted your picture."""
    job = uploaded(evidence)
    return Passed(f"{job['file_name']}, job {job['job_id'][:8]}")


@check
def the_job_was_done(evidence: Evidence) -> Outcome:
    """A worker did the job."""
    job = completed(evidence)
    return Passed(f"by {job['worker']}")


@check
def the_result_is_a_picture(evidence: Evidence) -> Outcome:
    """The result is a picture of the size you asked for."""
    job = completed(evidence)
    data = evidence.download(f"/jobs/{job['job_id']}/result")
    try:
        size = Image.open(io.BytesIO(data)).size
    except UnidentifiedImageError:
        return Failed("The result is no picture.", f"See: {command('doctor')}")
    if not (size[0] <= SIZE[0] and size[1] <= SIZE[1]):
        return Failed(
            f"The result has {size[0]}x{size[1]} pixels, not up to 320x240.",
            UPLOAD,
        )
    return Passed(f"{size[0]}x{size[1]} pixels, {len(data) / 1000:.0f} kB")


def figures(evidence: Evidence) -> dict[str, float]:
    """Return how many results there are, and how long the work took."""
    job = completed(evidence)
    clock = job["clock"]
    results = [output for output in job["outputs"] if output["name"] == "result"]
    return {"back": len(results), "service_ms": 1000 * (clock["finished"] - clock["started"])}
