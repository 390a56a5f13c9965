"""Transcendental functions on edge values, near the ends of their domains, and for complex numbers."""

from __future__ import annotations

import cmath

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import septet.run.eager as eager
from septet.base.errors import DTypeError
from septet.graph.node import Node, constant, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.ops import transcendental as t
from septet.transform.vjp import grad, vjp

EDGES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 90.0, -800.0, 1e-300, np.inf, -np.inf, np.nan])
NUMPY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log2": np.log2,
    "log10": np.log10, "sqrt": np.sqrt, "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    assert node.value is not None
    return node.value


def slope(call, *data) -> list[np.ndarray]:
    """Gradients of the sum."""
    nodes = [constant(np.array(d, np.float64)) for d in data]
    for node in nodes:
        node.flags |= 1
    return [value(g) for g in grad(ops.sum(call(*nodes)), nodes)]


@pytest.mark.parametrize("name", NUMPY)
def test_edges_are_numpys(name):
    with np.errstate(all="ignore"):
        expected = NUMPY[name](EDGES)
    found = value(ops.__getattr__(name)(constant(EDGES.copy())))
    np.testing.assert_array_equal(found, expected)
    assert ops.__getattr__(name)(constant(np.array([1, 2]))).dtype == "float32"


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16])
def test_short_floats_are_rounded_once(name, dtype):
    x = np.linspace(0.1, 0.9, 17).astype(dtype) + np.array(name == "acosh", dtype)
    expected = NUMPY[name](x.astype(np.float32)).astype(dtype)
    np.testing.assert_array_equal(value(ops.__getattr__(name)(constant(x))), expected)


def complex_names() -> list[str]:
    return [name for name in NUMPY if name != "cbrt"]


@pytest.mark.parametrize("name", complex_names())
def test_complex_values_and_derivatives(name):
    z = np.array([0.3 + 0.4j, -0.6 + 0.2j, 0.5 - 1.5j, -1.2 - 0.7j])
    reference = {"exp2": lambda w: 2**w, "expm1": lambda w: cmath.exp(w) - 1, "log1p": lambda w: cmath.log(1 + w),
                 "log2": lambda w: cmath.log(w) / cmath.log(2)}.get(name) or getattr(cmath, name)  # fmt: skip
    node = constant(z.copy())
    node.flags |= 1
    y = ops.__getattr__(name)(node)
    np.testing.assert_allclose(value(y), [reference(complex(w)) for w in z], rtol=1e-13)
    (g,) = vjp([y], [constant(np.ones(4, complex))], [node])
    step = 1e-6
    expected = [(reference(complex(w) + step) - reference(complex(w) - step)) / (2 * step) for w in z]
    assert g is not None
    np.testing.assert_allclose(np.conj(value(g)), expected, rtol=1e-8)


def test_complex_log1p_and_expm1_keep_small_arguments():
    z = np.array([1e-12 + 1e-12j, -1e-9 + 3e-10j, 1e-20j, -0.4 + 0.1j, 3 - 4j, -1 + 0j])
    with mpmath.workdps(40):
        for call, exact in ((t.log1p, lambda w: mpmath.log(1 + mpmath.mpc(w))), (t.expm1, mpmath.expm1)):
            found = value(call(constant(z[:5].copy())))
            np.testing.assert_allclose(found, [complex(exact(complex(w))) for w in z[:5]], rtol=1e-14)
    assert value(t.log1p(constant(z[5:])))[0].real == -np.inf


def test_slopes_near_the_ends():
    x = 1 - 2.0**-50
    with mpmath.workdps(40):
        inner = 1 - mpmath.mpf(x) ** 2
        for call, exact in ((t.asin, 1 / mpmath.sqrt(inner)), (t.acos, -1 / mpmath.sqrt(inner)), (t.atanh, 1 / inner)):
            np.testing.assert_allclose(slope(call, [x])[0], [float(exact)], rtol=1e-14)
    assert slope(t.sqrt, [0.0])[0] == np.inf


