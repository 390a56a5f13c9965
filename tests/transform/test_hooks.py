"""Gradient hooks: what they see and replace, in define-by-run code, traces, sub-graphs and transforms."""

from __future__ import annotations

import gc
import time
import weakref

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, GradientError, ShapeError, TracedValueError
from septet.transform.hooks import HookHandle


def variable(*values: float) -> st.Variable:
    return st.Variable(np.array(values, np.float64), "w")


class Seen(list):
    """A hook that keeps what it sees."""

    def __call__(self, g: st.Tensor) -> None:
        self.append(g.numpy().tolist())


# What a hook sees and does.


def test_a_hook_sees_the_whole_gradient_once():
    w, seen = variable(1, 2), Seen()
    x = w * 2
    early = x * x  # used before the hook is there ...
    x.register_hook(seen)
    (early.sum() + (x * 3).sum()).backward()  # ... and after
    assert seen == [[7.0, 11.0]]
    np.testing.assert_array_equal(w.grad, [14, 22])


def test_a_hook_replaces_the_gradient():
    w = variable(1, 2)
    x = w * 2
    assert isinstance(x.register_hook(lambda g: g * 10), HookHandle)
    x.sum().backward()
    np.testing.assert_array_equal(w.grad, [20, 20])


def test_several_hooks_run_in_order_each_with_what_the_one_before_made():
    w, seen = variable(3), Seen()
    x = w * 1
    x.register_hook(lambda g: g + 1)
    x.register_hook(seen)
    x.register_hook(lambda g: g * 5)
    x.sum().backward()
    assert seen == [[2.0]]
    np.testing.assert_array_equal(w.grad, [10])


def test_a_removed_hook_is_not_called():
    w, seen = variable(1), Seen()
    x = w * 1
    handle = x.register_hook(seen)
    other = x.register_hook(lambda g: g * 2)
    assert repr(handle) == "HookHandle(Seen)"
    handle.remove()
    handle.remove()
    assert repr(handle) == "HookHandle(Seen, removed)"
    x.sum().backward()
    assert seen == []
    np.testing.assert_array_equal(w.grad, [2])
    other.remove()
    w.zero_grad()
    x.sum().backward()
    np.testing.assert_array_equal(w.grad, [1])


def test_a_hook_for_a_block():
    w, seen = variable(1), Seen()
    x = w * 1
    with x.register_hook(seen) as handle:
        x.sum().backward()
    x.sum().backward()
    assert seen == [[1.0]] and "removed" in repr(handle)


def test_the_root_the_leaf_and_what_lies_beside_the_path():
    w, root, leaf, beside = variable(2), Seen(), Seen(), Seen()
    x = w * 3
    other = (w * 5).detach()
    loss = (x * x).sum()
    loss.register_hook(root)
    w.register_hook(leaf)
    (w * 7).register_hook(beside)
    (loss * 2 + other.sum()).backward()
    assert (root, leaf, beside) == ([2.0], [[72.0]], [])


def test_in_place_syntax_leaves_the_hook_with_the_value_that_was():
    w, seen = variable(2), Seen()
    x = w * 1
    x.register_hook(seen)
    x *= 5
    x.sum().backward()
    assert seen == [[5.0]]


def test_a_hook_may_look_at_values_and_raise():
    w = variable(1, 4)
    x = w * 1

    def clip(g):
        norm = float((g * g).sum() ** 0.5)
        if norm > 100:
            raise RuntimeError("exploded")
        return g / norm if norm > 1 else None

    x.register_hook(clip)
    (x * np.array([3.0, 4.0])).sum().backward()
    np.testing.assert_allclose(w.grad, [0.6, 0.8])
    with pytest.raises(RuntimeError, match="exploded"):
        (x * 1000).sum().backward()


def test_a_hook_is_called_at_each_backward_and_gradients_add_up():
    w, seen = variable(1), Seen()
    x = w * 2
    x.register_hook(seen)
    x.sum().backward()
    (x * 3).sum().backward()
    assert seen == [[1.0], [3.0]]
    np.testing.assert_array_equal(w.grad, [8])


# Variables.


def test_a_hook_of_a_variable_stays_when_its_value_changes():
    w = variable(1, 2)
    handle = w.register_hook(lambda g: g * 0.5)
    for value in (1.0, 3.0):
        w.assign(np.full(2, value))
        w.zero_grad()
        (w * w).sum().backward()
        np.testing.assert_array_equal(w.grad, [value, value])
    handle.remove()
    w.zero_grad()
    (w * w).sum().backward()
    np.testing.assert_array_equal(w.grad, [6, 6])


