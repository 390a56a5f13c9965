"""Control flow of Python functions: define-by-run, compiled and symbolic code against Python loops, and its errors."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, GradientError, GraphError, NotSupportedError, ShapeError

RNG = np.random.default_rng(1)


def both(fn, *arrays):
    """Return what a function gives at once and compiled, as NumPy."""
    args = [st.tensor(a) for a in arrays]

    def plain(value):
        return [np.asarray(x) for x in (value if isinstance(value, (tuple, list)) else [value])]

    return plain(fn(*args)), plain(st.compile(fn)(*args))


def check(fn, expected, *arrays):
    for found in both(fn, *arrays):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_scan_of_nested_structures():
    xs = {"a": RNG.normal(size=(4, 2)), "b": RNG.normal(size=4)}

    def run(a, b):
        def step(carry, x):
            s, (n, t) = carry["s"], carry["rest"]
            s = s * 0.5 + x["a"] * x["b"]
            return {"rest": (n + 1, [t[0] + s.sum()]), "s": s}, {"s": s, "pair": (n, t[0])}

        init = {"s": st.tensor(np.zeros(2)), "rest": (0, [st.tensor(0.0, "float64")])}
        carry, ys = st.scan(step, init, {"b": b, "a": a})
        assert list(carry) == ["s", "rest"]
        return carry["s"], carry["rest"][0], carry["rest"][1][0], ys["s"], ys["pair"][0], ys["pair"][1]

    s, t, rows, numbers, totals = np.zeros(2), 0.0, [], [], []
    for n in range(4):
        numbers.append(n)
        totals.append(t)
        s = s * 0.5 + xs["a"][n] * xs["b"][n]
        t += s.sum()
        rows.append(s)
    check(run, [s, 4, t, np.array(rows), np.array(numbers), np.array(totals)], xs["a"], xs["b"])


def test_scan_reverse_and_length():
    check(
        lambda x: st.scan(lambda c, v: (c * 2.0 + v, c), st.tensor(0.0, "float64"), x, reverse=True),
        [1 + 2 * (2 + 2 * 3), [8, 3, 0]],
        np.array([1.0, 2.0, 3.0]),
    )
    check(lambda x: st.scan(lambda c, _: (c * x, None), x, length=3)[0], [16.0], np.array(2.0))


def test_scan_of_an_unknown_length():
    x, n = st.symbol("x", (None, 2), "float64"), st.symbol("n", (), "int64")
    last, sums = st.scan(lambda c, v: (c + v, c.sum()), st.tensor(np.zeros(2)), x)
    power, _ = st.scan(lambda c, _: (c * 2, None), 1, length=n)
    f = st.function([x, n], [last, sums, power])
    for length in (0, 1, 5):
        rows = RNG.normal(size=(length, 2))
        found = f(rows, length)
        np.testing.assert_allclose(found[0], rows.sum(0))
        np.testing.assert_allclose(found[1], (np.cumsum(rows, 0) - rows).sum(1))
        assert int(found[2]) == 2**length


def test_python_numbers_take_the_dtype_that_the_loop_makes_of_them():
    total, _ = st.scan(lambda s, v: (s + v, None), 0, st.tensor([0.5, 1.0]))
    assert total.dtype == np.float32
    assert float(total) == 1.5
    double, _ = st.scan(lambda s, v: (s + v, None), 0, st.tensor([0.5, 1.0], "float64"))
    assert double.dtype == np.float64
    n, _ = st.while_loop(lambda n, x: n < 3, lambda n, x: (n + 1, x * 0.5), 0, 8)
    assert int(n) == 3


def test_gradients_reach_what_the_function_takes_from_outside():
    xs = RNG.normal(size=(5, 2))
    w, v = st.Variable(np.array([0.5, -0.3]), "w"), st.Variable(np.array(0.7), "v")
    scale = w * 2.0  # made outside, of a variable

    def step(c, x):
        return c * scale + x * v, (c * w).sum()

    last, ys = st.scan(step, st.tensor(np.zeros(2)), st.tensor(xs))
    (last.sum() + ys.sum()).backward()

    def cost(w, v):
        c, total = np.zeros(2), 0.0
        for x in xs:
            c, total = c * w * 2 + x * v, total + (c * w).sum()
        return c.sum() + total

    w0, v0, e = np.array([0.5, -0.3]), 0.7, 1e-6
    expected = [(cost(w0 + d, v0) - cost(w0 - d, v0)) / (2 * e) for d in np.eye(2) * e]
    np.testing.assert_allclose(w.grad, expected, rtol=1e-7)
    np.testing.assert_allclose(v.grad, (cost(w0, v0 + e) - cost(w0, v0 - e)) / (2 * e), rtol=1e-7)


def test_gradients_of_a_compiled_scan():
    w = st.Variable(np.array(0.9), "w")

    @st.compile
    def step(xs):
        w.zero_grad()
        last, _ = st.scan(lambda c, x: (c * w + x, None), st.tensor(0.0, "float64"), xs)
        last.backward()
        g = w.grad
        w.zero_grad()
        return last, g

    last, g = step(st.tensor([1.0, 2.0, 3.0], "float64"))
    assert float(last) == pytest.approx(0.81 + 2 * 0.9 + 3)
    assert float(g) == pytest.approx(2 * 0.9 + 2)


def test_no_grad_inside_a_body_cuts_the_path():
    w = st.Variable(np.array(2.0), "w")

    def step(c, x):
        with st.no_grad():
            fixed = w * x
        return c + fixed * w, None

    last, _ = st.scan(step, st.tensor(0.0, "float64"), st.tensor([1.0, 3.0], "float64"))
    last.backward()
    assert float(w.grad) == 8.0  # (1 + 3) w, not 2 (1 + 3) w


def test_a_body_seen_under_no_grad_is_tracked_afterwards():
    w = st.Variable(np.array(2.0), "w")

    def total():
        return st.scan(lambda c, x: (c + x * w, None), st.tensor(0.0, "float64"), st.tensor([1.0, 3.0], "float64"))[0]

    with st.no_grad():
        assert not total().is_tracked
    total().backward()
    assert float(w.grad) == 4.0


def test_variables_assigned_inside_are_handed_on():
    count = st.Variable(np.array(0), "count", role="state")
    seen = st.Variable(np.zeros(2), "seen", role="state")

    def step(c, x):
        count.assign(count + 1)
        seen.assign(seen + x * count)
        return c + x, count + 0

    def run(xs):
        return st.scan(step, st.tensor(np.zeros(2)), xs)

    xs = RNG.normal(size=(3, 2))
    for factor, call in ((1, run), (2, st.compile(run))):
        last, numbers = call(st.tensor(xs))
        np.testing.assert_allclose(last, xs.sum(0))
        np.testing.assert_array_equal(numbers, np.arange(1, 4) + 3 * (factor - 1))
        assert int(count) == 3 * factor
    np.testing.assert_allclose(seen, xs[0] * 5 + xs[1] * 7 + xs[2] * 9)


def test_variables_assigned_in_one_branch():
    count = st.Variable(np.array(0), "count", role="state")

    def hit(x):
        count.assign(count + 1)
        return x * 2

    f = st.compile(lambda x: st.cond(x > 0, hit, lambda x: x, x))
    assert [float(f(st.tensor(v))) for v in (1.0, -1.0, 3.0)] == [2.0, -1.0, 6.0]
    assert int(count) == 2


def test_random_numbers_inside_a_scan_are_those_of_a_loop():
    st.random.seed(5)
    expected = [st.random.uniform((2,)).numpy() for _ in range(4)]
    after = st.random.uniform(()).numpy()
    for wrap in (lambda f: f, st.compile):
        st.random.seed(5)
        draw = wrap(lambda: st.scan(lambda c, _: (c, st.random.uniform((2,))), 0, length=4)[1])
        np.testing.assert_array_equal(draw(), expected)
        assert st.random.uniform(()).numpy() == after


def test_nested_scans_and_conds():
    rows = RNG.normal(size=(3, 4))

    def run(rows, w):
        def outer(c, row):
            def inner(d, x):
                return st.cond(x > 0, lambda d: d + x * w, lambda d: d * w + c, d), d

            last, ys = st.scan(inner, c, row)
            return last, ys.sum()

        return st.scan(outer, st.tensor(0.1, "float64"), rows)

    def loop(w):
        c, sums = 0.1, []
        for row in rows:
            d, total = c, 0.0
            for x in row:
                total += d
                d = d + x * w if x > 0 else d * w + c
            c = d
            sums.append(total)
        return c, sums

    check(run, loop(0.6), rows, np.array(0.6))
    w = st.Variable(np.array(0.6), "w")
    last, sums = run(st.tensor(rows), w)
    (last + sums.sum()).backward()
    values = [sum((loop(v)[0], *loop(v)[1])) for v in (0.6 + 1e-6, 0.6 - 1e-6)]
    assert float(w.grad) == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-7)


def test_cond_with_a_value_calls_one_function_only():
    calls = []
    result = st.cond(st.tensor(1.0) > 0, lambda x: calls.append("a") or x, lambda x: calls.append("b") or x, 3)
    assert result == 3
    assert calls == ["a"]


def test_cond_with_structures_and_numbers():
    f = st.compile(
        lambda x: st.cond(x.sum() > 0, lambda x: {"y": x, "n": 1}, lambda x: {"n": st.tensor(2), "y": x * 0.0}, x)
    )
    for sign, n in ((1.0, 1), (-1.0, 2)):
        found = f(st.tensor([sign, sign]))
        assert int(found["n"]) == n
        assert float(found["y"].sum()) == max(2 * sign, 0)


def test_while_and_fori_loops():
    check(lambda x: st.while_loop(lambda v: v < 100, lambda v: v * 3, x), [243], np.array(1))
    check(lambda x: st.fori_loop(2, 5, lambda i, v: v + i * x, st.tensor(0)), [9 * 4], np.array(4))
    check(lambda n: st.fori_loop(0, n, lambda i, v: v + i, st.tensor(0)), [15], np.array(6))
    check(lambda n: st.fori_loop(3, 1, lambda i, v: v + i, n), [6], np.array(6))


def test_fori_loop_gradient():
    w = st.Variable(np.array(1.1), "w")
    st.fori_loop(0, 5, lambda i, v: v * w, st.tensor(1.0, "float64")).backward()
    assert float(w.grad) == pytest.approx(5 * 1.1**4)


def test_while_loop_gradient_names_scan():
    w = st.Variable(np.array(1.1), "w")
    y = st.while_loop(lambda v: v < 100, lambda v: v * w, st.tensor(1.0, "float64"))
    with pytest.raises(GradientError, match=r"st\.scan"):
        y.backward()


def test_map_and_call():
    x = RNG.normal(size=(3, 2))
    check(lambda x: st.map(lambda row: (row.sum(), row * 2), x), [x.sum(1), 2 * x], x)
    check(lambda x: st.call(lambda a, k: a * k, x, 3), [3 * x], x)


def test_large_constants_of_a_body_become_inputs():
    table = np.arange(100.0)
    keys = set()
    for _ in range(2):
        last, _ = st.scan(
            lambda c, x: (c + st.tensor(table) * x, None), st.tensor(np.zeros(100)), st.tensor(np.ones(2))
        )
        keys.add(last.node.key)
        np.testing.assert_array_equal(last, 2 * table)
    assert len(keys) == 1


def test_effects_inside_happen_at_each_step(capsys):
    def run(x):
        st.scan(lambda c, v: (c, st.print("step", v)), 0, x)
        return x

    run(st.tensor([1, 2]))
    assert capsys.readouterr().out == "step 1\nstep 2\n"
    f = st.compile(run)
    for _ in range(2):
        f(st.tensor([3, 4]))
    assert capsys.readouterr().out == "step 3\nstep 4\n" * 2


class TestErrors:
    """Each says what was broken, where, and what to do."""

    x = st.tensor(np.ones((3, 2), np.float32))

    def test_carry_dtype(self):
        with pytest.raises(DTypeError, match=r"dtype of carry\['h'\]: before int64\[\], after float64\[\]") as caught:
            st.scan(lambda c, x: ({"h": c["h"] + x.sum()}, None), {"h": st.tensor(0)}, self.x)
        assert caught.value.hint

    def test_carry_shape(self):
        with pytest.raises(ShapeError, match=r"shape of carry\[1\]: before float32\[\], after float32\[2\]"):
            st.scan(lambda c, x: ((c[0], c[1] + x), None), (st.tensor(0.0), st.tensor(0.0)), self.x)

    def test_carry_structure(self):
        with pytest.raises(ArgumentError, match=r"init is \(\*, \*\), it returns \*"):
            st.scan(lambda c, x: (c[0], None), (0, 0), self.x)

    def test_no_pair(self):
        with pytest.raises(ArgumentError, match="must return a pair"):
            st.scan(lambda c, x: c, 0, self.x)

    def test_lengths(self):
        with pytest.raises(ShapeError, match=r"xs\['b'\] has 2 steps .*xs\['a'\] has 3"):
            st.scan(lambda c, x: (c, None), 0, {"a": self.x, "b": st.tensor([1, 2])})
        with pytest.raises(ShapeError, match=r"xs has 3 steps .*length is 4"):
            st.scan(lambda c, x: (c, None), 0, self.x, length=4)
        with pytest.raises(ShapeError, match="xs is a scalar"):
            st.scan(lambda c, x: (c, None), 0, st.tensor(1))
        with pytest.raises(ArgumentError, match="needs sequences xs or a length"):
            st.scan(lambda c, x: (c, None), 0)
        with pytest.raises(ArgumentError, match="not negative"):
            st.scan(lambda c, x: (c, None), 0, length=-1)

    def test_branches(self):
        def run(first, second):
            return st.compile(lambda x: st.cond(x.sum() > 0, first, second, x))(self.x)

        with pytest.raises(DTypeError, match=r"result\['a'\] is float32\[3, 2\] from true_fn and float64"):
            run(lambda x: {"a": x}, lambda x: {"a": x.astype("float64")})
        with pytest.raises(
            ShapeError, match=r"result\[1\] is float32\[3, 2\] from true_fn and float32\[\] from false_fn"
        ):
            run(lambda x: (x, x), lambda x: (x, x.sum()))
        with pytest.raises(ArgumentError, match=r"true_fn returns \(\*, \*\), false_fn returns \*"):
            run(lambda x: (x, x), lambda x: x)
        with pytest.raises(ShapeError, match="predicate is bool"):
            st.cond(self.x > 0, lambda: 1, lambda: 2)
        with pytest.raises(ArgumentError, match="true_fn must be a function"):
            st.cond(True, 1, 2)

    def test_while(self):
        with pytest.raises(ArgumentError, match="scalar of dtype bool"):
            st.while_loop(lambda x: x, lambda x: x, self.x)
        with pytest.raises(ShapeError, match=r"shape of value\[0\]: before float32\[3, 2\], after float32\[2\]"):
            st.while_loop(lambda x: x.sum() > 0, lambda x: x.sum(axis=0), self.x)
        with pytest.raises(ArgumentError, match="at least one first value"):
            st.while_loop(lambda: True, lambda: None)
        count = st.Variable(np.array(0), "count", role="state")
        with pytest.raises(NotSupportedError, match="cond_fn assigns to 'count'"):
            st.while_loop(lambda x: count.assign(count + 1) < 3, lambda x: x, self.x)

    def test_backward_inside(self):
        w = st.Variable(np.array(1.0, np.float32), "w")

        def step(c, x):
            (w * x.sum()).backward()
            return c, None

        with pytest.raises(NotSupportedError, match=r"backward\(\) inside.*\('w'\)"):
            st.scan(step, 0, self.x)

    def test_symbol_made_inside(self):
        with pytest.raises(GraphError, match="made inside"):
            st.scan(lambda c, x: (c + st.symbol("s", (), "int64"), None), 0, self.x)

    def test_no_tensor(self):
        with pytest.raises(DTypeError, match=r"carry\['h'\] cannot be carried"):
            st.scan(lambda c, x: (c, None), {"h": "text"}, self.x)
