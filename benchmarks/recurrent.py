"""The LSTM of the layer library, beside the loop that the peer benchmark writes by hand.

    python benchmarks/recurrent.py [ROUNDS]

One training step of two layers, in turns; processor time is what a busy machine disturbs least.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import septet as st
from septet import nn

CHARACTERS, SIZE, UNITS, BATCH, STEPS = 65, 256, 512, 32, 64


def by_hand(random: np.random.Generator) -> tuple[Callable[..., Any], list[st.Variable]]:
    """Return the loss as `peer_adapter.py` writes it, and its parameters."""

    def draw(*shape: int) -> st.Variable:
        return st.Variable((random.standard_normal(shape) * 0.05).astype(np.float32))

    table, layers = draw(CHARACTERS, SIZE), []
    for inputs in (SIZE, UNITS):
        layers.append((draw(inputs, 4 * UNITS), draw(UNITS, 4 * UNITS), draw(4 * UNITS)))
    out, bias = draw(UNITS, CHARACTERS), draw(CHARACTERS)

    def loss(x: Any, y: Any) -> Any:
        h = st.take(table, x.T, axis=0)  # (T, B, H)
        for kernel, recurrent, gate_bias in layers:

            def cell(state: Any, z: Any, recurrent: Any = recurrent) -> Any:
                h, c = state
                z = z + h @ recurrent
                i, f, g, o = (z[:, n * UNITS : (n + 1) * UNITS] for n in range(4))
                c = st.sigmoid(f) * c + st.sigmoid(i) * st.tanh(g)
                h = st.sigmoid(o) * st.tanh(c)
                return (h, c), h

            zero = st.zeros((h.shape[1], UNITS))
            _, h = st.scan(cell, (zero, zero), h @ kernel + gate_bias)
        return nn.losses.cross_entropy(h @ out + bias, y.T)

    return loss, [table, *[part for layer in layers for part in layer], out, bias]


def of_layers(x: Any) -> tuple[Callable[..., Any], list[st.Variable]]:
    """Return the loss made of layers, and its parameters."""
    model = nn.Sequential(
        nn.Embedding(CHARACTERS, SIZE), nn.LSTM(UNITS, 2, return_sequences=True), nn.Dense(CHARACTERS)
    ).build_for(x)  # fmt: skip
    return lambda x, y: nn.losses.cross_entropy(model(x), y), list(model.parameters())


def main(rounds: int) -> None:
    """Print a row for each style."""
    random = np.random.default_rng(0)
    x, y = (st.asarray(random.integers(0, CHARACTERS, (BATCH, STEPS))) for _ in range(2))
    print("style            by hand, ms   layers, ms   ratio   (processor time of all threads)")
    for style in ("compiled", "define by run"):
        calls = []
        for loss, parameters in (by_hand(random), of_layers(x)):
            optimizer = st.optim.Adam(parameters, learning_rate=1e-3)

            def update(x: Any, y: Any, loss: Any = loss, optimizer: Any = optimizer) -> Any:
                cost = loss(x, y)
                cost.backward()
                optimizer.step()
                return cost

            calls.append(st.compile(update) if style == "compiled" else update)
            for _ in range(6):  # until define-by-run code is compiled
                st.evaluate(calls[-1](x, y))
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            for call, own in zip(calls, times, strict=True):
                start = time.process_time()
                st.evaluate(call(x, y))
                own.append(1e3 * (time.process_time() - start))
        hand, layers = map(min, times)
        print(f"{style:16}{hand:12.1f}{layers:13.1f}{layers / hand:8.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
