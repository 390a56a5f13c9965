"""Gradients from the cards: against central differences, in second order, and forward against reverse mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import DTypeError
from septet.graph.node import Node, constant
from septet.graph.op import Case, Op
from septet.transform.jvp import jvp
from septet.transform.vjp import vjp
from tests.conformance.support import CASES, case_id, floats_of, leaf, outputs_of, value

PAIRS = [(op, case) for op, case in CASES if op.gradient is not None and case.gradient and floats_of(op, case)]


def is_complex_too(op: Op, case: Case) -> bool:
    """Tell whether the card takes the case's floats as complex numbers, and has something to differentiate then."""
    try:
        outputs = outputs_of(op(*[leaf(a) for a in case.arrays(op, dtypes.complex128)], **case.params))
    except DTypeError:
        return False
    return any(dtypes.is_differentiable(output.dtype) for output in outputs)


COMPLEX_PAIRS = [(op, case) for op, case in PAIRS if "results" not in case.params and is_complex_too(op, case)]


class Problem:
    """A case as a real function of its floats: the real part of a fixed projection of the results."""

    def __init__(self, op: Op, case: Case, dtype: DType = dtypes.float64) -> None:
        self.op, self.case, self.dtype = op, case, dtype
        self.wrt = floats_of(op, case)
        self.arrays = case.arrays(op, dtype)
        generator = np.random.default_rng(1)
        self.weights = [random_like(generator, o, value(o).shape) for o in self.smooth(self.record(self.arrays)[1])]

    def record(self, arrays: Sequence[Any]) -> tuple[list[Node], list[Node]]:
        """Return tracked leaves for the floats, and the results."""
        nodes = [leaf(a, is_tracked=i in self.wrt) for i, a in enumerate(arrays)]
        return [nodes[i] for i in self.wrt], outputs_of(self.op(*nodes, **self.case.params))

    @staticmethod
    def smooth(outputs: Sequence[Node]) -> list[Node]:
        """The results that can be differentiated."""
        return [output for output in outputs if dtypes.is_differentiable(output.dtype)]

    def number(self, arrays: Sequence[Any]) -> float:
        """The projection, as a number."""
        found = self.smooth(self.record(arrays)[1])
        return sum(inner(value(w), value(o)) for w, o in zip(self.weights, found, strict=True))

    def gradients(self, arrays: Sequence[Any]) -> tuple[list[Node], list[Node | None]]:
        """The leaves, and the gradients with respect to them, as nodes."""
        leaves, outputs = self.record(arrays)
        return leaves, vjp(self.smooth(outputs), self.weights, leaves)

    def moved(self, position: int, change: np.ndarray) -> list[Any]:
        """The arguments, with one of them changed."""
        return [a + change if i == position else a for i, a in enumerate(self.arrays)]


def random_like(generator: np.random.Generator, node: Node, shape: tuple[int, ...]) -> Node:
    """A constant of a node's dtype."""
    array = generator.uniform(0.5, 1.5, shape)
    if dtypes.is_complex(node.dtype):
        array = array + 1j * generator.uniform(0.5, 1.5, shape)
    return constant(np.asarray(array, node.dtype))


def inner(a: np.ndarray, b: np.ndarray) -> float:
    """The real inner product."""
    return float(np.sum(np.real(np.conj(a) * b)))


def central_difference(call: Callable[[list[Any]], float], problem: Problem, position: int, step: float) -> np.ndarray:
    """The derivatives of a real function of the arguments with respect to each element of one of them."""
    x = np.asarray(problem.arrays[position])
    result = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        change = np.zeros(x.shape)
        change[index] = step
        result[index] = (call(problem.moved(position, change)) - call(problem.moved(position, -change))) / (2 * step)
    return result


