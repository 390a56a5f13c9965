"""Time training steps with float32, and with products in bfloat16.

Usage: python benchmarks/mixed_precision.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import septet as st
from septet import nn, optim

RUNS = 15


def dense() -> nn.Module:
    """Two layers of 512 units."""
    return nn.Sequential(nn.Dense(512, "relu"), nn.Dense(512, "relu"), nn.Dense(10))


def convolutional() -> nn.Module:
    """Two convolutions, of 32 and 64 channels."""
    layers = [
        nn.Conv2D(32, 3, "relu", padding="same"), nn.MaxPool2D(2), nn.Conv2D(64, 3, "relu", padding="same"),
        nn.MaxPool2D(2), nn.Flatten(), nn.Dense(10),
    ]  # fmt: skip
    return nn.Sequential(*layers)


def step_time(make: Callable[[], nn.Module], inputs: Any, is_mixed: bool) -> float:
    """Return the least time of a compiled training step, in milliseconds."""
    st.random.seed(0)
    model = make()
    optimizer = optim.SGD(model, 0.01)
    labels = np.arange(len(inputs)) % 10

    def step(x: st.Tensor, y: st.Tensor) -> st.Tensor:
        loss = nn.losses.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = st.compile(st.amp(step) if is_mixed else step)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        float(compiled(inputs, labels))
        times.append(time.perf_counter() - start)
    return 1e3 * min(times[3:])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    for make, shape in ((dense, (128, 784)), (convolutional, (64, 3, 32, 32))):
        x = rng.random(shape, np.float32)
        times = [step_time(make, x, is_mixed) for is_mixed in (False, True)]
        print(f"{make.__name__}: float32 {times[0]:.2f} ms, mixed {times[1]:.2f} ms")