def test_a_hook_of_a_variable_runs_before_the_gradient_is_added():
    w = variable(1)
    w.register_hook(lambda g: g * 0)
    (w * 5).sum().backward()
    np.testing.assert_array_equal(w.grad, [0])


def test_an_optimizer_sees_what_the_hook_made():
    w = variable(1, 1)
    w.register_hook(lambda g: g * np.array([1.0, 0.0]))  # the second element is frozen
    optimizer = st.optim.SGD([w], learning_rate=0.1)
    (w * w).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(w.numpy(), [0.8, 1.0])


# Wrong use.


def test_wrong_use():
    w = variable(1, 2)
    with pytest.raises(GradientError, match="no gradient flows through broadcast_to") as caught:
        st.ones(2).register_hook(print)
    assert "st.Variable" in caught.value.hint
    with st.no_grad(), pytest.raises(GradientError, match=r"multiply float64\[2\], made at .*test_hooks.py"):
        (w * 2).register_hook(print)
    with pytest.raises(GradientError, match="no gradient flows"):
        w.detach().register_hook(print)
    with pytest.raises(GradientError, match="'count' \\(state\\) is not trainable"):
        st.Variable(1.0, "count", role="state").register_hook(print)
    with pytest.raises(ArgumentError, match="needs a function of the gradient, got int"):
        (w * 2).register_hook(3)


def test_a_gradient_of_another_type_is_refused():
    w = variable(1, 2)

    def backward(hook):
        x = w * 1
        x.register_hook(hook)
        x.sum().backward()

    def halve(g):
        return g[:1]

    with pytest.raises(ShapeError, match=r"the gradient returned by the hook halve has shape \(1,\)"):
        backward(halve)
    with pytest.raises(DTypeError, match="complex128, it belongs to a tensor float64"):
        backward(lambda g: g + 0j)
    with pytest.raises(DTypeError, match="text"):
        backward(lambda g: "text")
    w.zero_grad()
    backward(lambda g: np.array([3, 4]))  # arrays are fine, and integers become floats
    np.testing.assert_array_equal(w.grad, [3, 4])
    assert w.grad.dtype == np.float64


# Gradients as functions, of symbols, and of gradients.


def test_grad_of_a_recorded_cost():
    w, seen = variable(1, 2), Seen()
    x = w * 2
    x.register_hook(lambda g: g + 1)
    loss = (x * x).sum()
    gx, gw = st.grad(loss, [x, w])
    np.testing.assert_array_equal(gx, [5, 9])
    np.testing.assert_array_equal(gw, [10, 18])
    other = w * 3
    other.register_hook(seen)
    st.grad((other * x).sum(), [x])
    assert seen == []  # the way to x does not lead through it


def test_grad_of_a_function():
    def f(x):
        y = x * 3
        y.register_hook(lambda g: g * 2)
        return (y * y).sum()

    np.testing.assert_array_equal(st.grad(f)(np.array([1.0, 2.0])), [36, 72])

    def g(x):
        x.register_hook(lambda g: -g)
        return (x * x).sum()

    np.testing.assert_array_equal(st.grad(g)(np.array([1.0, 2.0])), [-2, -4])


def test_forward_mode_is_what_it_was():
    def f(x):
        y = x * 3
        y.register_hook(lambda g: g * 2)
        return y

    assert st.jvp(f, (st.tensor(1.0),), (st.tensor(1.0),))[1].item() == 3
    assert st.vjp(f, st.tensor(1.0))[1](1.0)[0].item() == 6


def test_symbolic_gradients_hold_what_the_hook_computes():
    x = st.symbol("x", (None,), "float64")
    y = x * 2
    calls = []

    def hook(g):
        calls.append(g)
        return st.clip(g, -5, 5)

    y.register_hook(hook)
    f = st.function([x], st.grad((y * y).sum(), x))
    np.testing.assert_array_equal(f(np.array([1.0, 10.0])), [8, 10])
    np.testing.assert_array_equal(f(np.array([1.0, -10.0])), [8, -10])
    assert len(calls) == 1


