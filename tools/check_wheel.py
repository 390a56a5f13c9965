"""Check that a wheel holds every file of septet/ that git tracks, and nothing else.

Usage: python tools/check_wheel.py WHEEL [ROOT]      (the exit status is 1 when the two differ)
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "septet"


def differences(wheel: Path, root: Path) -> tuple[list[str], list[str]]:
    """Return the tracked files that the wheel lacks, and the files of the wheel that are not tracked."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", PACKAGE], capture_output=True, check=True
    ).stdout
    tracked = {name for name in listing.decode().split("\0") if name}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    return sorted(tracked - packed), sorted(packed - tracked)


def main(arguments: list[str]) -> int:
    """Print what differs; return the exit status."""
    wheel = Path(arguments[0])
    root = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).resolve().parent.parent
    lacking, foreign = differences(wheel, root)
    for name in lacking:
        print(f"{name}: tracked, but not in the wheel (see [tool.setuptools.package-data] in pyproject.toml)")
    for name in foreign:
        print(f"{name}: in the wheel, but not tracked")
    print(f"wheel: {wheel.name}, {wheel.stat().st_size / 1e6:.2f} MB, {len(lacking) + len(foreign)} differences")
    return 1 if lacking or foreign else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
