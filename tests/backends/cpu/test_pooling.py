"""Tests of native pooling against the cards' references: windows, padding, layouts, maxima that tie, NaN, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import pooling
from septet.backends.cpu.layouts import Layout, channels_last
from septet.backends.cpu.planner import Host
from septet.backends.cpu.pooling import FIELDS, KINDS, Pooling
from septet.backends.cpu.program import Plan
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.types import tensor_type
from septet.ops.pool import max_pool, max_pool_gradient, sum_pool, sum_pool_transpose
from tests.backends.cpu.convolutions import call, stored

# x, window, stride, padding, dilation
CASES: list[tuple[Any, ...]] = [
    ((2, 8, 6, 8), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((2, 19, 7, 7), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    ((1, 16, 5, 9), (3, 2), (1, 2), ((1, 0), (0, 1)), (1, 1)),
    ((2, 5, 9, 8), (2, 2), (1, 1), ((0, 0), (0, 0)), (2, 3)),
    ((3, 1, 6, 6), (3, 3), (1, 1), ((2, 2), (0, 3)), (1, 1)),  # windows beyond x
    ((2, 12, 11), (3,), (2,), ((1, 1),), (1,)),
    ((1, 8, 4, 5, 6), (2, 3, 2), (2, 2, 1), ((0, 0), (1, 1), (0, 0)), (1, 1, 1)),
    ((1, 8, 5, 5), (2, 2), (3, 3), ((0, 0), (0, 0)), (1, 1)),  # elements between windows
    ((2, 24, 9, 9), (5, 4), (2, 1), ((1, 2), (0, 0)), (1, 1)),  # more places than are written out
]
CARDS = {
    "max_pool": max_pool, "sum_pool": sum_pool, "max_pool_gradient": max_pool_gradient,
    "sum_pool_transpose": sum_pool_transpose,
}  # fmt: skip


def sizes_of(
    case: tuple[Any, ...], dtype: str = "float32", layout: Any = channels_last
) -> tuple[Pooling, dict[str, Any]]:
    """Return the sizes of a case, and what cards take."""
    x, window, stride, padding, dilation = case
    named = {"window": window, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": False}
    y = sum_pool.reference(np.zeros(x), **named).shape
    return Pooling(layout(x, dtype), layout(y, dtype), window, stride, padding, dilation), named


def compute(kind: str, sizes: Pooling, x: np.ndarray, y: np.ndarray, to: np.ndarray, threads: int = 1) -> None:
    """Compute a pooling into y, or a gradient of x into `to`."""
    strides = tuple(stride // to.itemsize for stride in to.strides)
    plan = pooling.plan(kind, sizes, Layout(to.shape, strides))
    element = {"float32": "float", "float64": "double"}[sizes.x.dtype]
    args = [x.ctypes.data, y.ctypes.data, to.ctypes.data, plan.block.ctypes.data]
    call(pooling.kernel_name(kind, element, 8 if element == "float" else 4, sizes.window), plan.tasks, threads, args)


def check(
    kind: str, case: tuple[Any, ...], dtype: str = "float32", x: np.ndarray | None = None, threads: int = 1
) -> np.ndarray:
    """Compare with the reference, and return what was found."""
    sizes, named = sizes_of(case, dtype)
    numbers = np.random.default_rng(3)
    if x is None:
        x = numbers.integers(-3, 4, sizes.x.shape)  # many equal maxima
    x = stored(np.asarray(x, dtype), sizes.x)
    y = stored(numbers.integers(-9, 10, sizes.y.shape).astype(dtype), sizes.y)
    to = stored(np.full(sizes.x.shape, np.nan, dtype), sizes.x)
    if kind == "max_pool_gradient":
        expected = max_pool_gradient.reference(y, x, **named)
    elif kind == "sum_pool_transpose":
        expected = sum_pool_transpose.reference(y, size=sizes.x.shape[2:], **named)
    else:
        expected = CARDS[kind].reference(x, **named)
    if kind in ("max_pool", "sum_pool"):
        y[...] = np.nan
    compute(kind, sizes, x, y, to, threads)
    found = y if kind in ("max_pool", "sum_pool") else to
    np.testing.assert_array_equal(found, expected)  # all numbers are small integers
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case: tuple[Any, ...], kind: str, dtype: str) -> None:
    check(kind, case, dtype)


@pytest.mark.parametrize("kind", ["max_pool", "max_pool_gradient"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_nan_is_a_maximum_and_padding_is_none(case: tuple[Any, ...], kind: str) -> None:
    numbers = np.random.default_rng(5)
    check(kind, case, x=numbers.choice([np.nan, -np.inf, np.inf, 1.0, 2.0], case[0]))
    check(kind, case, x=np.full(case[0], -np.inf))


@pytest.mark.parametrize("kind", KINDS)
def test_results_do_not_depend_on_the_number_of_threads(kind: str) -> None:
    case = ((3, 40, 24, 24), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))
    assert pooling.plan(kind, sizes_of(case)[0]).tasks > 3
    one = check(kind, case)
    for threads in (2, 3):
        np.testing.assert_array_equal(check(kind, case, threads=threads), one)


def test_gaps_between_pixels_stay() -> None:
    case = CASES[1]
    sizes, named = sizes_of(case)
    n, channels, height, width = sizes.x.shape
    step = channels + 3
    layout = Layout(sizes.x.shape, (height * width * step, 1, width * step, step))
    memory = np.full(n * height * width * step, 7.0, np.float32)
    to = np.lib.stride_tricks.as_strided(memory, layout.shape, [s * 4 for s in layout.strides or ()])
    x, y = (stored(np.ones(part.shape, np.float32), part) for part in (sizes.x, sizes.y))
    compute("max_pool_gradient", sizes, x, y, to)
    np.testing.assert_array_equal(to, max_pool_gradient.reference(y, x, **named))
    assert (memory.reshape(-1, step)[:, channels:] == 7.0).all()


@pytest.mark.parametrize(
    ("case", "clears"),
    [(CASES[0], 0), (CASES[1], 1), (CASES[7], 1), (((1, 8, 5, 5), (2, 2), (2, 2), ((0, 1), (0, 1)), (1, 1)), 0)],
    ids=str,
)
def test_zeros_are_written_only_where_windows_leave_or_share_elements(case: tuple[Any, ...], clears: int) -> None:
    block = pooling.plan("max_pool_gradient", sizes_of(case)[0]).block
    assert block[FIELDS.index("clears")] == clears
    check("max_pool_gradient", case)


def test_what_is_possible() -> None:
    sizes, _ = sizes_of(CASES[0])
    assert pooling.is_possible("max_pool", sizes)
    assert not pooling.is_possible("max_pool", sizes._replace(x=Layout(sizes.x.shape, (384, 48, 8, 1))))
    assert not pooling.is_possible("max_pool", sizes_of(CASES[0], "int32")[0])
    assert not pooling.is_possible("max_pool", sizes._replace(window=(2,)))


def test_a_padded_maximum_and_its_gradient_run_natively() -> None:
    """The first pooling of many image networks: windows of 3, a stride of 2, padding of 1."""
    x = symbol(tensor_type(np.dtype(np.float32), (2, 16, 12, 12)))
    g = symbol(tensor_type(np.dtype(np.float32), (2, 16, 6, 6)))
    words = {"window": 3, "stride": 2, "padding": 1}
    plan = Plan(Graph([x, g], [max_pool(x, **words), max_pool_gradient(g, x, **words)]))
    assert not any(isinstance(step.code, Host) for step in plan.steps)
    numbers = np.random.default_rng(0)
    values = numbers.standard_normal((2, 16, 12, 12)).astype(np.float32)
    found = st.grad(lambda x: (st.max_pool(x, **words) ** 2).sum())(st.tensor(values))
    with st.config.override(backend="reference"):
        expected = st.grad(lambda x: (st.max_pool(x, **words) ** 2).sum())(st.tensor(values)).numpy()
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_what_was_pooled_lie_as_the_convolution_does(dtype: str) -> None:
    """The gradient of a bias is summed row by row then, and not along channels that lie far apart."""

    def loss(kernel: Any, bias: Any, images: Any, weights: Any) -> Any:
        active = st.maximum(st.conv(images, kernel) + bias.reshape(1, -1, 1, 1), 0)
        return (st.max_pool(active, 2).reshape(40, -1) @ weights).sum()

    numbers = np.random.default_rng(0)
    shapes = ((16, 1, 5, 5), (16,), (40, 1, 28, 28), (16 * 144, 3))
    arguments = [st.tensor(numbers.standard_normal(shape).astype(dtype)) for shape in shapes]
    steps = st.explain(st.compile(st.grad(loss, argnums=(0, 1))), *arguments).steps
    assert any("totals row by row" in step.form for step in steps)
    assert not any("rows of 23040" in step.form for step in steps)  # 40 images of 24 x 24


def test_gradients_of_what_one_of_two_branches_gave() -> None:
    """What was pooled comes from an op with several results."""

    def loss(images: Any, kernel: Any) -> Any:
        chosen = st.cond(kernel.sum() > 0, lambda a: a * 2, lambda a: a, st.conv(images, kernel))
        return (st.max_pool(chosen, 2) ** 2).sum()

    images, kernel = st.ones((2, 1, 8, 8)), st.ones((3, 1, 3, 3))
    (found,) = st.compile(st.grad(loss, argnums=(0,)))(images, kernel)
    assert found.shape == images.shape and float(found.sum()) == 2 * 3 * 9 * (2 * 18) * 2 * 9
