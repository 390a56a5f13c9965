"""Functions whose sizes follow from values of small inputs: one program for each combination of sizes."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import sized
from septet.base.errors import ArgumentError, IndexOutOfRangeError, SeptetError, UserFunctionError
from septet.run.programs import REFERENCE

X = np.random.default_rng(0).standard_normal((23, 4)).astype(np.float32)
n = st.symbol("n", (), dtype="int64")
m = st.symbol("m", (), dtype="int32")
k = st.symbol("k", (None,), dtype="int64")
x = st.symbol("x", (None, 4))


def by_reference(function, *args):
    """Return the first output of a function as the reference computes it."""
    return REFERENCE.compile(function.graph)(function._arrays(args, {}))[0]


def agree(function, *args):
    """Compare a function with the reference."""
    np.testing.assert_allclose(function(*args).numpy(), by_reference(function, *args), rtol=1e-5, atol=1e-6)


def batches(size=5):
    data = st.Variable(X, "data")
    return st.function([n], st.tanh(data[n * size : (n + 1) * size]).sum(axis=0), name="batches")


def test_one_plan_for_full_batches_and_one_for_the_last():
    call = batches()
    for number in (0, 1, 3, 2, 4, 1, 0):  # 23 rows: the last batch has 3
        agree(call, number)
    assert len(call.compiles) == 2
    first, last = call.compiles
    assert first.reason == "first call"
    assert last.reason.startswith("dynamic_slice at test_sized.py:") and last.reason.endswith(": 5 -> 3")


def test_the_last_batch_is_adapted():
    w = st.Variable(np.ones((4, 64), np.float32), "w")
    data = st.Variable(np.resize(X, (500, 4)), "data")
    loss = (st.tanh(data[n * 128 : (n + 1) * 128] @ w) ** 2).mean()
    call = st.function([n], loss, updates={w: w - 0.1 * st.grad(loss, w)})
    other = st.function([x], (st.tanh(x @ w) ** 2).mean())
    for number in (0, 1, 3, 2, 3):
        expected = float(other(data.numpy()[number * 128 : (number + 1) * 128]))
        assert float(call(number)) == pytest.approx(expected, rel=1e-5)
    assert [own.how for own in call.compiles] == ["", "adapted"]


def test_a_number_that_the_program_has_is_no_size_by_chance():
    data, labels = st.Variable(np.resize(X, (500, 4)), "data"), st.symbol("labels", (None,))
    call = st.function([n, labels], ((data[n * 32 : (n + 1) * 32].sum(axis=1) - labels) ** 2).mean() / 32)
    for number in (0, 15):
        given = np.ones(len(data.numpy()[number * 32 : (number + 1) * 32]), np.float32)
        agree(call, number, given)
    assert [own.how for own in call.compiles] == ["", "adapted"]


@pytest.mark.parametrize("step", [1, 3, -2])
def test_slices_are_clamped_as_pythons_are(step):
    stop = st.symbol("stop", (), dtype="int64")
    call = st.function([n, stop], st.Variable(X[:, 0], "line")[n:stop:step] * 1)
    for a in (0, 3, -4, 30, -30, 22):
        for b in (0, 2, 9, -1, -30, 50):
            np.testing.assert_array_equal(call(a, b).numpy(), X[a:b:step, 0])


def test_empty_slices():
    call = batches()
    np.testing.assert_array_equal(call(7).numpy(), np.zeros(4))
    agree(call, 5)


@pytest.mark.parametrize(
    ("inputs", "result", "args"),
    [
        ([n], lambda: st.arange(n) * 2, [(4,), (0,), (9,), (4,)]),
        ([n], lambda: st.arange(1, n + 1, 2), [(4,), (0,), (9,)]),
        ([n], lambda: st.arange(0.0, st.astype(n, "float32"), 0.5), [(2,), (3,)]),
        ([n, m], lambda: st.zeros((n, m)) + st.astype(n, "float32"), [(2, 3), (3, 2), (0, 5)]),
        ([x, n], lambda: x.reshape((n, -1)).sum(axis=1), [(X, 4), (X, 23), (X[:4], 2)]),
        ([x, n], lambda: x[:n].sum(axis=0) + x[n], [(X, 4), (X, -3), (X[:4], 2)]),
        ([x, n], lambda: st.ones((x.shape[0] - n, n + 1)), [(X, 4), (X[:9], 4), (X, 3)]),
        ([x, n], lambda: st.tile(x, (n, 2)) * 1, [(X, 2), (X, 0), (X[:2], 3)]),
        ([x, n], lambda: st.repeat(x, n, axis=1), [(X, 2), (X, 1)]),
        ([n, k], lambda: st.one_hot(k, n), [(3, [0, 2, 1]), (5, [4, 4])]),
        ([k], lambda: st.arange(k.max()) < k[:, None], [([3, 1, 2],), ([2, 2, 5],), ([3, 3, 3],)]),
        ([n], lambda: st.eye(n) * st.arange(n)[:, None], [(3,), (2,)]),
        ([k], lambda: st.zeros((k[0], k[1])) + 1, [([2, 3],), ([3, 2],)]),
        ([n], lambda: st.zeros((n,))[: st.where(n > 5, 5, n)], [(3,), (9,), (7,)]),
        ([x, n], lambda: x[: n // 2][: n // 3].sum(), [(X, 12), (X, 13), (X, 30)]),
    ],
)  # fmt: skip
def test_values(inputs, result, args):
    call = st.function(inputs, result(), allow_unused=True)
    for given in args:
        agree(call, *given)
    assert 0 < len(call.compiles) <= len(args)
    assert not any(own.how.startswith("interpreted") for own in call.compiles)


def test_sizes_in_loops():
    weight = st.Variable(np.eye(4, dtype=np.float32) / 2, "weight")

    def step(state, row):
        state = st.tanh(row + state @ weight)
        return state, state[:, : n + 1].sum(axis=1)

    rows = st.symbol("rows", (None, None, 4))
    _, sums = st.scan(step, st.zeros((rows.shape[1], 4)), rows[:m])
    call = st.function([rows, n, m], sums)
    data = np.random.default_rng(1).standard_normal((6, 2, 4)).astype(np.float32)
    for given in ((data, 1, 4), (data, 2, 3), (data[:, :1], 1, 6)):
        agree(call, *given)
        kinds = [own.kind for own in st.explain(call, *given).steps]
        assert "python" not in kinds and "node" not in kinds


def test_a_loop_of_so_many_steps():
    last, every = st.scan(lambda state, _: (state * 2, state), st.tensor(1.0), None, length=n)
    call = st.function([n], [last, every])
    for steps in (3, 0, 5):
        result, rows = call(steps)
        assert float(result) == 2**steps
        np.testing.assert_array_equal(rows.numpy(), 2.0 ** np.arange(steps))
    assert [own.kind for own in st.explain(call, 4).steps if own.name == "scan"] == ["kernel"]


def test_gradients_of_a_loop_over_open_sizes_are_native():
    weight = st.Variable(np.eye(4, dtype=np.float32) / 2, "weight")
    rows = st.symbol("rows", (None, None, 4))
    last = st.scan(lambda state, row: (st.tanh(row + state @ weight), None), st.zeros((rows.shape[1], 4)), rows)[0]
    call = st.function([rows], st.grad((last**2).sum(), weight))
    data = np.random.default_rng(1).standard_normal((6, 2, 4)).astype(np.float32)
    agree(call, data)
    assert "python" not in [own.kind for own in st.explain(call, data).steps]


def test_a_state_that_grows_is_computed_all_the_same():
    first = st.symbol("first", (None,))
    call = st.function(
        [first, n], st.while_loop(lambda state: state.shape[0] < n, lambda state: st.concat([state, state]), first)
    )
    np.testing.assert_array_equal(call([1.0], 5).numpy(), np.ones(8))
    np.testing.assert_array_equal(call([1.0, 2.0], 3).numpy(), [1, 2, 1, 2])


def test_sizes_in_branches():
    value = st.cond(n > 3, lambda: st.ones((n,)).sum(), lambda: st.arange(n + 1.0).sum())
    call = st.function([n], value)
    assert [float(call(number)) for number in (2, 3, 4, 9)] == [3, 6, 4, 9]
    assert len(call.compiles) == 4 and {own.kind for own in st.explain(call, 2).steps} == {"kernel"}


def test_variables_decide_too():
    place = st.Variable(np.int64(0), "place")
    first = (place + n) * 5
    call = st.function([n], st.Variable(X, "data")[first : first + 5].sum(), updates={place: (place + 1) % 5})
    found = [float(call(0)) for _ in range(7)]
    expected = [X[5 * p : 5 * p + 5].sum() for p in (0, 1, 2, 3, 4, 0, 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert len(call.compiles) == 2


@pytest.mark.parametrize(
    ("result", "value"), [(lambda: x.reshape((n,)), 7), (lambda: x.reshape((n, -1)), 5), (lambda: x[n], 40)]
)
def test_errors_are_those_of_the_reference(result, value):
    call = st.function([x, n], result(), allow_unused=True)
    for _ in range(2):
        with pytest.raises(SeptetError) as wanted:
            by_reference(call, X, value)
        with pytest.raises(SeptetError) as caught:
            call(X, value)
        assert type(caught.value) is type(wanted.value) and str(caught.value) == str(wanted.value)
    call(X, 23 * 4 if value == 7 else 1)


def test_blocks_that_do_not_fit():
    call = st.function([n, m], st.dynamic_slice(st.Variable(X, "data"), (n, 0), (m, 2)))
    np.testing.assert_array_equal(call(-3, 2).numpy(), X[20:22, :2])
    with pytest.raises(IndexOutOfRangeError, match="a slice of 4 from 20 leaves axis 0 with size 23"):
        call(20, 4)


def test_numbers_beyond_their_dtype():
    """NumPy's integers start again from below: so do those that decide sizes."""
    call = st.function([m], st.Variable(X[:, 0], "line")[m * 65536 :].sum())
    for value in (0, 32768, 65536, -32768):
        agree(call, value)


