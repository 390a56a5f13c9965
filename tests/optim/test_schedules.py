"""Schedules against PyTorch's, formulas in NumPy, and their boundaries; the same in compiled steps."""

from pathlib import Path

import numpy as np
import pytest

import septet as st
from septet import optim
from septet.optim import schedules as s

GOLDEN = np.load(Path(__file__).with_name("golden.npz"))  # PyTorch's, see make_golden.py
PYTORCH = {
    "step": s.Step(0.1, 7, 0.3),
    "multi_step": s.MultiStep(0.1, [4, 20], 0.3),
    "exponential": s.Exponential(0.1, 0.9),
    "polynomial": s.Polynomial(0.1, 30, power=2),
    "cosine": s.Cosine(0.1, 40, 0.01),
    "restarts": s.CosineRestarts(0.1, 5, 2, end=0.01),
    "one_cycle": s.OneCycle(0.1, 40),
}
HALVED = s.Step(1.0, 1, 0.5)
OTHERS = {
    "constant": (s.Constant(0.2), lambda t: 0.2),
    "line": (s.Polynomial(0.2, 10, end=0.1), lambda t: 0.2 - 0.01 * min(t, 10)),
    "warm": (s.Warmup(4, s.Step(0.4, 3, 0.5)), lambda t: 0.1 * (t + 1) if t < 4 else 0.4 * 0.5 ** ((t - 4) // 3)),
    "warm from half": (s.Warmup(4, 0.4, start=0.5), lambda t: min(0.2 + 0.05 * (t + 1), 0.4)),
    "chain": (s.Chain((0.1, 3), (HALVED, 4), 0.2), lambda t: 0.5 ** (t - 3) if 2 < t < 7 else 0.1 + 0.1 * (t > 6)),
    "restarts": (s.CosineRestarts(1.0, 4, shrink=0.5), lambda t: 0.5 ** (t // 4) * np.cos(np.pi * (t % 4) / 8) ** 2),
    "function": (s.Function(lambda t: 0.1 / (1 + t)), lambda t: 0.1 / (1 + t)),
    "scaled": (0.5 * s.Constant(0.2), lambda t: 0.1),
}  # fmt: skip


def compiled(schedule, steps):
    """The rates that a compiled step takes."""
    p = st.Variable(np.float64(0), "p")
    optimizer = optim.SGD([p], schedule)

    @st.compile
    def step():
        p.sum().backward()
        optimizer.step()

    rates = []
    for _ in range(steps):
        before = float(p)
        step()
        rates.append(before - float(p))
    assert len(step.compiles) == 1 and optimizer.learning_rate == pytest.approx(rates[-1], abs=1e-15)
    return rates


@pytest.mark.parametrize("name", PYTORCH)
def test_forty_steps_of_pytorch(name):
    expected = GOLDEN[f"schedule {name}"]
    assert np.allclose([PYTORCH[name](t) for t in range(40)], expected, rtol=1e-12, atol=1e-15)
    assert np.allclose(compiled(PYTORCH[name], 40), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OTHERS)
def test_formulas(name):
    schedule, formula = OTHERS[name]
    expected = [formula(t) for t in range(12)]
    assert np.allclose([schedule(t) for t in range(12)], expected, rtol=1e-12)
    assert np.allclose(compiled(schedule, 12), expected, rtol=1e-9)


def test_restarts_begin_exactly_where_they_should():
    """Where the logarithm of a growth of 3 or 1.5 is rounded, too."""
    schedule, start = s.CosineRestarts(1.0, 7, 3), 0
    for number in range(12):
        assert (schedule(start) == 1.0 and schedule(max(start - 1, 0)) < 0.2) or start == 0
        start += 7 * 3**number


def test_a_plateau_lowers_the_rate_of_a_compiled_step_and_is_saved():
    p = st.Variable(np.float64(0), "p")
    plateau = s.Plateau(1.0, 0.5, patience=1, least=0.3)
    optimizer = optim.SGD([p], s.Warmup(2, plateau))

    @st.compile
    def step():
        p.sum().backward()
        optimizer.step()

    rates = []
    for loss in (3, 2, 2.5, 2.5, 1, 1, 1, 1, 1):
        step()
        rates.append(optimizer.learning_rate)
        plateau.observe(loss)
    assert rates == [0.5, 1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3] and len(step.compiles) == 1
    twin = optim.SGD([p], s.Warmup(2, s.Plateau(1.0, 0.5, patience=1, least=0.3)))
    twin.load_state_dict(optimizer.state_dict())
    assert twin.schedules[0].then(0) == 0.3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: s.Step(0.1, 0), "every must be a number above 0, got 0"),
        (lambda: s.Cosine(-1, 5), "rate must be a number above 0, got -1"),
        (lambda: s.Chain(0.1, 0.2), "only the last one may lack its steps"),
        (lambda: s.OneCycle(0.1, 10, warm=1.0), "must leave steps"),
        (lambda: s.Plateau(0.1, factor=2), "factor must be below 1"),
        (lambda: s.Warmup(5, "fast"), "a schedule or a function of the step, got 'fast'"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises(st.errors.ArgumentError, match=text):
        make()
