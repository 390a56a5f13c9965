"""Gradients from the cards, in float64: against central differences, in second order, forward against reverse mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.base import dtypes
from septet.graph.node import Node, constant
from septet.graph.op import Case, Op, ops
from septet.transform.jvp import jvp
from septet.transform.vjp import vjp
from tests.conformance.support import CASES, case_id, leaf, outputs_of, value

PAIRS = [(op, case) for op, case in CASES if op.gradient is not None and case.gradient and not op.is_higher_order]


class Problem:
    """A case as a scalar function of its float arguments: a fixed projection of the results."""

    def __init__(self, op: Op, case: Case) -> None:
        self.op, self.case = op, case
        self.arrays = case.arrays(op, dtypes.float64)
        self.wrt = [i for i, a in enumerate(self.arrays) if np.asarray(a).dtype == np.float64]
        self.nodes = self.leaves(self.arrays)
        generator = np.random.default_rng(1)
        self.outputs = [o for o in self.record(self.nodes) if dtypes.is_differentiable(o.dtype)]
        self.weights = []
        for output in self.outputs:
            shape = value(output).shape
            weight = generator.uniform(0.5, 1.5, shape)
            if dtypes.is_complex(output.dtype):
                weight = weight + 1j * generator.uniform(0.5, 1.5, shape)
            self.weights.append(constant(np.asarray(weight, output.dtype)))

    def leaves(self, arrays: list[Any]) -> list[Node]:
        """Tracked leaves."""
        return [leaf(a, is_tracked=True) for a in arrays]

    def record(self, nodes: list[Node]) -> list[Node]:
        """The results for some leaves."""
        return outputs_of(self.op(*nodes, **self.case.params))

    def number(self, arrays: list[Any]) -> float:
        """The projection, as a number."""
        found = [o for o in self.record([leaf(a) for a in arrays]) if dtypes.is_differentiable(o.dtype)]
        return float(
            sum(np.sum(np.real(np.conj(value(w)) * value(o))) for w, o in zip(self.weights, found, strict=True))
        )

    def pulled(self) -> list[Node | None]:
        """The gradients, as nodes."""
        return vjp(self.outputs, self.weights, [self.nodes[i] for i in self.wrt])


def central_difference(call: Any, arrays: list[Any], position: int, step: float = 1e-6) -> np.ndarray:
    """The gradient of a scalar function of arrays with respect to one of them."""
    x = np.array(arrays[position], np.float64)
    result = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        moved = []
        for sign in (1, -1):
            y = x.copy()
            y[index] += sign * step
            moved.append(call([y if i == position else a for i, a in enumerate(arrays)]))
        result[index] = (moved[0] - moved[1]) / (2 * step)
    return result


def close(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-5) -> None:
    """Agreement relative to the largest element."""
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_gradient_agrees_with_differences(pair: tuple[Op, Case]) -> None:
    """First order."""
    problem = Problem(*pair)
    for position, g in zip(problem.wrt, problem.pulled(), strict=True):
        expected = central_difference(problem.number, problem.arrays, position)
        if g is not None:
            assert g.type.accepts(problem.nodes[position].type) or None in g.shape, (
                g.type,
                problem.nodes[position].type,
            )
        close(np.zeros_like(expected) if g is None else value(g), expected)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_second_order(pair: tuple[Op, Case]) -> None:
    """The gradient of a projection of the gradient agrees with differences of the gradient."""
    problem = Problem(*pair)
    generator = np.random.default_rng(2)
    directions = [constant(generator.uniform(0.5, 1.5, problem.arrays[i].shape)) for i in problem.wrt]

    def projected(p: Problem) -> Node | None:
        parts = [ops.sum(g * d) for g, d in zip(p.pulled(), directions, strict=True) if g is not None]
        total = None
        for part in parts:
            total = part if total is None else total + part
        return total

    total = projected(problem)
    if total is None or not total.flags & 1:
        return
    found = vjp([total], [constant(np.ones(()))], [problem.nodes[i] for i in problem.wrt])

    def number(arrays: list[Any]) -> float:
        other = Problem.__new__(Problem)
        other.op, other.case, other.arrays, other.wrt, other.weights = (
            problem.op,
            problem.case,
            arrays,
            problem.wrt,
            problem.weights,
        )
        other.nodes = other.leaves(arrays)
        other.outputs = [o for o in other.record(other.nodes) if dtypes.is_differentiable(o.dtype)]
        node = projected(other)
        return 0.0 if node is None else float(np.real(value(node)))

    for position, g in zip(problem.wrt, found, strict=True):
        expected = central_difference(number, problem.arrays, position, 1e-5)
        close(np.zeros_like(expected) if g is None else np.real(value(g)), expected, 1e-4)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_forward_agrees_with_reverse(pair: tuple[Op, Case]) -> None:
    """<w, J t> = <J^T w, t>."""
    problem = Problem(*pair)
    generator = np.random.default_rng(3)
    tangents = [constant(generator.uniform(-1, 1, problem.arrays[i].shape)) for i in problem.wrt]
    pushed = jvp(problem.outputs, [problem.nodes[i] for i in problem.wrt], tangents)
    left = sum(
        float(np.sum(np.real(np.conj(value(w)) * value(t))))
        for w, t in zip(problem.weights, pushed, strict=True)
        if t is not None
    )
    right = sum(
        float(np.sum(value(g) * value(t))) for g, t in zip(problem.pulled(), tangents, strict=True) if g is not None
    )
    if np.isnan(left):  # the mean of nothing
        assert all(problem.arrays[i].size == 0 for i in problem.wrt)
        return
    assert left == pytest.approx(right, rel=1e-8, abs=1e-8)
