"""How long an instance has to end by itself before it is killed."""

from collections.abc import Mapping

LEAST_S = 8.0
AFTER_JOB_S = 3.0
LONGEST_JOB_S = 5.0  # what LAB_MAX_PROCESSING_TIME_S is when nobody sets it


def grace_s(environment: Mapping[str, str]) -> float:
    """Return more seconds than the longest job takes, so that a worker ends with its work acknowledged."""
    try:
        longest_s = float(environment.get("LAB_MAX_PROCESSING_TIME_S", LONGEST_JOB_S))
    except ValueError:  # the programs refuse such a setting
        longest_s = LONGEST_JOB_S
    return max(LEAST_S, longest_s + AFTER_JOB_S)
