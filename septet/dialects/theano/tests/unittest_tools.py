"""What tests of Theano's kind are written with: seeds, comparisons, checks of gradients and shapes."""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import unittest
from collections.abc import Callable, Sequence
from typing import Any
from unittest import SkipTest

import numpy as np

from septet.dialects.theano.compile.function import function
from septet.dialects.theano.compile.mode import get_default_mode
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.numeric import GradientError
from septet.dialects.theano.numeric import verify_grad as _verify_grad
from septet.dialects.theano.tensor import basic

with contextlib.suppress(ImportError):  # only tests of Theano's own kind need it
    from parameterized import parameterized as parameterized


def attr(*_: Any, **__: Any) -> Callable[[Any], Any]:
    """Mark a test; marks do nothing."""
    return lambda test: test


def custom_name_func(testcase_func: Any, param_num: int, param: Any) -> str:
    """Return the name of a test with parameters."""
    parts = "_".join(str(one) for one in param.args)
    return f"{testcase_func.__name__}_{''.join(c if c.isalnum() else '_' for c in parts)}"


def fetch_seed(pseed: int | None = None) -> int | None:
    """Return a seed: the one given, or the setting's ("random" gives None)."""
    seed = pseed or config.unittests.rseed
    if seed == "random":
        return None
    try:
        return int(seed) if seed else None
    except ValueError:
        print(f"Error: config.unittests.rseed contains invalid seed {seed!r}, using None instead", file=sys.stderr)
        return None


def seed_rng(pseed: int | None = None) -> int | None:
    """Seed NumPy's generator, and return the seed."""
    seed = fetch_seed(pseed)
    np.random.seed(seed)
    return seed


def verify_grad(op: Any, pt: Any, n_tests: int = 2, rng: Any = None, *args: Any, **kwargs: Any) -> None:
    """Check a gradient, with NumPy's generator unless another is given; see `theano.gradient.verify_grad`."""
    if rng is None:
        seed_rng()
        rng = np.random
    _verify_grad(op, pt, n_tests, rng, *args, **kwargs)


verify_grad.E_grad = GradientError


class MockRandomState:
    """A generator whose numbers are always the least, or always the largest."""

    def __init__(self, val: float) -> None:
        self.val = val

    def rand(self, *shape: int) -> np.ndarray:
        return np.zeros(shape) + self.val

    def randint(self, minval: int, maxval: int | None = None, size: Any = 1) -> np.ndarray:
        low, high = (0, minval) if maxval is None else (minval, maxval)
        return np.full(size, low if self.val == 0 else high - 1, "int64")


class TestOptimizationMixin:
    """Questions about which ops a function consists of."""

    def _count(self, f: Any, holds: Callable[[Any], bool], low: int, high: int) -> None:
        order = f.maker.fgraph.toposort()
        found = sum(holds(node) for node in order)
        if not low <= found <= high:
            raise AssertionError((order, found, low, high))

    def assertFunctionContains(self, f: Any, op: Any, min: int = 1, max: int = sys.maxsize) -> None:
        self._count(f, lambda node: node.op == op, min, max)

    def assertFunctionContains0(self, f: Any, op: Any) -> None:
        self.assertFunctionContains(f, op, 0, 0)

    def assertFunctionContains1(self, f: Any, op: Any) -> None:
        self.assertFunctionContains(f, op, 1, 1)

    def assertFunctionContainsN(self, f: Any, op: Any, N: int) -> None:
        self.assertFunctionContains(f, op, N, N)

    def assertFunctionContainsClass(self, f: Any, op: Any, min: int = 1, max: int = sys.maxsize) -> None:
        self._count(f, lambda node: isinstance(node.op, op), min, max)

    def assertFunctionContainsClassN(self, f: Any, op: Any, N: int) -> None:
        self.assertFunctionContainsClass(f, op, N, N)

    def SkipTest(self, msg: str = "Skip this test") -> None:
        raise SkipTest(msg)


class T_OpContractMixin:
    """Equality and hashes of the ops ``self.ops``, and of other ones made alike by ``self.other_op``, ``self.clone``."""

    ops: Sequence[Any]

    def copy(self, x: Any) -> Any:
        return copy.copy(x)

    def clone(self, op: Any) -> Any:
        raise NotImplementedError("return new instance like `op`")

    def test_eq(self) -> None:
        for i, op in enumerate(self.ops):
            assert op == op and op == self.clone(op) and op != object()
            assert all(op != other for j, other in enumerate(self.ops) if i != j)

    def test_hash(self) -> None:
        for op in self.ops:
            assert hash(op) == hash(self.clone(op))

    def test_name(self) -> None:
        assert all(str(op) for op in self.ops)


class InferShapeTester(unittest.TestCase):
    """Checks that the shapes that a graph says its results have are those of the values."""

    def setUp(self) -> None:
        seed_rng()
        self.mode = getattr(self, "mode", None) or get_default_mode()

    def _compile_and_check(
        self, inputs: Any, outputs: Any, numeric_inputs: Any, cls: Any, excluding: Any = None, warn: bool = True,
        check_topo: bool = True,
    ) -> None:  # fmt: skip
        values = function(inputs, outputs, mode=self.mode)(*numeric_inputs)
        shapes = function(inputs, [o.shape for o in outputs], mode=self.mode)(*numeric_inputs)
        for value, shape in zip(values, shapes, strict=True):
            assert np.all(value.shape == shape), (value.shape, shape)


class WrongValue(Exception):
    """Two arrays that should be close, and are not."""

    def __init__(self, expected_val: Any, val: Any, rtol: Any, atol: Any) -> None:
        super().__init__()
        self.val1, self.val2, self.rtol, self.atol = expected_val, val, rtol, atol

    def __str__(self) -> str:
        return f"WrongValue\n{str_diagnostic(self.val1, self.val2, self.rtol, self.atol)}"


def str_diagnostic(expected: Any, value: Any, rtol: Any, atol: Any) -> str:
    """Return how two arrays differ, in words."""
    a, b = np.asarray(expected), np.asarray(value)
    lines = [f"  {name}: {own.dtype}{list(own.shape)} {own}" for name, own in (("expected", a), ("value", b))]
    if a.shape == b.shape and a.dtype.kind in "iufc":
        with np.errstate(all="ignore"):
            lines.append(f"  largest difference: {np.max(np.abs(a - b), initial=0)}; rtol {rtol}, atol {atol}")
    return "\n".join(lines)


def assert_allclose(expected: Any, value: Any, rtol: Any = None, atol: Any = None) -> None:
    """Raise WrongValue where two arrays are not close."""
    if not basic._allclose(expected, value, rtol, atol):
        raise WrongValue(expected, value, rtol, atol)


class AttemptManyTimes:
    """Runs a test several times, with another seed each time; it has to succeed so often as is asked for."""

    def __init__(self, n_attempts: int, n_req_successes: int = 1) -> None:
        self.n_attempts, self.n_req_successes = n_attempts, n_req_successes

    def __call__(self, fct: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fct)
        def attempt(*args: Any, **kwargs: Any) -> None:
            before, successes = config.unittests.rseed, 0
            try:
                for number in range(self.n_attempts):
                    try:
                        fct(*args, **kwargs)
                        successes += 1
                    except Exception:
                        if self.n_attempts - number - 1 + successes < self.n_req_successes:
                            raise
                    if successes == self.n_req_successes:
                        return
                    config.unittests.rseed = (fetch_seed() or 0) + 1
            finally:
                config.unittests.rseed = before

        return attempt


def assertFailure_fast(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a test as it is: it fails in no mode."""
    return f
