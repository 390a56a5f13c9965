"""Tests of the core count, on trees of files made for the purpose."""

from __future__ import annotations

import doctest
import os
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from septet.base import threads
from septet.base.config import config
from septet.base.threads import cgroup_limits, explain, openmp_threads, parse_quota, thread_count, usable_cores

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "29 23 0:24 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
    "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 23 0:28 / /sys/fs/cgroup/cpuset rw shared:11 - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture(autouse=True)
def no_setting() -> object:
    """Keep the tests apart from what the environment of the test run says."""
    with config.override(threads=0):
        yield


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend to be on a machine of 64 processors, all allowed."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)


def tree(root: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(root)


def test_examples() -> None:
    failed, tried = doctest.testmod(threads)
    assert tried >= 4
    assert failed == 0


# --- control groups


def test_version_2_takes_the_least_quota_up_the_tree(tmp_path: Path, many: None) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/kube.slice/pod.slice/box\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/kube.slice/cpu.max": "800000 100000\n",
            "sys/fs/cgroup/kube.slice/pod.slice/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/kube.slice/pod.slice/box/cpu.max": "max 100000\n",
            "sys/fs/cgroup/kube.slice/other/cpu.max": "100000 100000\n",
        },
    )
    found = cgroup_limits(root)
    assert [limit.cores for limit in found] == [3, 8]
    assert found[0].detail == "2.5 processors in /sys/fs/cgroup/kube.slice/pod.slice/cpu.max"
    assert usable_cores(root, {}) == thread_count(root, {}) == 3


def test_version_1_reads_the_cpu_hierarchy_only(tmp_path: Path, many: None) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "9:memory:/box\n4:cpuset:/box\n3:cpu,cpuacct:/docker/box\n0::/ignored\n",
            "proc/self/mountinfo": V1_MOUNTS,
            "sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "200000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "50000\n",
            "sys/fs/cgroup/memory/box/cpu.cfs_quota_us": "1\n",
            "sys/fs/cgroup/memory/box/cpu.cfs_period_us": "1\n",
        },
    )
    assert [limit.cores for limit in cgroup_limits(root)] == [4]
    assert usable_cores(root, {}) == 4