def test_second_order_goes_through_the_hook():
    f = lambda x: _hooked(x, lambda g: g * g)
    # d/dx: y = x * 2, cost y ** 3; gradient of y is 3 y ** 2, made 9 y ** 4; times 2: 18 (2 x) ** 4 = 288 x ** 4
    np.testing.assert_allclose(st.grad(f)(np.array(2.0)), 288 * 16)
    first = st.grad(lambda x: st.grad(f)(x))
    # through the gradient's own graph the hook is met again: see the numbers of a program written without hooks
    np.testing.assert_allclose(first(np.array(2.0)), _by_hand(2.0))


def _hooked(x, hook):
    y = x * 2
    y.register_hook(hook)
    return y**3


def _by_hand(x):
    # G = 2 h(3 y ** 2) with h(g) = g ** 2; what flows back to y is 2 * 2 g * 6 y, which the hook squares
    y = 2 * x
    back = 2 * 2 * (3 * y**2) * 6 * y
    return 2 * back**2


def test_create_graph():
    w = variable(2)
    x = w * 3
    x.register_hook(lambda g: g * w)
    (x * x).sum().backward(create_graph=True)
    gradient = w.grad  # 2 x w 3 = 18 w ** 2
    np.testing.assert_array_equal(gradient, [72])
    assert gradient.is_tracked
    w.zero_grad()
    (x * x).sum().backward()
    assert not w.grad.is_tracked


# Compiled functions.


def test_a_hook_is_part_of_the_compiled_graph():
    w = variable(1, 2)
    calls = []

    @st.compile
    def step(data):
        y = w * data
        y.register_hook(lambda g: calls.append(g) or st.clip(g, -1, 1))
        (y * y).sum().backward()
        gradient = w.grad
        w.zero_grad()
        return gradient

    for data in (np.array([0.1, 3.0]), np.array([2.0, -4.0])):
        np.testing.assert_allclose(step(data), np.clip(2 * data * [1, 2], -1, 1) * data)
    assert len(calls) == 1 and len(step.compiles) == 1


def test_hooks_of_variables_are_those_of_the_call():
    w, other = variable(1, 2), variable(0)

    @st.compile
    def gradient(data):
        return st.grad((w * data).sum(), w)

    double, data = (lambda g: g * 2), np.array([1.0, 3.0])
    np.testing.assert_array_equal(gradient(data), [1, 3])
    handle = w.register_hook(double)
    np.testing.assert_array_equal(gradient(data), [2, 6])
    np.testing.assert_array_equal(gradient(data), [2, 6])
    assert [c.reason for c in gradient.compiles] == ["first call", "gradient hooks of variable 'w' have changed"]
    other.register_hook(double)  # of no concern to this function
    handle.remove()
    w.register_hook(double)  # the same again
    np.testing.assert_array_equal(gradient(data), [2, 6])
    assert len(gradient.compiles) == 2
    w.hooks[0].remove()
    np.testing.assert_array_equal(gradient(data), [1, 3])
    assert len(gradient.compiles) == 2  # as at first


def test_a_hook_that_a_trace_puts_on_a_variable_goes_with_the_trace():
    w = variable(1, 2)

    @st.compile
    def gradient(data):
        w.register_hook(lambda g: g * 2)
        return st.grad((w * data).sum(), w)

    for _ in range(2):
        np.testing.assert_array_equal(gradient(np.array([1.0, 3.0])), [2, 6])
    assert not w.hooks and len(gradient.compiles) == 1
    np.testing.assert_array_equal(st.grad((w * 1).sum(), w), [1, 1])


def test_a_hook_from_outside_beside_one_of_the_trace():
    w = variable(1, 2)

    @st.compile
    def gradient(data):
        w.register_hook(lambda g: g + 1)
        return st.grad((w * data).sum(), w)

    data = np.array([1.0, 3.0])
    with w.register_hook(lambda g: g * 2):
        np.testing.assert_array_equal(gradient(data), [3, 7])
    np.testing.assert_array_equal(gradient(data), [2, 4])
    assert [c.reason for c in gradient.compiles][1:] == ["gradient hooks of variable 'w' have changed"]


def test_a_trace_that_takes_a_hook_off():
    w = variable(1, 2)
    handles = [w.register_hook(lambda g: g * 2)]

    @st.compile
    def gradient(data):
        for handle in handles:
            handle.remove()
        return st.grad((w * data).sum(), w)

    for _ in range(3):
        np.testing.assert_array_equal(gradient(np.array([1.0, 3.0])), [1, 3])
    assert len(gradient.compiles) == 2  # the second finds no hook to take off


