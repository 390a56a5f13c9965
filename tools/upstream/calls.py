"""Compare what public functions of Theano give here and in the original, call by call."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
from suites import HERE, REPOSITORY

SHOWN = 3  # examples of each name and kind


def outcomes(options: argparse.Namespace, python: str, is_original: bool) -> dict[str, dict[str, list]]:
    """Return the outcomes of the calls of each name, as one of both Pythons has them."""
    out = options.results / f"calls-{'original' if is_original else 'here'}.json"
    command = [python, str(HERE / "calls_child.py"), str(out), *(options.files or [""])]
    paths = [HERE] if is_original else [HERE, REPOSITORY, *([options.site] if options.site else [])]
    settings = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "THEANO_FLAGS": "cxx=,mode=FAST_COMPILE"}
    subprocess.run(
        [*command, *([] if is_original else ["--map"])], env={**os.environ, **settings}, check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return dict(map(json.loads, out.read_text(encoding="utf-8").splitlines()))


def is_close(here: Any, there: Any) -> bool:
    """Tell whether two outcomes are equal up to rounding."""
    if isinstance(here, list) and isinstance(there, list):
        if here and there and all(isinstance(each, float) for each in here + there):
            return len(here) == len(there) and np.allclose(here, there, 1e-4, 1e-6, equal_nan=True)
        return len(here) == len(there) and all(is_close(a, b) for a, b in zip(here, there, strict=True))
    return bool(here == there)


def kind_of(here: list, there: list) -> str:
    """Return what a call is here in comparison with the original."""
    failed = [each[0] in ("raises", "slow") or "cannot be computed" in each for each in (here, there)]
    if all(failed) or is_close(here, there):
        return "same"
    if any(failed):
        return "raises here" if failed[0] else "accepted here"
    return "type differs" if here[0] == there[0] == "variable" and is_close(here[2], there[2]) else "differs"


def compare_calls(options: argparse.Namespace) -> None:
    """Print the calls that are not the same, and how many there are of each kind; those accepted here are counted."""
    if options.original is None:
        raise SystemExit("calls: --original PYTHON is needed, the Python that has Theano 1.0.5")
    here = outcomes(options, sys.executable, is_original=False)
    there = outcomes(options, str(options.original), is_original=True)
    counts: Counter[str] = Counter()
    for name in sorted(set(here) & set(there)):
        shown: Counter[str] = Counter()
        for call, found in here[name].items():
            kind = kind_of(found, there[name].get(call, ["raises"]))
            counts[kind] += 1
            shown[kind] += 1
            if kind not in ("same", "accepted here") and shown[kind] <= SHOWN:
                print(f"{kind}: {name}{call}: {json.dumps(found)[:150]} | {json.dumps(there[name].get(call))[:150]}")
    print(f"{len(set(here) & set(there))} names, {counts.total()} calls:", dict(counts))
