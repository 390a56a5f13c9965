"""Measure what the main loop costs beside the steps it makes, in processor time, on a network so small that it shows.

Usage: python benchmarks/training_loop.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import septet as st
from septet import nn
from septet.data import Batches, load_digits
from septet.train import Loop, Trainer

REPEATS = 30


def least(run: Callable[[], object], steps: int) -> float:
    """Return the least processor time of a step, in microseconds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1e6 * min(times) / steps


def main() -> None:
    """Print the times of a step: in a plain loop, and in the main loop."""
    st.config.threads = 1
    st.random.seed(0)
    trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Dense(32, "relu"), nn.Dense(10)))
    batches = Batches(load_digits(split="train"), batch_size=32, shuffle=True)
    trainer.model.train()

    def plain() -> None:
        for arrays in batches:
            float(trainer.train(*arrays)["loss"])

    def loop() -> None:
        model, optimizer = trainer.model, trainer.optimizer
        Loop(trainer.train, batches, model=model, optimizer=optimizer, metrics=trainer.metrics).run(1)

    found = {"plain loop": least(plain, len(batches)), "main loop": least(loop, len(batches))}
    print("; ".join(f"{name}: {value:.1f} us a step" for name, value in found.items()))


if __name__ == "__main__":
    main()