def test_what_is_data_decides_in_the_interpreter():
    call = st.function([x, n], st.exp(x[x[:, 0] > 0][:n]).sum())
    for given in ((X, 2), (-X, 3), (X, 3)):
        agree(call, *given)
    assert [own.how for own in call.compiles] == ["interpreted: sizes in this graph depend on values"]
    reasons = {own.reason for own in st.explain(call, X, 2).steps}
    assert reasons == {"sizes in this graph depend on values"}


def test_many_sizes(monkeypatch):
    monkeypatch.setattr(sized, "EAGER", 3)
    monkeypatch.setattr(sized, "MOST", 5)
    monkeypatch.setattr(sized, "IDLE", 4)
    call = st.function([n], st.arange(n).sum())
    total = sum

    def count(*values):
        for value in values:
            assert int(call(value)) == total(range(value))
        return len(call.compiles)

    assert count(1, 2, 3) == 3
    assert count(4, 5, 4) == 4  # 4 came again
    assert count(4, 5) == 5
    assert count(6, 6) == 5  # there is no room: all were used a moment ago
    assert count(5, 5, 5, 5, 6) == 6
    assert len(call._program._leaves) == 5
    assert count(1) == 6  # it has made room


def test_compiled_functions_with_integers():
    data = st.tensor(X)
    call = st.compile(lambda i: st.exp(data[i * 5 : (i + 1) * 5]).sum())
    for number in (0, 4, 1):
        found = float(call(st.tensor(number)))
        assert found == pytest.approx(np.exp(X[number * 5 : (number + 1) * 5]).sum(), rel=1e-5)
    first, last = call.compiles
    assert first.reason == "first call" and first.kernels > 0 and last.reason.endswith(": 5 -> 3")
    assert {own.kind for own in st.explain(call, st.tensor(1)).steps} == {"kernel"}