def test_a_function_that_asks_for_no_gradient_is_not_compiled_for_hooks():
    w = variable(1, 2)
    f = st.compile(lambda data: w * data)
    f(np.ones(2))
    w.register_hook(lambda g: g * 2)
    f(np.ones(2))
    assert len(f.compiles) == 1


def test_a_hook_in_a_trace_has_no_values_to_look_at():
    w = variable(1, 2)

    @st.compile
    def step(data):
        y = w * data
        y.register_hook(lambda g: g / float(g.sum()))
        return st.grad((y * y).sum(), w)

    with pytest.raises(TracedValueError, match="float"):
        step(np.ones(2))


# Sub-graphs: hooks inside them are called with the gradients inside.


def clipped_loop(xs, w, limit, clip):
    """A recurrence whose gradient is clipped between the steps."""

    def step(h, x):
        h = st.tanh(h * w + x) * 2
        clip(h, limit)
        return h, h

    return step


XS = np.linspace(-1, 1, 5)


def by_scan(w, clip):
    step = clipped_loop(XS, w, 0.05, clip)
    return st.scan(step, st.tensor(np.array(0.5)), st.tensor(XS))[1].sum()


def by_loop(w, clip):
    step, h, total = clipped_loop(XS, w, 0.05, clip), st.tensor(np.array(0.5)), 0
    for x in XS:
        h, y = step(h, x)
        total = total + y
    return total


def clip_result(h, limit):
    h.register_hook(lambda g: st.clip(g, -limit, limit))


def test_a_hook_in_the_body_of_a_scan_is_one_of_each_step():
    w = np.array(0.7)
    plain = st.grad(lambda w: by_loop(w, lambda h, limit: None))(w).item()
    expected = st.grad(lambda w: by_loop(w, clip_result))(w).item()
    assert abs(plain) > 2 * abs(expected)
    for f in (lambda w: by_scan(w, clip_result), lambda w: st.call(lambda v: by_scan(v, clip_result), w)):
        np.testing.assert_allclose(st.grad(f)(w), expected, rtol=1e-10)
        np.testing.assert_allclose(st.compile(st.grad(f))(w), expected, rtol=1e-10)


def test_a_hook_on_what_is_handed_into_the_body():
    # by hand: a list of tensors, and the same in a scan
    def listed(w, *xs):
        xs = [x * 1 for x in xs]
        h, total = w * 0 + 0.5, 0
        for x in xs:
            h = h * 1
            h.register_hook(lambda g: g * 0.5)
            x.register_hook(lambda g: g * 10)
            h = h * w + x
            total = total + h * h
        return total

    def scanned(w, xs):
        def step(h, x):
            h.register_hook(lambda g: g * 0.5)
            x.register_hook(lambda g: g * 10)
            h = h * w + x
            return h, h * h

        return st.scan(step, w * 0 + 0.5, xs)[1].sum()

    w = np.array(0.7)
    expected = st.grad(listed, argnums=tuple(range(6)))(w, *XS)
    for transform in (lambda f: f, st.compile):
        gw, gxs = transform(st.grad(scanned, argnums=(0, 1)))(w, XS)
        np.testing.assert_allclose(gw, expected[0], rtol=1e-10)
        np.testing.assert_allclose(gxs, [float(g) for g in expected[1:]], rtol=1e-10)


def test_hooks_outside_and_inside_see_their_own():
    inner, outer = [], Seen()

    def f(w):
        x = w * 2
        x.register_hook(outer)

        def body(h, _):
            y = h * x  # from outside: its hook is called outside, once, with the sum over the steps
            y.register_hook(lambda g: inner.append(g))
            return y, y

        return st.scan(body, st.tensor(np.array(1.0)), None, length=3)[0]

    assert st.grad(f)(np.array(0.5)).item() == 6.0  # (2 w) ** 3
    assert outer == [3.0] and len(inner) == 1


@pytest.mark.parametrize("wrap", ["call", "remat", "cond"])
def test_other_sub_graphs(wrap):
    def inside(x):
        x.register_hook(lambda g: g + 1)
        y = x * 3
        y.register_hook(lambda g: g * 2)
        return y * y

    wraps = {
        "call": lambda x: st.call(inside, x),
        "remat": lambda x: st.remat(inside)(x),
        "cond": lambda x: st.cond(x.sum() > 0, inside, lambda x: x * 0, x),
    }

    def f(x):
        z = x * x
        return wraps[wrap](z).sum() + z.sum()  # the hook on the argument sees what comes through the sub-graph alone

    x = np.array([1.0, 2.0])
    z = x * x
    expected = (2 * 2 * 3 * z * 3 + 1 + 1) * 2 * x
    np.testing.assert_allclose(st.grad(f)(x), expected)
    np.testing.assert_allclose(st.compile(st.grad(f))(x), expected)