def test_cube_root_of_negative_numbers():
    np.testing.assert_allclose(value(t.cbrt(np.array([-8.0, 27.0]))), [-2, 3])
    np.testing.assert_allclose(slope(t.cbrt, [-8.0])[0], [1 / 12])
    with pytest.raises(DTypeError, match="cbrt: is not defined for dtype complex128"):
        t.cbrt(np.array([1j]))


def test_atan2_in_all_quadrants():
    y, x = [np.array(m) for m in np.meshgrid([0.0, -0.0, 1.0, -1.0, np.inf], [0.0, -0.0, 1.0, -1.0, -np.inf])]
    np.testing.assert_array_equal(value(t.atan2(constant(y), constant(x))), np.arctan2(y, x))


EXTREME = np.array([0.0, 1.0, -1.0, 30.0, -30.0, 800.0, -800.0, np.inf, -np.inf])


def test_logistic_functions_at_extremes():
    with mpmath.workdps(40):
        finite = EXTREME[np.isfinite(EXTREME)]
        sigmoid = [float(1 / (1 + mpmath.exp(-mpmath.mpf(v)))) for v in finite]
        softplus = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(v)))) for v in finite]
    np.testing.assert_allclose(value(t.sigmoid(EXTREME)), [*sigmoid, 1, 0], rtol=1e-15)
    np.testing.assert_allclose(value(t.softplus(EXTREME)), [*softplus, np.inf, 0], rtol=1e-15)
    np.testing.assert_allclose(value(t.log_sigmoid(EXTREME)), -value(t.softplus(-EXTREME)), rtol=1e-15)
    for call in (t.sigmoid, t.softplus, t.log_sigmoid, t.tanh):
        assert np.isfinite(slope(call, EXTREME)[0]).all()
        assert np.isnan(value(call(np.array([np.nan])))).all()


@given(st.floats(-300, 300), st.floats(-300, 300))
def test_logaddexp_is_a_logarithm_of_a_sum(a, b):
    with mpmath.workdps(60):
        expected = float(mpmath.log(mpmath.exp(mpmath.mpf(a)) + mpmath.exp(mpmath.mpf(b))))
    assert value(t.logaddexp(np.array(a), np.array(b))) == pytest.approx(expected, rel=1e-13, abs=1e-13)
    in_a, in_b = slope(t.logaddexp, a, b)
    assert in_a + in_b == pytest.approx(1, abs=1e-14)


def test_logaddexp_at_infinities():
    inf = np.inf
    a, b = np.array([-inf, -inf, 0.0, inf, inf]), np.array([-inf, 0.0, -inf, inf, 0.0])
    np.testing.assert_array_equal(value(t.logaddexp(a, b)), [-inf, 0, 0, inf, inf])
    in_a, in_b = slope(t.logaddexp, a, b)
    np.testing.assert_array_equal(in_a, [0.5, 0, 1, 0.5, 1])
    np.testing.assert_array_equal(in_b, [0.5, 1, 0, 0.5, 0])


def test_second_derivative_of_logaddexp_at_a_tie():
    a, b = constant(np.array(1.0)), constant(np.array(1.0))
    a.flags |= 1
    (first,) = grad(t.logaddexp(a, b), [a])
    assert value(grad(first, [a])[0]) == 0.25


def test_angles():
    np.testing.assert_allclose(value(t.deg2rad(np.array([180.0, -90.0]))), [np.pi, -np.pi / 2])
    np.testing.assert_allclose(value(t.rad2deg(np.array([np.pi]))), [180.0])
    assert t.deg2rad(constant(np.array([180]))).dtype.kind == "f"


def test_empty_and_unknown_sizes():
    assert value(t.exp(np.ones((0, 2)))).shape == (0, 2)
    x = symbol(tensor_type(np.dtype("float32"), (None, 2)))
    assert t.tanh(x).shape == (None, 2) and t.atan2(x, np.ones(2)).shape == (None, 2)