def test_looking_at_a_call():
    call = batches()
    found = st.explain(call, 1)
    assert [own.name for own in found.passes][:3] == ["given", "sizes", "control_flow"]
    assert {own.kind for own in found.steps} == {"kernel"}
    assert call.memory(4).outputs == 16
    with pytest.raises(ArgumentError, match="a value that is not known: that of n"):
        call.memory()
    assert len(call.compiles) == 2
    with st.profile() as found:
        call(2)
    assert "tanh" in str(found) and "node" not in str(found)


def test_results_of_callbacks_whose_sizes_are_tensors():
    w = st.Variable(np.eye(4, dtype=np.float32), "w")
    half = x.shape[0] // 2
    noise = st.callback(lambda a: a[::2][: len(a) // 2] * 2, ("float32", (half, 4)), x * 1.5, gradient=lambda g, a: a)
    total = (noise @ w).sum(axis=0)
    call = st.function([x], total + st.grad(total.sum(), w)[0])
    for rows in (6, 4):
        agree(call, X[:rows])
    assert len(call.compiles) == 2
    assert [own.name for own in st.explain(call, X[:6]).steps if own.kind == "python"] == ["callback"]
    drawn = st.callback(lambda count: np.ones((3, 2), np.float32), ("float32", (n, m)), n)
    call = st.function([n, m], drawn * 2)
    np.testing.assert_array_equal(call(3, 2).numpy(), np.full((3, 2), 2))
    with pytest.raises(UserFunctionError, match=r"is float32\[3, 2\], declared was float32\[4, 2\]"):
        call(4, 2)


def test_batches_of_callbacks_with_sizes():
    def twice(a, count):
        return st.callback(lambda own: own * 2, ("float32", (count, 4)), a, vectorized=True)

    call = st.function([x, n], st.vmap(lambda a: twice(a, n), in_axes=0)(x.reshape((2, n, 4))))
    np.testing.assert_array_equal(call(X[:6], 3).numpy(), 2 * X[:6].reshape(2, 3, 4))
