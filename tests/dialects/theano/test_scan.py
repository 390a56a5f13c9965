"""Loops of the theano dialect, against NumPy."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.gof.fg import MissingInputError
from septet.dialects.theano.scan_module import until
from septet.dialects.theano.scan_module.scan_utils import equal_computations, map_variables, reconstruct_graph

ZERO = np.float64(0)


def test_sums_and_their_gradient() -> None:
    x, w = T.dvector("x"), T.dscalar("w")
    sums, updates = theano.scan(lambda a, total, w: w * total + a, x, outputs_info=ZERO, non_sequences=w)
    f = theano.function([x, w], [sums, *T.grad(sums[-1], [x, w])], updates=updates)
    found, gx, gw = f([1, 2, 3], 0.5)
    np.testing.assert_allclose(found, [1, 2.5, 4.25])
    np.testing.assert_allclose(gx, [0.25, 0.5, 1])
    assert float(gw) == pytest.approx(2.5 + 0.5 * 1)
    np.testing.assert_allclose(f([1], 2)[0], [1])  # other lengths, the same function


def test_the_number_of_steps_is_not_known_to_be_one() -> None:
    """``squeeze`` drops the axis of no loop, also where its sequence has one element."""
    x = T.reshape(T.dtensor3(), (1, 2, 3))
    stacks, _ = theano.scan(lambda a, b: [a + b, a * b], x, outputs_info=[None, T.zeros((2, 3))])
    assert x.broadcastable == (True, False, False)
    assert [T.squeeze(one).broadcastable for one in stacks] == [(False, False, False)] * 2


def test_taps_of_sequences_and_outputs() -> None:
    x, y = T.dvector("x"), T.dvector("y")

    def step(a: Any, b: Any, c: Any, p: Any, q: Any) -> Any:
        return a * b + c + p * q

    found, _ = theano.scan(step, {"input": x, "taps": [-2, 0, 1]}, {"initial": y, "taps": [-3, -1]})
    values = np.arange(1.0, 8)
    rows = [0.5, 0.25, 2.0]
    for t in range(2, 6):
        rows.append(values[t - 2] * values[t] + values[t + 1] + rows[-3] * rows[-1])
    np.testing.assert_allclose(theano.function([x, y], found)(values, rows[:3]), rows[3:])


def test_the_shortest_sequence_and_going_backwards() -> None:
    x, z = T.dvector("x"), T.dvector("z")
    found, _ = theano.scan(lambda a, b: a - 2 * b, [x, z], go_backwards=True)
    np.testing.assert_array_equal(theano.function([x, z], found)([1, 2, 3, 4], [1, 2, 3]), [-2, -1, 0])


def test_numbers_of_steps() -> None:
    a, k = T.dvector("a"), T.iscalar("k")
    powers, _ = theano.scan(lambda p, a: p * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k)
    f = theano.function([a, k], powers)
    np.testing.assert_array_equal(f([1, 2, 3], 3), [[1, 2, 3], [1, 4, 9], [1, 8, 27]])
    assert len(f([1, 2, 3], 0)) == 0
    (one, two), _ = theano.scan(lambda p: [p + 1, 2 * p], outputs_info=[a, None], n_steps=1)
    np.testing.assert_array_equal(theano.function([a], [one, two])([1, 2]), [[[2, 3]], [[2, 4]]])
    same, _ = theano.scan(lambda p: p, a, n_steps=k)
    g = theano.function([a, k], same)
    np.testing.assert_array_equal(g([1, 2, 3], 2), [1, 2])
    with pytest.raises(ValueError, match="3 elements"):
        g([1, 2, 3], 5)


def test_a_condition_ends_the_loop() -> None:
    x, limit = T.dvector("x"), T.dscalar("limit")
    squares, _ = theano.scan(lambda a, limit: (a * a, until(a > limit)), x, non_sequences=limit)
    f = theano.function([x, limit], [squares, T.grad(squares.sum(), x)])
    values = np.arange(9.0)
    found, gradient = f(values, 5)
    np.testing.assert_array_equal(found, values[:7] ** 2)
    np.testing.assert_array_equal(gradient, [*2 * values[:7], 0, 0])
    assert len(f(values, 50)[0]) == 9


def test_gradients_of_the_last_steps() -> None:
    x, w = T.dvector("x"), T.dscalar("w")
    for is_ended in (False, True):

        def step(a: Any, state: Any, w: Any, is_ended: bool = is_ended) -> Any:
            return (state * w + a, until(a > 3)) if is_ended else state * w + a

        states, _ = theano.scan(step, x, np.float64(1), w, truncate_gradient=2)
        f = theano.function([x, w], [states, *T.grad(states[-1], [x, w])])
        states, gx, gw = f([1, 2, 3, 4, 5][: 5 if is_ended else 4], 0.5)
        assert float(states[-1]) == 6.1875
        np.testing.assert_allclose(gx[:4], [0, 0, 0.5, 1])
        assert float(gw) == pytest.approx(4.375 + 0.5 * 2.75)


def test_updates_of_shared_variables() -> None:
    count, seen = theano.shared(np.float64(1)), theano.shared(np.float64(0))
    values, updates = theano.scan(lambda: (count * 2, {count: count * 2, seen: count}), n_steps=4)
    f = theano.function([], values, updates=updates)
    np.testing.assert_array_equal(f(), [2, 4, 8, 16])
    assert (float(count.get_value()), float(seen.get_value())) == (16, 8)
    nothing, more = theano.scan(lambda: {count: count + 1}, n_steps=3)
    assert nothing is None and isinstance(more, theano.OrderedUpdates)
    with pytest.raises(KeyError):
        updates + more


def test_a_loop_inside_a_loop() -> None:
    x, w = T.dmatrix("x"), T.dscalar("w")

    def outer(row: Any, state: Any) -> Any:
        inner, _ = theano.scan(lambda a, s: w * s + a, row, outputs_info=state)
        return inner[-1]

    found, _ = theano.scan(outer, x, outputs_info=ZERO)
    f = theano.function([x, w], [found[-1], T.grad(found[-1], w), T.grad(T.grad(found[-1], w), w)])
    values = np.array([[1.0, 2], [3, 4]])
    polynomial = np.polynomial.Polynomial([4, 3, 2, 1])
    for n, own in enumerate(f(values, 1.5)):
        assert float(own) == pytest.approx(polynomial.deriv(n)(1.5))


def test_views() -> None:
    x = T.dvector("x")
    assert theano.function([x], theano.map(lambda a: a * a, x)[0])([1, 2, 3]).tolist() == [1, 4, 9]
    assert theano.function([x], theano.reduce(lambda a, s: s + a, x, ZERO)[0])([1, 2, 3]) == 6
    assert theano.function([x], theano.foldl(lambda a, s: 2 * s + a, x, ZERO)[0])([1, 0, 0]) == 4
    assert theano.function([x], theano.foldr(lambda a, s: 2 * s + a, x, ZERO)[0])([1, 0, 0]) == 1


def test_checkpoints() -> None:
    x, w = T.dvector("x"), T.dscalar("w")
    found, _ = theano.scan_checkpoints(lambda a, s, w: w * s + a, [x], [ZERO], [w], save_every_N=4)
    whole, _ = theano.scan(lambda a, s, w: w * s + a, [x], [ZERO], [w])
    f = theano.function([x, w], [found, whole[3::4], found[-1], whole[-1], T.grad(found[-1], w), T.grad(whole[-1], w)])
    for length in (8, 10, 3):
        rows, expected, *pairs = f(np.arange(1.0, length + 1), 0.5)
        np.testing.assert_allclose(rows[: len(expected)], expected)
        np.testing.assert_allclose(pairs[::2], pairs[1::2])


def test_what_is_refused() -> None:
    x, y, m = T.dvector("x"), T.dvector("y"), T.dmatrix("m")
    with pytest.raises(ValueError, match="smaller than 0"):
        theano.scan(lambda a, b: a, x, {"initial": y, "taps": [0]})
    with pytest.raises(ValueError, match="different"):
        theano.scan(lambda a, b, c: a, x, {"initial": y, "taps": [-1, -1]})
    with pytest.raises(ValueError, match="initial state"):
        theano.scan(lambda a, b: a, x, {"taps": [-1]})
    with pytest.raises(ValueError, match="has dtype float32"):
        theano.scan(lambda a, s: s + a, x, np.float32(0))
    with pytest.raises(ValueError, match="dimension"):
        theano.scan(lambda a, s: s + a, m, np.float64(0))
    with pytest.raises(ValueError, match="number of steps"):
        theano.scan(lambda: x)
    with pytest.raises(ValueError, match="outputs_info"):
        theano.scan(lambda a: [a, a], x, outputs_info=[None])
    with pytest.raises(ValueError, match="must be an int"):
        theano.scan(lambda a: a, x, n_steps=T.dscalar())


def test_what_gradients_flow_through() -> None:
    x, y, z = T.dvector("x"), T.dvector("y"), T.dvector("z")
    (a, b, c), _ = theano.scan(lambda x, y, z: (x**2, y, x + 1), outputs_info=[x, y, z], n_steps=10)
    cost = (a + b + c).sum()
    T.grad(cost, [x, y])
    with pytest.raises(ValueError, match="not part of"):
        T.grad(a.sum(), y)


def test_graphs_taken_apart() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    sums, _ = theano.scan(lambda a, s: s + a * y[0], x, ZERO)
    (fresh,), (copied,) = reconstruct_graph([x], [sums], "_copy")
    assert fresh.name == "x_copy"
    np.testing.assert_array_equal(theano.function([fresh, y], copied)([1, 2], [2]), [2, 6])
    again, _ = theano.scan(lambda a, s: s + a * y[0], x, ZERO)
    assert sums.owner.op == again.owner.op and equal_computations([sums], [again])
    (mapped,) = map_variables(lambda v: v * 10 if v is y else v, [sums])
    np.testing.assert_array_equal(theano.function([x, y], mapped)([1, 2], [2]), [20, 60])


def test_loops_until_a_condition_are_compiled() -> None:
    start, limit = T.dscalar("start"), T.dscalar("limit")
    powers, _ = theano.scan(lambda s, limit: (s * 2, until(s * 2 > limit)), [], start, limit, n_steps=100)
    f = theano.function([start, limit], [powers, powers[-1], powers[-2], T.grad(powers[-1], start)])
    for bound, count in ((45, 6), (3, 2)):
        rows, last, before, gradient = f(1, bound)
        np.testing.assert_array_equal(rows, 2.0 ** np.arange(1, count + 1))
        assert (float(last), float(before), float(gradient)) == (2**count, 2 ** (count - 1), 2**count)
    assert len(f.septet.compiles) == 1 and not f.septet.compiles[0].error  # one program for all bounds


def test_an_argument_that_turns_out_not_to_matter() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    found, _ = theano.scan(lambda s, y: y[0] + 1, outputs_info=x[0], non_sequences=y, n_steps=3)
    np.testing.assert_array_equal(theano.function([x, y], found)([1, 2], [3]), [4, 4, 4])


def test_random_numbers_of_each_step() -> None:
    stream = T.shared_randomstreams.RandomStreams(5)
    drawn, updates = theano.scan(lambda: stream.uniform((2,)), n_steps=3)
    once = stream.uniform((2,))
    same, _ = theano.scan(lambda a: a, non_sequences=once, n_steps=2)
    f = theano.function([], [drawn, once, same], updates=updates)
    a, b = f(), f()
    assert len(np.unique([*a[0].ravel(), *b[0].ravel()])) == 12
    np.testing.assert_array_equal(a[2], [a[1], a[1]])
    assert not np.allclose(a[1], b[1])


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "DebugMode"])
def test_random_states_in_modes_that_go_op_by_op(mode: str) -> None:
    stream = T.shared_randomstreams.RandomStreams(5)
    drawn, updates = theano.scan(lambda: stream.uniform((2,)), n_steps=2)
    f = theano.function([], drawn, updates=updates, mode=mode)
    assert len(np.unique([f(), f()])) == 8
    assert pickle.loads(pickle.dumps(theano.function([], drawn))).maker is not None


def test_what_runs_can_be_called_many_times() -> None:
    count = theano.shared(0)
    theano.function([], [], updates=[(count, count + 1)]).fn(n_calls=5)
    assert int(count.get_value()) == 5


def test_strict_steps_may_read_what_is_no_shared_variable() -> None:
    x, y, w = T.dvector(), T.dscalar(), theano.shared(2.0, "w")
    scaled, _ = theano.scan(lambda element: element * (y + 1), sequences=x, strict=True)
    np.testing.assert_array_equal(theano.function([x, y], scaled)([1, 2], 2), [3, 6])
    with pytest.raises(MissingInputError, match="w"):
        theano.scan(lambda element: element * w, sequences=x, strict=True)


def test_replacements_inside_of_loops_bring_no_updates() -> None:
    x, counter = T.dvector("x"), theano.shared(0.0, "counter")
    counter.update = counter + 1
    sums, _ = theano.scan(lambda a, total: total + a, x, outputs_info=ZERO)

    def replacer(v: Any) -> Any:
        return v * counter if v.owner is not None and v.type.ndim == 0 else v

    with pytest.raises(NotImplementedError, match="counter which has an update"):
        map_variables(replacer, [sums])
    counter.update = None
    (mapped,) = map_variables(replacer, [sums])
    np.testing.assert_array_equal(theano.function([x], mapped)([1, 2]), [0, 0])
