"""What all optimizers share."""

import numpy as np
import pytest

import septet as st
from septet import nn, optim
from septet.run import eager


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
        (lambda: optim.SGD([st.Variable(1.0)], -1), "learning_rate must be a number of at least 0, got -1"),
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
    with pytest.raises(st.errors.ArgumentError, match=r"names or shapes differ: 0\.mean"):
        other.load_state_dict({k: v for k, v in optimizer.state_dict().items() if k != "0.mean"})


def test_half_precision_parameters_stay_so():
    p = st.Variable(np.ones(3, np.float16), "p")
    optimizer = optim.AdamW([p], 0.1)
    (p * p).sum().backward()
    optimizer.step()
    assert p.dtype == np.float16 and np.allclose(p.value, 0.899, atol=2e-3)
