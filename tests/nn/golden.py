"""Golden values of layers: what other frameworks computed, forward and backward, kept in tests/golden."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

import septet as st
from septet.tensor import tree

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def load(name: str) -> dict[str, dict[str, np.ndarray]]:
    """Return the cases of a file, by name: `x`, `y`, `w/PATH` ...; tools/golden.py says which arrays there are."""
    cases: dict[str, dict[str, np.ndarray]] = {}
    with np.load(GOLDEN / f"{name}.npz") as file:
        for key in file.files:
            case, _, rest = key.partition("/")
            cases.setdefault(case, {})[rest] = file[key]
    return cases


def under(case: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Return the arrays of a case whose names begin with `kind/`, by the rest of their names."""
    return {key[len(kind) + 1 :]: array for key, array in case.items() if key.startswith(f"{kind}/")}


def inputs_of(case: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the inputs of a case by their names."""
    return {key: array for key, array in case.items() if "/" not in key and not re.fullmatch(r"gx|(y|seed)\d*", key)}


def check(model: Any, case: dict[str, np.ndarray], *names: str, tolerance: float = 2e-5, **options: Any) -> None:
    """Compare outputs, and gradients of all floating inputs and of all weights, with those of a case.

    Parameters
    ----------
    model : Module
        It gets the weights of the case.
    case : dict
    *names
        The inputs that are given by their places, after x. All others are given by their names.
    tolerance : float
    **options
        What the model is called with besides.
    """
    inputs: dict[str, Any] = {
        name: st.Variable(array, name) if array.dtype.kind == "f" else array for name, array in inputs_of(case).items()
    }
    places = [inputs[name] for name in ("x", *names)]
    words = {name: value for name, value in inputs.items() if name not in ("x", *names)} | options
    model.build_for(*places, **words)
    model.load_state_dict(under(case, "w"), strict=True)
    outputs, _ = tree.flatten(model(*places, **words))
    assert len(outputs) == sum(key.startswith("seed") for key in case)
    for index, y in enumerate(outputs):
        close(y, case[f"y{index or ''}"], tolerance, f"output {index}")
    sum((y * case[f"seed{index or ''}"]).sum() for index, y in enumerate(outputs)).backward()
    for name, value in inputs.items():
        if isinstance(value, st.Variable):
            close(value.grad, case["gx" if name == "x" else f"gi/{name}"], tolerance, f"gradient of {name}")
    found, expected = dict(model.named_parameters()), under(case, "g")
    assert set(found) == set(expected)
    for path, variable in found.items():
        close(variable.grad, expected[path], tolerance, f"gradient of {path}")


def numbered(case: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the inputs x0, x1 ... of a case."""
    return [case[f"x{index}"] for index in range(len(case)) if f"x{index}" in case]


def compare(layer: Any, case: dict[str, np.ndarray], names: dict[str, Any], **options: Any) -> None:
    """Compare a layer with a module of PyTorch that tools/make_golden_layers.py has recorded: as `check` does.

    Parameters
    ----------
    layer : Module
    case : dict
    names : dict
        From the path of each variable to PyTorch's name, or to the pair of it and a function that moves its axes.
        Names of buffers begin with "b/": what they are afterwards is compared too.
    **options
        What the layer is called with besides.
    """
    inputs = numbered(case)
    layer.build_for(*inputs, **options)
    variables = dict(layer.named_variables())
    moves = {path: name if isinstance(name, tuple) else (name, lambda array: array) for path, name in names.items()}
    kept = {path for path, (name, _) in moves.items() if name.startswith("b/")}
    assert {path for path, variable in variables.items() if variable.trainable} == names.keys() - kept
    for path, (name, move) in moves.items():
        variables[path].assign(move(case[f"b0/{name[2:]}" if path in kept else f"p/{name}"]))
    xs = [st.Variable(x, f"x{index}") if x.dtype.kind == "f" else x for index, x in enumerate(inputs)]
    y = layer(*xs, **options)
    close(y, case["y"], 1e-4, "output", 2e-5)
    for path in kept:
        name, move = moves[path]
        close(variables[path].value, move(case[name]), 1e-4, path, 1e-5)
    weights = np.cos(np.arange(y.size)).reshape(y.shape).astype(np.float32)
    (y * weights).sum().backward()
    for index, x in enumerate(xs):
        if isinstance(x, st.Variable):
            nothing = np.zeros_like(inputs[index])
            found = nothing if x.grad is None else x.grad
            close(found, case.get(f"gx{index}", nothing), 1e-3, f"gradient of input {index}", 1e-4)
    for path in names.keys() - kept:
        name, move = moves[path]
        close(variables[path].grad, move(case[f"gp/{name}"]), 1e-3, f"gradient of {path}", 1e-4)


def close(
    found: Any, expected: np.ndarray, tolerance: float, what: str, absolute: float | None = None
) -> None:  # fmt: skip
    """Compare an output or a gradient."""
    assert found is not None and found.shape == expected.shape, what
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=absolute or tolerance, err_msg=what)
