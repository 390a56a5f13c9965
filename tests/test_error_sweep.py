"""Two hundred generated wrong calls: each text names the op, each argument's dtype and shape, the user's file and line.

The programs are written to a file, so that the line that must be named is known, and run in define-by-run, in
`st.function` and in `st.compile`.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from typing import NamedTuple

import numpy as np
import pytest

import septet as st
from septet.graph.op import ELEMENTWISE, all_ops

COUNT = 200
SIZES = (2, 3, 4, 5, 7)


class Wrong(NamedTuple):
    """One wrong call: what it is called in the message, its text, and the shapes of its arguments."""

    name: str
    call: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: str


def shape_of(rng: random.Random, lowest: int = 1, highest: int = 4) -> list[int]:
    return [rng.choice(SIZES) for _ in range(rng.randint(lowest, highest))]


def other(rng: random.Random, size: int) -> int:
    return rng.choice([s for s in SIZES if s != size])


def elementwise(rng: random.Random) -> Wrong:
    """Two shapes that differ on one axis, neither size being 1."""
    binary = [op for op in all_ops() if op.kind == ELEMENTWISE and len(op.input_names) == 2 and op.is_public]
    op = rng.choice(sorted([op for op in binary if not op.param_names], key=lambda op: op.name))
    a = shape_of(rng)
    b = list(a[rng.randrange(len(a)) :])
    axis = rng.randrange(len(b))
    b[axis] = other(rng, b[axis])
    dtype = next(d for d in ("float32", "int64", "bool") if fits(op, d))
    return Wrong(op.name, f"st.{op.name}(a, b)", (tuple(a), tuple(b)), dtype)


def fits(op, dtype: str) -> bool:
    try:
        op.dtype(np.dtype(dtype), np.dtype(dtype))
    except st.errors.DTypeError:
        return False
    return True


def matmul(rng: random.Random) -> Wrong:
    """Matrices, or stacks of them, whose inner sizes differ."""
    batch = shape_of(rng, 0, 2)
    rows, inner, columns = (rng.choice(SIZES) for _ in range(3))
    a = (*batch[rng.randint(0, len(batch)) :], rows, inner)
    b = (*batch, other(rng, inner), columns)
    return Wrong("matmul", rng.choice(["a @ b", "st.matmul(a, b)"]), (a, b), "float32")


def concatenate(rng: random.Random) -> Wrong:
    """Tensors that differ beside the axis along which they are joined."""
    a = shape_of(rng, 2, 4)
    axis = rng.randrange(len(a))
    beside = rng.choice([n for n in range(len(a)) if n != axis])
    b, c = list(a), list(a)
    b[axis] = rng.choice(SIZES)
    c[beside] = other(rng, c[beside])
    call = f"st.concatenate([a, b, c], axis={axis})"
    return Wrong("concatenate", call, (tuple(a), tuple(b), tuple(c)), "float32")


def stack(rng: random.Random) -> Wrong:
    """Tensors that are not of one shape."""
    a = shape_of(rng)
    b = list(a)
    axis = rng.randrange(len(a))
    b[axis] = other(rng, b[axis])
    return Wrong("stack", "st.stack([a, b])", (tuple(a), tuple(b)), "float32")


def reshape(rng: random.Random) -> Wrong:
    """Another number of elements."""
    a = shape_of(rng)
    new = list(a)
    rng.shuffle(new)
    new[0] = 11  # a prime that no size has
    return Wrong("reshape", f"a.reshape({tuple(new)})", (tuple(a),), "float32")


def reduction(rng: random.Random) -> Wrong:
    """An axis beyond the rank."""
    name = rng.choice(["sum", "max", "min", "prod", "mean", "argmax", "logsumexp", "cumulative_sum", "flip", "sort"])
    a = shape_of(rng)
    axis = rng.choice([len(a), len(a) + 3, -len(a) - 1])
    return Wrong(name, f"st.{name}(a, axis={axis})", (tuple(a),), "float32")


KINDS = (elementwise, elementwise, elementwise, matmul, matmul, concatenate, stack, reshape, reshape, reduction)


def wrong_calls() -> list[Wrong]:
    rng = random.Random(4)
    return [KINDS[number % len(KINDS)](rng) for number in range(COUNT)]


CALLS = wrong_calls()
FIRST_LINE = 4  # of the first call in the program


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A module with one function for each call, each body on a line of its own."""
    path = tmp_path_factory.mktemp("sweep") / "wrong_program.py"
    lines = ["import septet as st", ""]
    for number, wrong in enumerate(CALLS):
        lines += [f"def call_{number}({', '.join('abc'[: len(wrong.shapes)])}):", f"    return {wrong.call}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("wrong_program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("wrong_program", None)


def eager(call, arrays):
    return call(*[st.tensor(array) for array in arrays])


def symbolic(call, arrays):
    return call(*[st.symbol("abc"[n], array.shape, array.dtype.name) for n, array in enumerate(arrays)])


def compiled(call, arrays):
    return st.compile(call)(*arrays)


def unknown(call, arrays):
    """The sizes are found when the function runs."""
    symbols = [st.symbol("abc"[n], (None,) * array.ndim, array.dtype.name) for n, array in enumerate(arrays)]
    return st.function(symbols, call(*symbols))(*arrays)


AT_RUN_TIME = {"matmul": "dot_general", "stack": "concatenate"}  # the op that finds out, where the function has others


def types_text(wrong: Wrong) -> list[list[str]]:
    """What a text may say about the arguments: their sizes; or that these are not known; stack adds an axis first."""

    def write(shapes):
        return [f"{wrong.dtype}[{', '.join(map(str, shape))}]" for shape in shapes]

    unknown_sizes = [["?"] * len(shape) for shape in wrong.shapes]
    stacked = [[(1, *shape) for shape in wrong.shapes]] if wrong.name == "stack" else []
    return [write(shapes) for shapes in (wrong.shapes, unknown_sizes, *stacked)]


@pytest.mark.parametrize("mode", [eager, symbolic, compiled, unknown], ids=lambda mode: mode.__name__)
def test_every_text_says_what_where_and_with_which_shapes(program, mode):
    problems = []
    for number, wrong in enumerate(CALLS):
        arrays = [np.ones(shape, wrong.dtype) for shape in wrong.shapes]
        with pytest.raises((st.errors.ShapeError, st.errors.ArgumentError)) as caught:
            mode(getattr(program, f"call_{number}"), arrays)
        text = str(caught.value)
        first, *rest = text.split("\n")
        arguments = [line for line in rest if ": " + wrong.dtype + "[" in line]
        found = [line.split(": ", 1)[1].split("   ")[0] for line in arguments]
        allowed = types_text(wrong) if mode is unknown else types_text(wrong)[:1]
        names = [wrong.name, *([AT_RUN_TIME[wrong.name]] if mode is unknown and wrong.name in AT_RUN_TIME else [])]
        checks = {
            "op": first.startswith(tuple(f"{name}: " for name in names)),
            "every argument, in order": found in allowed,
            "line": f"  at {program.__file__}:{FIRST_LINE + 2 * number}: return {wrong.call}" in rest,
            "code": rest[-1] == f"  [{caught.value.code}] septet errors {caught.value.code}",
        }
        problems += [f"{wrong} says no {what}:\n{text}" for what, holds in checks.items() if not holds]
    assert not problems, "\n\n".join(problems[:5]) + f"\n{len(problems)} problems"


def test_the_sweep_is_as_large_and_as_varied_as_it_says():
    assert len(CALLS) == COUNT
    assert len(set(CALLS)) > 0.9 * COUNT
    assert len({wrong.name for wrong in CALLS}) > 25
