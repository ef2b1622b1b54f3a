"""The load commands, as far as they do not need a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lab import World


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("bulk",), 1, "is not up"),
        (("messages", "--threshold", "p95"), 1, "no threshold"),
        (("messages", "--threshold", "p42<1"), 1, "Known are: mean"),
        (("bulk", "--operations", "explode"), 1, "explode"),
        (("bulk", "--count", "10001"), 2, "10000"),
        (("messages", "10", "--rps", "5"), 2, "exclude each other"),
        (("rate", "--ramp", "20"), 2, "not like 1:20"),
        (("rate", "--ramp", "1:99999"), 2, "not like 1:20"),
        (("rate", "--ramp", "1:2", "--poisson"), 2, "exclude each other"),
        (("rate", "--ramp", "0:0"), 1, "no job is due"),
        (("rate", "--rps", "100", "--duration", "3600"), 1, "too many for one run"),
        (("burst", "1000", "--times", "100"), 1, "too many for one run"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(
    tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    """A mistake is told before anything is sent: no run directory is made."""
    world = World.make(tmp_path)
    result = world.run(*words)
    assert result.exit_code == code, result.output
    assert told in " ".join((result.output + result.stderr).split())
    assert not list(tmp_path.glob("**/run.json"))