def assert_close(a: np.ndarray, b: np.ndarray, tolerance: float) -> None:
    """Agreement relative to the largest element."""
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def array_of(g: Node | None, like: Any) -> np.ndarray:
    """The value of a gradient; zeros where there is none."""
    return np.zeros(np.shape(like)) if g is None else value(g)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_gradient_agrees_with_differences(pair: tuple[Op, Case]) -> None:
    """First order, to 1e-5; a gradient has the type of its argument."""
    problem = Problem(*pair)
    leaves, gradients = problem.gradients(problem.arrays)
    for position, x, g in zip(problem.wrt, leaves, gradients, strict=True):
        if g is not None:
            assert g.tensor_type.accepts(x.tensor_type), (g.type, x.type)
        expected = central_difference(problem.number, problem, position, 1e-6)
        assert_close(array_of(g, problem.arrays[position]), expected, 1e-5)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_second_order(pair: tuple[Op, Case]) -> None:
    """The gradient of a projection of the gradient agrees with differences of that projection."""
    problem = Problem(*pair)
    generator = np.random.default_rng(2)
    directions = [constant(generator.uniform(0.5, 1.5, np.shape(problem.arrays[i]))) for i in problem.wrt]

    def projection(arrays: list[Any]) -> float:
        found = problem.gradients(arrays)[1]
        return sum(inner(value(d), value(g)) for d, g in zip(directions, found, strict=True) if g is not None)

    leaves, gradients = problem.gradients(problem.arrays)
    roots = [g for g in gradients if g is not None]
    given = [d for d, g in zip(directions, gradients, strict=True) if g is not None]
    second = vjp(roots, given, leaves)
    for position, g in zip(problem.wrt, second, strict=True):
        expected = central_difference(projection, problem, position, 1e-5)
        assert_close(array_of(g, problem.arrays[position]), expected, 1e-4)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_forward_agrees_with_reverse(pair: tuple[Op, Case]) -> None:
    """<w, J t> = <J^T w, t>, for the arguments together and for each alone."""
    check_forward(Problem(*pair))


@pytest.mark.parametrize("pair", COMPLEX_PAIRS, ids=case_id)
def test_complex_gradient_agrees_with_differences(pair: tuple[Op, Case]) -> None:
    """The gradient of a real function of complex numbers: along the real and along the imaginary axis."""
    problem = Problem(*pair, dtypes.complex128)
    _, gradients = problem.gradients(problem.arrays)
    generator = np.random.default_rng(4)
    for position, g in zip(problem.wrt, gradients, strict=True):
        shape = np.shape(problem.arrays[position])
        for unit in (1, 1j):
            direction = generator.uniform(0.5, 1.5, shape) * unit
            step = 1e-6
            ends = [problem.number(problem.moved(position, sign * step * direction)) for sign in (1, -1)]
            expected = (ends[0] - ends[1]) / (2 * step)
            found = inner(array_of(g, problem.arrays[position]), direction)
            if 0 in shape and np.isnan(expected):
                continue  # the mean of nothing is NaN
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("pair", COMPLEX_PAIRS, ids=case_id)
def test_complex_forward_agrees_with_reverse(pair: tuple[Op, Case]) -> None:
    """Re <w, J t> = Re <J^H w, t>."""
    check_forward(Problem(*pair, dtypes.complex128))


def check_forward(problem: Problem) -> None:
    """Compare forward with reverse mode by inner products."""
    leaves, outputs = problem.record(problem.arrays)
    outputs = problem.smooth(outputs)
    gradients = vjp(outputs, problem.weights, leaves)
    generator = np.random.default_rng(3)
    tangents = [random_like(generator, x, x.shape) for x in leaves]
    everything = list(range(len(leaves)))
    for moving in [everything] if len(leaves) == 1 else [everything, *[[i] for i in everything]]:
        given = [t if i in moving else None for i, t in enumerate(tangents)]
        pushed = jvp(outputs, leaves, given)
        for t, y in zip(pushed, outputs, strict=True):
            assert t is None or t.tensor_type.accepts(y.tensor_type), (t.type, y.type)
        left = sum(inner(value(w), value(t)) for w, t in zip(problem.weights, pushed, strict=True) if t is not None)
        pairs = [(gradients[i], tangents[i]) for i in moving]
        right = sum(inner(value(g), value(t)) for g, t in pairs if g is not None)
        if any(0 in x.shape for x in leaves) and np.isnan(left):
            continue  # the mean of nothing is NaN, and so is its derivative in every direction
        assert left == pytest.approx(right, rel=1e-8, abs=1e-8)
