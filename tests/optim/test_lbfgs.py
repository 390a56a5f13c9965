"""L-BFGS and its line search."""

import numpy as np
import pytest
import scipy.optimize

import septet as st
from septet import optim
from septet.optim.line_search import Point, strong_wolfe


def test_rosenbrock_takes_about_as_many_evaluations_as_scipy():
    start = np.array([-1.2, 1.0, -1.2, 1.0, 0.5])
    x = st.Variable(start, "x")
    optimizer = optim.LBFGS([x], iterations=100, tolerance=1e-9)
    loss = optimizer.step(lambda: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())
    known = scipy.optimize.minimize(
        scipy.optimize.rosen, start, jac=scipy.optimize.rosen_der, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 0}
    )
    assert float(loss) == pytest.approx(scipy.optimize.rosen(start))
    assert np.allclose(x.value, 1, atol=1e-8) and optimizer.evaluations < 1.5 * known.nfev


def test_a_model_reaches_the_solution_of_least_squares():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(30, 4)), rng.normal(size=30)
    w, b = st.Variable(np.zeros(4), "w"), st.Variable(np.float64(0), "b")
    optimizer = optim.LBFGS([w, b])
    optimizer.step(lambda: ((st.tensor(inputs) @ w + b - st.tensor(targets)) ** 2).mean())
    known = np.linalg.lstsq(np.c_[inputs, np.ones(30)], targets, rcond=None)[0]
    assert np.allclose([*w.value, b.value], known, atol=1e-6)


def test_a_saved_optimizer_goes_on_where_it_stopped():
    def make():
        x = st.Variable([-1.5, 2.0], "x", dtype=np.float64)
        return x, optim.LBFGS([x], iterations=3), lambda: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    x, optimizer, loss = make()
    optimizer.step(loss)
    twin, other, same = make()
    twin.assign(x.value)
    other.load_state_dict(optimizer.state_dict())
    optimizer.step(loss), other.step(same)
    assert np.array_equal(x.value, twin.value) and other.steps == 2


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 30.0])
def test_the_line_search_ends_where_the_conditions_hold(first):
    """On the function of Moré and Thuente, 1994, equation 5.1, with a minimum at 1.4, and one with kinks of slope."""
    for value, slope in (
        (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
        (lambda t: np.cosh(t - 3) - 5 * np.cos(t), lambda t: np.sinh(t - 3) + 5 * np.sin(t)),
    ):
        start = Point(0.0, value(0.0), slope(0.0), None)
        found, _ = strong_wolfe(
            lambda t, value=value, slope=slope: Point(t, value(t), slope(t), None), start, first, curvature=0.1
        )
        assert found.value <= start.value + 1e-4 * found.distance * start.slope
        assert abs(found.slope) <= 0.1 * abs(start.slope)


def test_mistakes_are_named():
    x = st.Variable([1.0], "x")
    with pytest.raises(st.errors.ArgumentError, match="takes a function that computes the loss"):
        optim.LBFGS([x]).step()
    with pytest.raises(st.errors.GradientError):
        optim.LBFGS([x]).step(lambda: st.Variable(2.0) * 3)
    with pytest.raises(st.errors.ArgumentError, match="learning_rate is a number"):
        optim.LBFGS([x], optim.schedules.Step(1.0, 2))
