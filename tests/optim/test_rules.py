"""Every rule against plain NumPy in float64, for 10 steps, in all three styles."""

from pathlib import Path

import numpy as np
import pytest

import septet as st
from septet import optim

TARGET = np.array([[1.0, -2.0, 0.5], [3.0, 0.1, -1.0]])


def gradient(p):
    return np.cos(p) + 2 * (p - TARGET)


def loss_of(p):
    return p.sin().sum() + ((p - TARGET) ** 2).sum()


def sgd(p, g, s, t, momentum=0.0, nesterov=False, decay=0.0):
    g = g + decay * p
    if not momentum:
        return p - 0.05 * g
    s["v"] = momentum * s.get("v", 0) + g
    return p - 0.05 * (g + momentum * s["v"] if nesterov else s["v"])


def adam(p, g, s, t, decay=0.0, decoupled=0.0):
    p = p * (1 - 0.05 * decoupled)
    g = g + decay * p
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    return p - 0.05 * (s["m"] / (1 - 0.9**t)) / (np.sqrt(s["v"] / (1 - 0.99**t)) + 1e-8)


def rmsprop(p, g, s, t, centered=False, momentum=0.0):
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    s["m"] = 0.99 * s.get("m", 0) + 0.01 * g
    d = g / (np.sqrt(s["v"] - (s["m"] ** 2 if centered else 0)) + 1e-8)
    s["b"] = momentum * s.get("b", 0) + d
    return p - 0.05 * s["b"]


def adagrad(p, g, s, t):
    s["v"] = s.get("v", 0.1) + g**2
    return p - 0.05 * g / (np.sqrt(s["v"]) + 1e-10)


def adadelta(p, g, s, t):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g**2
    d = g * np.sqrt(s.get("u", 0) + 1e-6) / np.sqrt(s["v"] + 1e-6)
    s["u"] = 0.9 * s.get("u", 0) + 0.1 * d**2
    return p - 0.05 * d


def lion(p, g, s, t, decay=0.0):
    p = p * (1 - 0.05 * decay)
    m = s.get("m", 0)
    s["m"] = 0.99 * m + 0.01 * g
    return p - 0.05 * np.sign(0.9 * m + 0.1 * g)


def lamb(p, g, s, t, decay=0.0):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    d = (s["m"] / (1 - 0.9**t)) / (np.sqrt(s["v"] / (1 - 0.99**t)) + 1e-6) + decay * p
    return p - 0.05 * np.linalg.norm(p) / np.linalg.norm(d) * d


RULES = {
    "sgd": (optim.SGD, {}, sgd, {}),
    "decay": (optim.SGD, {"weight_decay": 0.3}, sgd, {"decay": 0.3}),
    "momentum": (optim.SGD, {"momentum": 0.9}, sgd, {"momentum": 0.9}),
    "nesterov": (optim.SGD, {"momentum": 0.8, "nesterov": True}, sgd, {"momentum": 0.8, "nesterov": True}),
    "adam": (optim.Adam, {"beta2": 0.99}, adam, {}),
    "adam decay": (optim.Adam, {"beta2": 0.99, "weight_decay": 0.2}, adam, {"decay": 0.2}),
    "adamw": (optim.AdamW, {"beta2": 0.99, "weight_decay": 0.2}, adam, {"decoupled": 0.2}),
    "rmsprop": (optim.RMSprop, {}, rmsprop, {}),
    "rmsprop all": (
        optim.RMSprop, {"momentum": 0.5, "centered": True}, rmsprop, {"momentum": 0.5, "centered": True},
    ),
    "adagrad": (optim.Adagrad, {"first_sum": 0.1}, adagrad, {}),
    "adadelta": (optim.Adadelta, {}, adadelta, {}),
    "lion": (optim.Lion, {"weight_decay": 0.3}, lion, {"decay": 0.3}),
    "lamb": (optim.LAMB, {"beta2": 0.99, "weight_decay": 0.3}, lamb, {"decay": 0.3}),
}  # fmt: skip


GOLDEN = np.load(Path(__file__).with_name("golden.npz"))  # PyTorch's, see make_golden.py
PYTORCH = {
    "adamw": (optim.AdamW, {"weight_decay": 0.2}),
    "amsgrad": (optim.Adam, {"beta2": 0.99, "amsgrad": True}),
    "adamax": (optim.Adamax, {"weight_decay": 0.1}),
    "nadam": (optim.Nadam, {"beta2": 0.99}),
    "adafactor": (optim.Adafactor, {"weight_decay": 0.1}),
    "rprop": (optim.Rprop, {}),
    "asgd": (optim.ASGD, {"start": 4, "decay": 0.01}),
}


def run(style, cls, words, steps=10):
    p = st.Variable(np.full(TARGET.shape, 0.7), "p")
    optimizer = cls([p], learning_rate=0.05, **words)

    def step():
        loss_of(p).backward()
        optimizer.step()

    if style == "compiled":
        step = st.compile(step)
    elif style == "symbolic":
        step = st.function([], [], updates=optimizer.updates(loss_of(p)))
    path = []
    for _ in range(steps):
        step()
        path.append(p.numpy())
    assert optimizer.steps == steps
    if style == "compiled":
        assert len(step.compiles) == 1
    return np.array(path)


@pytest.mark.parametrize("style", ["define-by-run", "compiled", "symbolic"])
@pytest.mark.parametrize("rule", RULES)
def test_ten_steps(rule, style):
    cls, words, reference, reference_words = RULES[rule]
    p, state, expected = np.full(TARGET.shape, 0.7), {}, []
    for t in range(1, 11):
        p = reference(p, gradient(p), state, t, **reference_words)
        expected.append(p)
    assert np.allclose(run(style, cls, words), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("style", ["define-by-run", "compiled"])
@pytest.mark.parametrize("rule", PYTORCH)
def test_twelve_steps_of_pytorch(rule, style):
    assert np.allclose(run(style, *PYTORCH[rule], 12), GOLDEN[f"optimizer {rule}"], rtol=1e-9, atol=1e-12)


def test_lamb_moves_a_parameter_that_is_zero():
    p = st.Variable(np.zeros(2), "p")
    (p * st.tensor([1.0, 2.0])).sum().backward()
    optim.LAMB([p], 0.1).step()
    assert np.allclose(p.value, [-0.1, -0.1], atol=1e-6)
