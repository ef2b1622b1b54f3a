"""What this machine can do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labkit.experiments import calibrate
from labkit.experiments.calibrate import Calibration, Effort, ensure, load, needed, save
from labkit.experiments.declaration import everything, find

PAIR = ("small.jpg", "resize,160x120")
BRIEF = Effort(service_s=0, window_s=0, rounds=1)


@pytest.fixture(scope="module")
def found() -> Calibration:
    """Measure one operation, and the speed-up, each for as short as can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "PROCESSES", (2,))
        patch.setattr(calibrate, "MOST_PROCESSES", 2)
        return calibrate.calibrate([PAIR], BRIEF)


def test_figures_are_measured(found: Calibration) -> None:
    """A service time for each operation, a speed-up for each number of processes."""
    assert 0 < found.service_s(*PAIR) < 10
    assert set(found.speedup) == {2}
    assert found.allowed > 0
    assert found.cores >= 1


def test_a_calibration_is_kept(tmp_path: Path, found: Calibration) -> None:
    """The file gives what was written; whatever else stands there is as good as none."""
    path = tmp_path / ".lab" / "calibration.json"
    assert load(path) is None
    save(path, found)
    assert load(path) == found
    path.write_text('{"format": 99}')
    assert load(path) is None


def test_it_is_used_while_it_is_fresh(tmp_path: Path, found: Calibration) -> None:
    """A fresh one with all that is needed is not measured again."""
    path = tmp_path / "calibration.json"
    quiet = replace(found, programs=None)
    save(path, quiet)
    told: list[str] = []
    assert ensure(path, [PAIR], told.append) == quiet
    assert told == []


@pytest.mark.parametrize(("now", "again"), [(9.0, False), (0.1, True)])
def test_one_of_a_busy_machine_is_replaced(
    tmp_path: Path, found: Calibration, monkeypatch: pytest.MonkeyPatch, now: float, *, again: bool
) -> None:
    """What was measured beside other programs serves only until these are gone."""
    path = tmp_path / "calibration.json"
    busy = replace(found, allowed=1, programs=9.0)
    save(path, busy)
    monkeypatch.setattr(calibrate, "programs", lambda: now)
    monkeypatch.setattr(calibrate, "allowed_cores", lambda: 1)
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: found)
    assert ensure(path, [PAIR], lambda _: None) == (found if again else busy)


def test_it_is_measured_when_needed(found: Calibration) -> None:
    """Without the operation, from another machine, or of yesterday it does not serve."""
    assert found.has([PAIR])
    assert not found.has([PAIR, ("A.jpg", "convert")])
    assert not replace(found, processor="abacus").has([PAIR])
    assert not replace(found, allowed=99).has([PAIR])
    assert not replace(found, at=found.at - 2 * calibrate.FRESH_S).has([PAIR])


def test_a_speedup_between_two_that_were_measured() -> None:
    """The next smaller number counts: five processes are at least as fast as four."""
    known = Calibration(allowed=4, speedup={2: 1.9, 4: 2.4})
    assert [known.parallel(count) for count in (0, 1, 2, 3, 4, 50)] == [1, 1, 1.9, 1.9, 2.4, 2.4]
    assert known.cores == 2.4


def test_a_busy_machine_is_noticed(found: Calibration) -> None:
    """More programs than cores wanted it: the figures are those of a machine that is shared."""
    assert replace(found, programs=9.0, allowed=2).busy
    assert not replace(found, programs=1.0, allowed=2).busy
    assert not replace(found, programs=None).busy


def test_what_has_to_be_measured() -> None:
    """The operations of all loads whose size or expectation depends on the machine, each once."""
    assert needed([find("bursts")]) == []
    assert needed([find("worker-scaling")]) == [("grid.jpg", "filter,blur,10;convert,png")]
    found = needed(everything())
    assert ("A.jpg", "convert,png") in found
    assert len(found) == len(set(found))
