"""What all optimizers share."""

from pathlib import Path

import numpy as np
import pytest

import septet as st
from septet import nn, optim
from septet.run import eager

GOLDEN = Path(__file__).with_name("golden.npz")


def test_gradients_are_forgotten_and_everything_is_computed_at_once():
    p, q = st.Variable([1.0, 2.0], "p"), st.Variable([3.0], "q")
    optimizer = optim.Adam([p, q])
    loss = (p * p).sum()
    loss.backward()
    optimizer.step()
    assert p.grad is None and loss.node.value is not None and p._leaf.value is not None
    assert q.value.tolist() == [3.0] and optimizer.steps == 1


def test_a_step_keeps_new_values_and_the_loss_and_no_gradients(monkeypatch):
    """Nobody holds gradients when the new values are computed, so that they need no memory of their own."""
    kept = []
    run = eager.tiers.run

    def watched(targets, nodes, own, replaced):
        kept.extend(own)
        return run(targets, nodes, own, replaced)

    model = nn.Sequential(nn.Dense(4), nn.ReLU(), nn.Dense(3))
    model.build_for(np.ones((5, 2), np.float32))
    optimizer = optim.SGD(model.parameters(), 0.1)
    st.evaluate(*model.parameters())
    loss = nn.losses.cross_entropy(model(np.ones((5, 2), np.float32)), np.array([0, 1, 2, 0, 1]))
    loss.backward()
    monkeypatch.setattr(eager.tiers, "run", watched)
    optimizer.step()
    own = {parameter._leaf for parameter in (*model.parameters(), optimizer._steps)}
    assert set(kept) == own | {loss.node}


def test_the_learning_rate_may_change_in_a_compiled_step():
    p = st.Variable(np.float64(0.0), "p")
    optimizer = optim.SGD([p], 0.5)

    @st.compile
    def step():
        (p * 3.0).backward()
        optimizer.step()

    step()
    optimizer.learning_rate = 0.25
    step()
    assert float(p) == -1.5 - 0.75 and len(step.compiles) == 1


def test_a_module_may_be_given_before_its_first_input():
    model = nn.Dense(2)
    for optimizer in (optim.SGD(model), optim.SGD(model.parameters())):
        model(st.ones((1, 3))).sum().backward()
        optimizer.step()
        assert len(optimizer.parameters) == 2