def test_sub_graphs_that_differ_in_their_hooks_alone():
    def with_factor(factor):
        def inside(x):
            y = x * 3
            y.register_hook(lambda g: g * factor)
            return y

        return inside

    for factor in (1.0, 2.0, 5.0):
        f = lambda x, factor=factor: st.call(with_factor(factor), x)
        assert st.grad(f)(np.array(1.0)).item() == 3 * factor
    assert st.grad(lambda x: st.call(lambda t: t * 3, x))(np.array(1.0)).item() == 3


# Batches.


def normalized(g):
    return g / st.sqrt((g * g).sum())


def per_example(x):
    y = x * 2
    y.register_hook(normalized)
    return (y * y).sum()


ROWS = np.array([[3.0, 4.0], [0.5, 0.0], [-1.0, 1.0]])


def test_hooks_of_examples():
    expected = np.stack([st.grad(per_example)(row).numpy() for row in ROWS])
    np.testing.assert_allclose(np.linalg.norm(expected, axis=-1), 2)
    np.testing.assert_allclose(st.vmap(st.grad(per_example))(ROWS), expected)
    np.testing.assert_allclose(st.grad(lambda xs: st.vmap(per_example)(xs).sum())(ROWS), expected)
    np.testing.assert_allclose(st.compile(st.grad(lambda xs: st.vmap(per_example)(xs).sum()))(ROWS), expected)


def test_a_hook_of_an_example_may_use_the_example():
    def f(x):
        y = x * 2
        y.register_hook(lambda g: g * x)
        return (y * y).sum()

    expected = np.stack([st.grad(f)(row).numpy() for row in ROWS])
    np.testing.assert_allclose(st.grad(lambda xs: st.vmap(f)(xs).sum())(ROWS), expected)

    def same_for_all(x):
        y = x * 2
        y.register_hook(lambda g: st.tensor(np.array([5.0, 7.0])))
        return (y * y).sum()

    found = st.grad(lambda xs: st.vmap(same_for_all)(xs).sum())(ROWS)
    np.testing.assert_allclose(found, np.tile([10.0, 14.0], (3, 1)))


def test_a_batch_of_scans():
    f = lambda x: st.scan(lambda h, t: ((h * x.sum() + t), _noted(h * t)), x[0], st.tensor(XS))[1].sum()
    expected = np.stack([st.grad(f)(row).numpy() for row in ROWS])
    plain = st.grad(lambda x: st.scan(lambda h, t: (h * x.sum() + t, h * t), x[0], st.tensor(XS))[1].sum())(ROWS[0])
    np.testing.assert_allclose(expected[0], 3 * plain.numpy())
    np.testing.assert_allclose(st.grad(lambda xs: st.vmap(f)(xs).sum())(ROWS), expected)
    np.testing.assert_allclose(st.vmap(st.grad(f))(ROWS), expected)


def _noted(y):
    y.register_hook(lambda g: g * 3)
    return y


def test_a_batch_inside_a_batch_and_a_hook_that_is_removed():
    handles = []

    def f(x):
        y = x * 2
        handles.append(y.register_hook(normalized))
        return (y * y).sum()

    xs = st.Variable(np.stack([ROWS, ROWS * 3]))
    loss = st.vmap(st.vmap(f))(xs).sum()
    loss.backward()
    expected = np.stack([st.grad(per_example)(row).numpy() for row in xs.numpy().reshape(6, 2)]).reshape(2, 3, 2)
    np.testing.assert_allclose(xs.grad, expected)
    handles[0].remove()
    xs.zero_grad()
    loss.backward()
    np.testing.assert_allclose(xs.grad, 8 * xs.numpy())


# Memory.


def test_a_hook_that_holds_its_tensor_is_collected_with_it():
    def use(w):
        x = w * 2
        x.register_hook(lambda g: g * x)
        x.sum().backward()
        return weakref.ref(x.node)

    w = variable(1, 2)
    node = use(w)
    np.testing.assert_array_equal(w.grad, [4, 8])
    w.zero_grad()
    for _ in range(50):  # while another thread collects, a call does nothing
        gc.collect()
        if node() is None:
            break
        time.sleep(0.02)
    assert node() is None
