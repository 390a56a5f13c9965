"""Every rule against plain NumPy in float64, for 10 steps, in all three styles."""

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
}  # fmt: skip


def run(style, cls, words):
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
    for _ in range(10):
        step()
        path.append(p.numpy())
    assert optimizer.steps == 10
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