def test_a_step_without_gradients_is_an_error():
    optimizer = optim.Adam([st.Variable([1.0])])
    with pytest.raises(st.errors.GradientError, match="none of 1 parameters has a gradient"):
        optimizer.step()
    with pytest.raises(st.errors.GradientError, match="must be a real scalar"):
        optimizer.updates(st.ones((2,)))
    with pytest.raises(st.errors.GradientError, match="depends on none of the 1 parameters"):
        optimizer.updates((st.Variable([2.0]) * 2).sum())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: optim.SGD([]), "got 'none'"),
        (lambda: optim.SGD([st.ones(3)]), "takes variables"),
        (
            lambda: optim.SGD([st.Variable(1.0)], -1),
            "learning_rate must be a number of at least 0, a schedule or .* got -1",
        ),
        (lambda: optim.Adam([st.Variable(1.0)], beta1=1), "beta1 must be a number of at least 0 and below 1, got 1"),
        (lambda: optim.SGD([st.Variable(1.0)], nesterov=True), "needs a momentum"),
        (lambda: optim.by_name("adma"), r"'adma' does not exist. Did you mean 'adam'\?"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises(st.errors.ArgumentError, match=text):
        make()


def test_a_variable_given_twice_is_refused():
    p = st.Variable(1.0)
    with pytest.raises(st.errors.ArgumentError, match="twice"):
        optim.SGD([p, p])


def test_a_saved_optimizer_goes_on_where_it_stopped():
    def make():
        p = st.Variable(np.array([1.0, -2.0]), "p")
        return p, optim.Adam([p], 0.1)

    def step(p, optimizer):
        (p**2).sum().backward()
        optimizer.step()

    p, optimizer = make()
    for _ in range(3):
        step(p, optimizer)
    twin, other = make()
    twin.assign(p.numpy())
    other.load_state_dict(optimizer.state_dict())
    step(p, optimizer), step(twin, other)
    assert np.array_equal(p.value, twin.value) and other.steps == 4
    with pytest.raises(st.errors.ArgumentError, match=r"names or shapes differ: p\.mean"):
        other.load_state_dict({k: v for k, v in optimizer.state_dict().items() if k != "p.mean"})


def test_half_precision_parameters_stay_so():
    p = st.Variable(np.ones(3, np.float16), "p")
    optimizer = optim.AdamW([p], 0.1)
    (p * p).sum().backward()
    optimizer.step()
    assert p.dtype == np.float16 and np.allclose(p.value, 0.899, atol=2e-3)


def test_groups_have_rates_and_decays_of_their_own():
    model = nn.Sequential(nn.Dense(2), nn.Dense(2))
    model.build_for(np.ones((1, 2), np.float32))
    groups = [optim.Group(role="bias", scale=10.0, weight_decay=0), optim.Group(path="1.*", learning_rate=0.5)]
    optimizer = optim.SGD(model, 0.01, weight_decay=0.1, is_decoupled=True, groups=groups)
    before = model.state_dict()
    (sum(p.sum() for p in model.parameters())).backward()
    optimizer.step()
    for name, rate, decay in (("0.kernel", 0.01, 0.1), ("0.bias", 0.1, 0), ("1.kernel", 0.5, 0.1), ("1.bias", 0.1, 0)):
        expected = before[name] - rate * decay * before[name] - rate
        assert np.allclose(model.state_dict()[name], expected, rtol=1e-6), name
    with pytest.raises(st.errors.ArgumentError, match=r"selects none of 4 parameters: 0.kernel"):
        bad = optim.SGD(model, 0.01, groups=optim.Group(path="2.*"))
        (sum(p.sum() for p in model.parameters())).backward()
        bad.step()
    with pytest.raises(st.errors.ArgumentError, match="no filter"):
        optim.Group(learning_rate=1.0)


def test_a_predicate_makes_a_group_and_changes_of_settings_reach_compiled_steps():
    p, q = st.Variable([1.0], "p"), st.Variable([1.0, 1.0], "q")
    group = optim.Group(where=lambda v: v.shape == (2,), learning_rate=optim.schedules.Step(0.5, 1, 0.5))
    optimizer = optim.SGD([p, q], 0.25, groups=group)

    @st.compile
    def step():
        (p.sum() + q.sum()).backward()
        optimizer.step()

    step(), step()
    assert p.tolist() == [0.5] and q.tolist() == [0.25, 0.25] and len(step.compiles) == 1
    optimizer.weight_decay = 1.0
    step()
    assert p.tolist() == [0.125] and "SGD.weight_decay: 0.0 -> 1.0" in step.compiles[1].reason
    optimizer.weight_decay, optimizer.learning_rate = 0.0, 0.125
    step()
    optimizer.learning_rate = optim.schedules.Constant(0.0)
    step()
    assert p.tolist() == [0.0] and len(step.compiles) == 2
    twin = optim.SGD([p, q], 0.25, groups=group)
    twin.load_state_dict(optimizer.state_dict())
    assert twin.steps == 5 and twin.state_dict()["group 0.learning_rate"] == 0.5**5


def test_clipping_against_known_values():
    golden = np.load(GOLDEN)["clipped"]  # which divides by the norm plus 1e-6
    gradients = [st.tensor([3.0, -4.0]), st.tensor([[12.0]])]
    found = optim.clip_by_global_norm(gradients, 2.0)
    assert np.allclose(np.concatenate([g.numpy().ravel() for g in found]), golden, rtol=1e-6)
    assert [g.tolist() for g in optim.clip_by_value(gradients, 3.5)] == [[3.0, -3.5], [[3.5]]]
    assert np.allclose(optim.clip_by_norm(gradients, 1.0)[0].numpy(), [0.6, -0.8])
    assert optim.clip_by_norm(gradients, 100.0)[1].tolist() == [[12.0]]
    p = st.Variable([0.0, 0.0], "p")
    for words, expected in (
        ({"clip_value": 1}, [-1, -1]),
        ({"clip_norm": 1}, [-0.6, -0.8]),
        ({"clip_global_norm": 2.5}, [-1.5, -2]),
    ):
        p.assign([0, 0])
        (p * st.tensor([3.0, 4.0])).sum().backward()
        optim.SGD([p], 1.0, **words).step()
        assert np.allclose(p.value, expected)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_accumulated_gradients_make_the_step_of_the_whole_batch(is_compiled):
    """Three parts of a batch, a step; the averages of the parameters move only then."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12, 3)), rng.normal(size=(2, 12))
    whole, parts = (st.Variable(np.ones(3), "w") for _ in range(2))
    one = optim.Adam([whole], optim.schedules.Exponential(0.1, 0.5), clip_global_norm=0.5, average=0.9)
    many = optim.Adam([parts], optim.schedules.Exponential(0.1, 0.5), clip_global_norm=0.5, average=0.9, accumulate=3)

    def make(w, optimizer):
        def step(x, y):
            ((x @ w - y) ** 2).mean().backward()
            optimizer.step()

        return st.compile(step) if is_compiled else step

    step, part = make(whole, one), make(parts, many)
    for batch in range(2):
        step(st.tensor(x[batch]), st.tensor(y[batch]))
        for start in (0, 4, 8):
            before = parts.value
            part(st.tensor(x[batch, start : start + 4]), st.tensor(y[batch, start : start + 4]))
            assert (start == 8) != np.array_equal(before, parts.value)
        assert np.allclose(whole.value, parts.value, rtol=1e-12) and one.steps == many.steps == batch + 1
    with one.averaged(), many.averaged():
        assert np.allclose(whole.value, parts.value, rtol=1e-12) and not np.allclose(whole.value, 1)
        averaged = whole.value
    assert not np.array_equal(whole.value, averaged)
    if is_compiled:
        assert len(part.compiles) == 1


def test_moving_averages_are_those_of_numpy():
    p = st.Variable(np.array([1.0, 2.0]), "p")
    optimizer = optim.SGD([p], 0.1, average=0.8)
    expected = p.numpy()
    for _ in range(4):
        (p**2).sum().backward()
        optimizer.step()
        expected = expected * 0.8 + p.numpy() * 0.2
    now = p.numpy()
    with optimizer.averaged():
        assert np.allclose(p.value, expected, rtol=1e-14)
    assert np.array_equal(p.value, now)
    with pytest.raises(st.errors.ArgumentError, match="no moving average"):
        optim.SGD([p], 0.1).swap_average()


def test_parameters_that_had_no_gradient_load_as_such():
    p, q = st.Variable([1.0], "p"), st.Variable([1.0], "q")
    optimizer = optim.Adam([p, q])
    p.sum().backward()
    optimizer.step()
    assert "p.mean" in optimizer.state_dict() and "q.mean" not in optimizer.state_dict()
    twin = optim.Adam([p, q])
    twin.load_state_dict(optimizer.state_dict())
    assert np.array_equal(twin.state_dict()["p.mean"], optimizer.state_dict()["p.mean"])
