"""Golden values of layers: what other frameworks computed, forward and backward, kept in tests/golden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import septet as st

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def load(name: str) -> dict[str, dict[str, np.ndarray]]:
    """Return the cases of a file, by name: `x`, `y`, `w/PATH` ..."""
    cases: dict[str, dict[str, np.ndarray]] = {}
    with np.load(GOLDEN / f"{name}.npz") as file:
        for key in file.files:
            case, _, rest = key.partition("/")
            cases.setdefault(case, {})[rest] = file[key]
    return cases


def under(case: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Return the arrays of a case whose names begin with `kind/`, by the rest of their names."""
    return {key[len(kind) + 1 :]: array for key, array in case.items() if key.startswith(f"{kind}/")}


def check(model: Any, case: dict[str, np.ndarray], *more: Any, tolerance: float = 2e-5, **words: Any) -> None:
    """Compare outputs, and gradients of the input and of all weights, with those of a case."""
    x = st.Variable(case["x"], "x")
    model.build_for(x, *more, **words)
    model.load_state_dict(under(case, "w"), strict=True)
    y = model(x, *more, **words)
    np.testing.assert_allclose(y, case["y"], rtol=tolerance, atol=tolerance)
    (y * case["seed"]).sum().backward()
    np.testing.assert_allclose(x.grad, case["gx"], rtol=tolerance, atol=tolerance)
    found = {path: variable.grad for path, variable in model.named_parameters()}
    for path, expected in under(case, "g").items():
        np.testing.assert_allclose(found[path], expected, rtol=tolerance, atol=tolerance, err_msg=path)
