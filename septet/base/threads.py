"""How many cores this process may use, so that one pool of threads fits into its container.

A machine may show 64 processors to a process that is allowed to run on two of them, or for half of the time: by
affinity (``taskset``, Slurm), by the CPU quota of a control group (Docker, Kubernetes, systemd), or by a word of the
user. A pool larger than that makes threads wait for each other while none of them runs.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from septet.base.config import config
from septet.base.text import plural, table

DEFAULT_PERIOD = 100_000  # microseconds; the kernel's, when cpu.max names none

# Where control groups are mounted when the kernel does not say: type, the part of the hierarchy that is mounted, where.
USUAL_MOUNTS = (
    ("cgroup2", "/", "/sys/fs/cgroup"),
    ("cgroup", "/", "/sys/fs/cgroup/cpu"),
    ("cgroup", "/", "/sys/fs/cgroup/cpu,cpuacct"),
)


class Limit(NamedTuple):
    """An upper bound of the number of cores, and who sets it."""

    cores: int
    source: str
    detail: str


def usable_cores(root: str = "/", environment: Mapping[str, str] = os.environ) -> int:
    """Return how many cores this process can keep busy: the least of all limits, at least 1.

    The limits are the processors of the machine, the affinity of the process, the CPU quotas of its control group and
    of all groups around it, and the setting `threads` (``SEPTET_NUM_THREADS``) or, where that is 0, the variable
    ``OMP_NUM_THREADS``. Files are read at every call (about 0.1 ms): call it when a pool is made, not for every piece
    of work.

    Parameters
    ----------
    root : str
        The folder in which ``proc`` and ``sys`` are looked for.
    environment : mapping of str to str
        Where ``OMP_NUM_THREADS`` is looked up.

    Returns
    -------
    int
        At least 1.

    Source
    ------
    The Linux kernel's documentation of control groups: ``cpu.max`` of version 2, ``cpu.cfs_quota_us`` of version 1. A
    quota of one and a half processors counts as two.
    """
    return min(limit.cores for limit in limits(root, environment))


def thread_count(root: str = "/", environment: Mapping[str, str] = os.environ) -> int:
    """Return how many threads a pool is to have: the setting `threads`, or the usable cores where it is 0.

    The setting rules even when it is more than the usable cores: slower, but what was asked for.

    Parameters
    ----------
    root, environment
        As for :func:`usable_cores`.

    Returns
    -------
    int
        At least 1.
    """
    return config.threads or usable_cores(root, environment)


def explain(root: str = "/", environment: Mapping[str, str] = os.environ) -> str:
    """Tell how the number of threads came about.

    Parameters
    ----------
    root, environment
        As for :func:`usable_cores`.

    Returns
    -------
    str
        A sentence, and a table of all limits.
    """
    found = limits(root, environment)
    least = min(found, key=lambda limit: limit.cores)
    count = thread_count(root, environment)
    reason = f"the limit is the {least.source}"
    if count > least.cores:
        reason = f"the setting asks for more than {plural(least.cores, 'usable core')}"
    rows = [(limit.source, limit.cores, limit.detail) for limit in found]
    return f"{plural(count, 'thread')}: {reason}\n\n{table(rows, ['limit', 'cores', 'where from'])}"


def limits(root: str = "/", environment: Mapping[str, str] = os.environ) -> list[Limit]:
    """List every limit that is in force; the number of processors is always the first.

    Parameters
    ----------
    root, environment
        As for :func:`usable_cores`.

    Returns
    -------
    list of Limit
        At least one.
    """
    found = [Limit(os.cpu_count() or 1, "number of processors", "os.cpu_count")]
    affinity = affinity_cores()
    if affinity is not None:
        found.append(Limit(affinity, "affinity", "os.sched_getaffinity"))
    found.extend(cgroup_limits(root))
    if config.threads:
        found.append(Limit(config.threads, "setting threads", config.origin("threads")))
    else:
        openmp = openmp_threads(environment.get("OMP_NUM_THREADS", ""))
        if openmp is not None:
            found.append(Limit(openmp, "environment variable OMP_NUM_THREADS", environment["OMP_NUM_THREADS"]))
    return found


def affinity_cores() -> int | None:
    """Return on how many processors the process may run, or None where the system keeps no such set."""
    # macOS and Windows lack the function, and type checkers know it only on the platform they check for.
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is None:
        return None
    try:
        return len(affinity(0)) or None
    except OSError:  # a sandbox that forbids the call
        return None


def openmp_threads(text: str) -> int | None:
    """Read the value of ``OMP_NUM_THREADS``: a number, or a list with one for each level of nesting (the first counts).

    Parameters
    ----------
    text : str
        The value; empty where the variable is not set.

    Returns
    -------
    int or None
        None where nothing is set. A value that OpenMP would not accept gives a warning, and None.

    Examples
    --------
    >>> openmp_threads("4"), openmp_threads("8,2"), openmp_threads("")
    (4, 8, None)
    """
    first = text.split(",")[0].strip()
    if not text.strip():
        return None
    if not (first.isascii() and first.isdigit()) or int(first) == 0:
        warnings.warn(f"OMP_NUM_THREADS={text!r} is ignored: a positive integer was expected", stacklevel=2)
        return None
    return int(first)


def cgroup_limits(root: str = "/") -> list[Limit]:
    """List the CPU quotas of the control group of this process and of the groups around it, innermost first.

    Parameters
    ----------
    root : str
        The folder in which ``proc`` and ``sys`` are looked for.

    Returns
    -------
    list of Limit
        Empty where there are no control groups, or none has a quota.
    """
    found = []
    for kind, folder in _group_folders(root):
        names = ("cpu.max",) if kind == "cgroup2" else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        texts = [_read(root, f"{folder}/{name}") for name in names]
        share = parse_quota(" ".join(texts))
        if share is not None:
            quota, period = share
            detail = f"{quota / period:g} processors in {folder}/{names[0]}"
            found.append(Limit(max(1, -(-quota // period)), "CPU quota of the control group", detail))
    return found


def parse_quota(text: str) -> tuple[int, int] | None:
    """Read a quota and its period, both in microseconds.

    Parameters
    ----------
    text : str
        What ``cpu.max`` holds (`max 100000`, `150000 100000`), or the two files of version 1 one after the other, where
        -1 stands for no limit.

    Returns
    -------
    (int, int) or None
        None where there is no limit.

    Examples
    --------
    >>> parse_quota("150000 100000"), parse_quota("max 100000"), parse_quota("-1 100000")
    ((150000, 100000), None, None)
    """
    words = text.split()
    if not words or not all(word.isascii() and word.isdigit() for word in words[:2]):
        return None
    quota = int(words[0])
    period = int(words[1]) if len(words) > 1 else DEFAULT_PERIOD
    return (quota, period) if quota > 0 and period > 0 else None


def parse_groups(text: str) -> dict[str, str]:
    """Read ``/proc/self/cgroup``: the path of the group in version 2, and in the CPU hierarchy of version 1.

    Examples
    --------
    >>> parse_groups("4:memory:/a\\n2:cpu,cpuacct:/b\\n0::/c")
    {'cgroup': '/b', 'cgroup2': '/c'}
    """
    paths = {}
    for line in text.splitlines():
        number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if number == "0" and not controllers:
            paths["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            paths["cgroup"] = path
    return paths


def parse_mounts(text: str) -> list[tuple[str, str, str]]:
    """Read ``/proc/self/mountinfo``: type, mounted part and mount point of the control groups that hold CPU quotas.

    Examples
    --------
    >>> parse_mounts("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate")
    [('cgroup2', '/', '/sys/fs/cgroup')]
    """
    mounts = []
    for line in text.splitlines():
        fields, separator, rest = (part.split() for part in line.partition(" - "))
        if not separator or len(fields) < 5 or len(rest) < 3:
            continue
        kind, options = rest[0], rest[-1].split(",")
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options):
            mounts.append((kind, _unescape(fields[3]), _unescape(fields[4])))
    return mounts


def _group_folders(root: str) -> Iterator[tuple[str, str]]:
    """Go through the folders of the groups around this process: type and folder, innermost first."""
    paths = parse_groups(_read(root, "/proc/self/cgroup"))
    mounts = parse_mounts(_read(root, "/proc/self/mountinfo")) or USUAL_MOUNTS
    for kind, mounted, point in mounts:
        if kind not in paths:
            continue
        # A container may see only its own part of the hierarchy, mounted as if it were the whole. A path outside of
        # that part cannot be followed, and then the mount point is the innermost group that can be seen.
        path = paths[kind]
        inside = path == mounted or path.startswith(mounted.rstrip("/") + "/")
        names = [name for name in path[len(mounted) :].split("/") if name] if inside else []
        if ".." in names:
            names = []
        for depth in range(len(names), -1, -1):
            yield kind, "/".join([point.rstrip("/"), *names[:depth]])


def _unescape(path: str) -> str:
    """Undo the kernel's way of writing blanks in paths, `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _read(root: str, path: str) -> str:
    """Return the text of a file, or nothing where there is none: most systems lack most of these files."""
    try:
        with open(root.rstrip("/") + path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
