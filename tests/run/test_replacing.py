"""New values of variables take the place of old ones that nobody can see any more, in define-by-run code too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import septet as st
from septet import optim
from septet.base.errors import GradientError

NATIVE = pytest.mark.skipif(st.config.backend != "cpu", reason="memory of the native backend")
STEPS = 8  # the program of a step is compiled by then
X = np.random.default_rng(1).normal(size=(4, 300)).astype(np.float32)


def variable() -> st.Variable:
    return st.Variable(np.random.default_rng(2).normal(size=(300, 5)).astype(np.float32), "w")


def loss_of(w: st.Variable) -> st.Tensor:
    return st.square(st.asarray(X) @ w).mean()


def place(w: st.Variable) -> int:
    return w.value.__array_interface__["data"][0]


@NATIVE
def test_a_step_writes_over_parameters_and_states() -> None:
    w = variable()
    optimizer = optim.Adam([w])
    places = []
    for _ in range(STEPS):
        loss_of(w).backward()
        optimizer.step()
        places.append((place(w), *[place(state) for state in optimizer._slots_of(w).values()]))
    assert places[-1] == places[-2]


def test_a_value_that_somebody_holds_stays() -> None:
    w = variable()
    optimizer = optim.SGD([w], 0.1)
    held = []
    for _ in range(STEPS):
        before = w.value
        held.append((before, before.copy()))
        loss_of(w).backward()
        optimizer.step()
    for value, copy in held:
        np.testing.assert_array_equal(value, copy)


@pytest.mark.parametrize("steps", [1, STEPS])
def test_gradients_that_were_taken_are_not_taken_again_after_a_step(steps: int) -> None:
    """As early as late: it does not depend on what is compiled by then."""
    w = variable()
    optimizer = optim.SGD([w], 0.1)
    for _ in range(steps):
        loss = loss_of(w)
        loss.backward()
        optimizer.step()
    float(loss)
    with pytest.raises(
        GradientError, match=r"variable 'w' had before it was changed(.|\n)*before the optimizer's step"
    ):
        loss.backward()
    loss = loss_of(w)
    loss.backward()
    first = w.grad.value.copy()
    loss.backward()  # no step between: gradients add up
    np.testing.assert_allclose(w.grad.value, 2 * first, rtol=1e-6)


def test_what_was_recorded_before_and_nobody_differentiated_is_right() -> None:
    w = variable()
    optimizer = optim.SGD([w], 0.1)
    for _ in range(STEPS):
        old = w.value.copy()
        other = loss_of(w)
        loss_of(w).backward()
        optimizer.step()
        np.testing.assert_allclose(float(other), np.square(X @ old).mean(), rtol=1e-5)
        w.zero_grad()
        other.backward()
        np.testing.assert_allclose(w.grad.value, X.T @ (X @ old) * (2 / 20), rtol=1e-3, atol=1e-4)
        w.zero_grad()


def test_a_new_value_may_be_made_from_what_is_differentiated_later() -> None:
    w = variable()
    for _ in range(STEPS):
        old = w.value.copy()
        size = st.square(w).sum()
        w.assign(w * (1 - 1e-4 * size))
        w.current()
        size.backward()
        np.testing.assert_allclose(w.grad.value, 2 * old, rtol=1e-6)
        w.zero_grad()


HOLDS = hs.sampled_from(["value", "tensor", "view", "scaled", "output", "loss", "other loss", "gradient", "nothing"])


@given(hs.lists(HOLDS, min_size=5, max_size=12), hs.booleans())
def test_whatever_is_held_is_what_it_was(holds: list[str], is_adam: bool) -> None:
    w = variable()
    optimizer = optim.Adam([w], 0.01) if is_adam else optim.SGD([w], 0.01, momentum=0.9)
    held: list[tuple[str, object, np.ndarray]] = []
    for what in holds:
        now = w.value.astype(np.float64)
        x = st.asarray(X)
        output = x @ w
        loss = st.square(output).mean()
        product = X.astype(np.float64) @ now
        if what == "value":
            held.append((what, w.value, now))
        elif what == "tensor":
            held.append((what, st.Tensor(w.node), now))
        elif what == "view":
            held.append((what, w.value[10:20], now[10:20]))
        elif what == "scaled":
            held.append((what, w * 2, 2 * now))
        elif what == "output":
            held.append((what, output, product))
        elif what == "loss":
            held.append((what, loss, np.square(product).mean()))
        elif what == "other loss":
            held.append((what, st.abs(output).mean(), np.abs(product).mean()))
        loss.backward()
        if what == "gradient":
            held.append((what, w.grad, X.T.astype(np.float64) @ product * (2 / 20)))
        del output, loss
        optimizer.step()
    for what, item, expected in held:
        np.testing.assert_allclose(np.asarray(item), expected, rtol=1e-3, atol=1e-4, err_msg=what)