def test_a_container_sees_its_own_group_as_the_mount_point(tmp_path: Path, many: None) -> None:
    """Docker with version 1: the path is the host's, and that part of the hierarchy is what is mounted."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "3:cpuacct,cpu:/docker/abc/inner\n",
            "proc/self/mountinfo": "31 23 0:27 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpuacct,cpu\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/inner/cpu.cfs_period_us": "100000\n",
        },
    )
    assert [limit.cores for limit in cgroup_limits(root)] == [3, 1]


@pytest.mark.parametrize("path", ["/docker/abcdef", "/elsewhere", "/docker/abc/../other"])
def test_a_path_that_cannot_be_followed_leaves_the_mount_point(tmp_path: Path, many: None, path: str) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": f"0::{path}\n",
            "proc/self/mountinfo": V2_MOUNT.replace(" / ", " /docker/abc "),
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/other/cpu.max": "100000 100000\n",
        },
    )
    assert [limit.cores for limit in cgroup_limits(root)] == [2]


def test_mount_points_may_hold_blanks(tmp_path: Path, many: None) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a\n",
            "proc/self/mountinfo": V2_MOUNT.replace("/sys/fs/cgroup", "/my\\040groups"),
            "my groups/a/cpu.max": "200000 100000\n",
        },
    )
    assert usable_cores(root, {}) == 2


@pytest.mark.parametrize("folder", ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"])
def test_usual_mounts_serve_when_the_kernel_does_not_say(tmp_path: Path, many: None, folder: str) -> None:
    files = {f"{folder}/a/cpu.cfs_quota_us": "500000", f"{folder}/a/cpu.cfs_period_us": "100000"}
    assert usable_cores(tree(tmp_path, {"proc/self/cgroup": "1:cpu:/a\n", **files}), {}) == 5


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "", "proc/self/mountinfo": ""},
        {"proc/self/cgroup": "nonsense\n\n0\n", "proc/self/mountinfo": "1 2 - cgroup2\nx - y\n"},
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/cpu.max": "gibberish"},
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/cpu.max": ""},
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/cpu.max": "max 100000"},
    ],
)
def test_no_quota_means_all_processors(tmp_path: Path, many: None, files: dict[str, str]) -> None:
    root = tree(tmp_path, files)
    assert cgroup_limits(root) == []
    assert usable_cores(root, {}) == 64


@given(some.integers(1, 10**7), some.integers(1000, 10**6))
def test_quotas_are_read_back(quota: int, period: int) -> None:
    assert parse_quota(f"{quota} {period}\n") == (quota, period)
    assert parse_quota(f"-{quota} {period}") is parse_quota(f"max {period}") is None


def test_quotas_without_a_period_and_without_sense() -> None:
    assert parse_quota("50000") == (50_000, 100_000)
    for text in ("", "0 100000", "100000 0", "100000 x", "1.5 2", "\u0663 100000"):
        assert parse_quota(text) is None


def test_a_quota_rounds_up(tmp_path: Path, many: None) -> None:
    for quota, cores in ((1_000, 1), (100_000, 1), (100_001, 2), (150_000, 2), (6_400_000, 64)):
        files = {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/cpu.max": f"{quota} 100000",
        }
        assert usable_cores(tree(tmp_path, files), {}) == cores


# --- the other limits


def test_affinity_counts_where_the_system_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert usable_cores(str(tmp_path), {}) == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS, Windows
    assert usable_cores(str(tmp_path), {}) == 16
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(str(tmp_path), {}) == 1


def test_affinity_may_be_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: int) -> set[int]:
        raise PermissionError

    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setattr(os, "sched_getaffinity", refuse, raising=False)
    assert usable_cores(str(tmp_path), {}) == 6


def test_openmp_limits_and_the_setting_goes_before_it(tmp_path: Path, many: None) -> None:
    root = str(tmp_path)
    assert usable_cores(root, {"OMP_NUM_THREADS": "4,2"}) == 4
    assert usable_cores(root, {"OMP_NUM_THREADS": "100"}) == 64
    with config.override(threads=6):
        assert usable_cores(root, {"OMP_NUM_THREADS": "4"}) == thread_count(root, {"OMP_NUM_THREADS": "4"}) == 6


def test_the_setting_may_ask_for_more_than_there_is(tmp_path: Path, many: None) -> None:
    with config.override(threads=70):
        assert usable_cores(str(tmp_path), {}) == 64
        assert thread_count(str(tmp_path), {}) == 70
        assert explain(str(tmp_path), {}).startswith("70 threads: the setting asks for more than 64 usable cores")


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", ",2", "\u0664"])
def test_a_senseless_openmp_variable_warns(text: str) -> None:
    with pytest.warns(UserWarning, match="OMP_NUM_THREADS"):
        assert openmp_threads(text) is None


def test_an_empty_openmp_variable_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert openmp_threads("") is openmp_threads("  ") is None


def test_explain_names_every_limit(tmp_path: Path, many: None) -> None:
    files = {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/cpu.max": "150000 100000\n"}
    text = explain(tree(tmp_path, files), {"OMP_NUM_THREADS": "8"})
    assert text == (
        "2 threads: the limit is the CPU quota of the control group\n"
        "\n"
        "limit                                 cores  where from\n"
        "------------------------------------  -----  ----------------------------------------\n"
        "number of processors                     64  os.cpu_count\n"
        "affinity                                 64  os.sched_getaffinity\n"
        "CPU quota of the control group            2  1.5 processors in /sys/fs/cgroup/cpu.max\n"
        "environment variable OMP_NUM_THREADS      8  8"
    )


def test_this_machine_has_at_least_one_core() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    assert explain().splitlines()[0].split()[0] == str(thread_count())
