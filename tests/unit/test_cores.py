"""The cores that this process may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.cores import allowed_cores, quotas

LIMITS = {
    "version 2": (
        "0::/lab/worker\n",
        {"lab/cpu.max": "150000 100000\n", "lab/worker/cpu.max": "max 100000\n"},
    ),
    "version 2 in a container": ("0::/../../other\n", {"cpu.max": "150000 100000\n"}),
    "version 2 beside 1": ("0::/lab\n", {"unified/lab/cpu.max": "150000 100000\n"}),
    "version 1": (
        "5:cpuset:/\n4:cpu,cpuacct:/lab\n",
        {"cpu,cpuacct/lab/cpu.cfs_quota_us": "150000", "cpu,cpuacct/lab/cpu.cfs_period_us": "100000"},
    ),
    "version 1 in a container": (
        "4:cpu:/docker/5f\n",
        {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"},
    ),
}
NONE = {
    "version 2": ("0::/\n", {"cpu.max": "max 100000\n"}),
    "version 1": ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}),
    "damaged": ("?\n0\n4:cpu\n", {"cpu.max": "\n", "cpu/cpu.cfs_quota_us": "many"}),
    "no cgroups": ("", {}),
}


def _cgroups(root: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    (root / "own").write_text(own)
    for name, content in files.items():
        path = root / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root / "cgroup", root / "own"


@pytest.mark.parametrize(("own", "files"), LIMITS.values(), ids=LIMITS)
def test_a_quota_is_found(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    """One core and a half is the limit, whether it stands at this process's group or at one above."""
    assert set(quotas(*_cgroups(tmp_path, own, files))) == {1.5}


@pytest.mark.parametrize(("own", "files"), NONE.values(), ids=NONE)
def test_no_quota_is_no_limit(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    """Without a quota the machine and the affinity of the process count."""
    assert quotas(*_cgroups(tmp_path, own, files)) == []
    assert allowed_cores(*_cgroups(tmp_path, own, files)) >= 1


def test_the_smallest_limit_counts(tmp_path: Path) -> None:
    """A tenth of a core is less than any machine has."""
    assert allowed_cores(*_cgroups(tmp_path, "0::/\n", {"cpu.max": "10000 100000\n"})) == 0.1
