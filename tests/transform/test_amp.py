"""Mixed precision: products of rounded operands, everything else in float32, in every style."""

import numpy as np
import pytest

import septet as st
from septet import nn, optim
from septet.base import dtypes
from septet.graph.graph import Graph
from septet.graph.op import CONTRACTION, Op
from septet.transform.amp import lower

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 5)).astype(np.float32), np.arange(8) % 3


def short(array, dtype=dtypes.bfloat16):
    """Round as bfloat16 does, with NumPy."""
    return np.asarray(array).astype(dtype).astype(np.float32)


def contractions(graph):
    """The nodes that multiply, also in the bodies of loops."""
    found = [node for node in graph.nodes if isinstance(node.op, Op) and node.op.kind == CONTRACTION]
    inner = [param for node in graph.nodes for param in node.params if isinstance(param, Graph)]
    return found + [node for each in inner for node in contractions(each)]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_products_are_those_of_rounded_operands(dtype):
    w = RNG.normal(size=(5, 3)).astype(np.float32)
    kind = dtypes.as_dtype(dtype)
    expected = short(short(X, kind) @ short(w, kind), kind) + 0.1234567
    f = st.amp(lambda x: x @ st.tensor(w) + 0.1234567, dtype=dtype)
    assert np.allclose(f(st.tensor(X)).numpy(), expected, rtol=0, atol=1e-7)
    assert np.allclose(st.compile(f)(X).numpy(), expected, rtol=0, atol=1e-7)
    assert f(st.tensor(X)).dtype == np.float32


def test_convolutions_and_gradients_go_the_same_way():
    x, k = RNG.normal(size=(2, 3, 6, 6)).astype(np.float32), RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
    kernel = st.Variable(k, "kernel")
    loss = st.amp(lambda x: (st.conv(x, kernel) ** 2).sum())(st.tensor(x))
    loss.backward()
    y = st.conv(st.tensor(short(x)), st.tensor(short(k))).numpy()
    assert float(loss) == pytest.approx((short(y) ** 2).sum(), rel=1e-5)
    cotangent = st.tensor(short(2 * short(y)))
    expected = st.vjp(lambda k: st.conv(st.tensor(short(x)), k), st.tensor(short(k)))[1](cotangent)
    expected = expected[0] if isinstance(expected, (tuple, list)) else expected
    assert np.allclose(kernel.grad.numpy(), short(expected.numpy()), rtol=2e-2, atol=0.2)


def train(wrap):
    st.random.seed(0)
    model = nn.Sequential(nn.Dense(6), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.5), nn.Dense(3))
    model.build_for(X)
    optimizer = optim.Adam(model, 0.1)

    def step(x, y):
        loss = nn.losses.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    losses = [float(step(st.tensor(X), st.tensor(Y))) for _ in range(3)]
    return losses, model.state_dict(), step


def test_a_whole_step_is_rewritten_updates_included_once():
    """Statistics and random states move once a step; parameters stay float32; every product is rounded."""
    losses, state, step = train(lambda step: st.compile(st.amp(step)))
    for wrap in (st.amp, lambda step: st.amp(st.compile(step))):
        other, found, _ = train(wrap)
        assert np.allclose(losses, other, rtol=1e-3)
        assert all(np.allclose(found[name], value, rtol=0.02, atol=0.02) for name, value in state.items())
    plain, exact, _ = train(st.compile)
    assert losses != plain and np.allclose(losses, plain, rtol=0.05) and exact.keys() == state.keys()
    assert all(value.dtype == np.float32 for value in state.values() if value.dtype.kind == "f")
    ((plan,),) = step._plans._plans.values()
    found = contractions(plan.graph)
    assert len(found) >= 5 and {node.dtype for node in found} == {np.dtype(dtypes.bfloat16)}


def test_gradients_left_by_backward_inside_are_there_outside():
    w = st.Variable(RNG.normal(size=(5, 3)).astype(np.float32), "w")
    st.amp(lambda x: (x @ w).sum().backward())(st.tensor(X))
    assert np.allclose(w.grad.numpy(), short(short(X).sum(0))[:, None].repeat(3, 1), rtol=1e-2, atol=1e-2)
    assert w.grad.dtype == np.float32


def test_bodies_of_loops_are_rewritten():
    w = st.tensor(RNG.normal(size=(5, 5)).astype(np.float32) / 5)

    def power(x):
        return st.fori_loop(0, 3, lambda i, y: y @ w, x)

    expected = X
    for _ in range(3):
        expected = short(short(expected) @ short(w.numpy()))
    assert np.allclose(st.compile(st.amp(power))(X).numpy(), expected, rtol=1e-2, atol=1e-4)


def test_what_is_not_float32_stays_and_effects_happen_once(capsys):
    x = st.tensor(RNG.normal(size=(3, 3)))
    f = st.amp(lambda x: st.print(x @ x, "product"))
    assert np.array_equal(f(x).numpy(), (x @ x).numpy())
    assert capsys.readouterr().out.count("product") == 1
    graph = Graph([], [(x @ x).node])
    assert {node.dtype for node in contractions(lower(graph))} == {np.dtype(np.float64)}
    with pytest.raises(st.errors.ArgumentError, match="'int8' is no short float; there are bfloat16, float16"):
        st.amp(lambda x: x, dtype="int8")
