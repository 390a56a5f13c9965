"""Training gives the same bits whatever the number of threads, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.threads import thread_count

STEPS = 3


def dense(numbers: np.random.Generator) -> tuple[Any, list[Any]]:
    """Dense layers with random masks, batch normalization, and rows that do not fill the last tile."""
    model = nn.Sequential(
        nn.Dense(300), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.3), nn.Dense(257), nn.GELU(), nn.Dense(10)
    )
    return model, [(numbers.standard_normal((203, 513)), numbers.integers(0, 10, 203)) for _ in range(STEPS)]


def images(numbers: np.random.Generator) -> tuple[Any, list[Any]]:
    """Convolutions, pooling, normalization over images."""
    model = nn.Sequential(
        nn.Conv2D(20, 5, padding=2), nn.ReLU(), nn.MaxPool2D(2), nn.Conv2D(32, 3, padding=1), nn.BatchNorm(), nn.ReLU(),
        nn.MaxPool2D(2), nn.Flatten(), nn.Dense(64), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip
    return model, [(numbers.standard_normal((37, 1, 28, 28)), numbers.integers(0, 10, 37)) for _ in range(STEPS)]


class Text(nn.Module):
    """A table of words (whose gradient adds up rows), attention, layer normalization, a softmax over many classes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(900, 64)
        self.heads = nn.Dense(3 * 64)
        self.norm = nn.LayerNorm()
        self.out = nn.Dense(900)

    def forward(self, x: Any) -> Any:
        """Return logits of shape (B * T, 900) for tokens (B, T)."""
        h = self.table(x)
        q, k, v = (
            part.reshape((*x.shape, 4, 16)).transpose((0, 2, 1, 3)) for part in st.split(self.heads(h), 3, axis=-1)
        )
        weights = st.softmax(q @ k.transpose((0, 1, 3, 2)) / 4.0)
        h = self.norm(h + (weights @ v).transpose((0, 2, 1, 3)).reshape(h.shape))
        return self.out(h).reshape((-1, 900))


def text(numbers: np.random.Generator) -> tuple[Any, list[Any]]:
    """See `Text`."""
    return Text(), [(numbers.integers(0, 900, (9, 65)), numbers.integers(0, 900, 9 * 65)) for _ in range(STEPS)]


MODELS = {"dense": dense, "images": images, "text": text}


def train(name: str) -> dict[str, Any]:
    """Return losses and parameters, bit by bit, after some steps, and how many threads there were."""
    st.random.seed(5)
    model, batches = MODELS[name](np.random.default_rng(3))

    def arrays(x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return st.asarray(x.astype(np.float32 if x.dtype.kind == "f" else np.int32)), st.asarray(y.astype(np.int32))

    model(arrays(*batches[0])[0])  # sizes of the inputs
    optimizer = st.optim.Adam(model.parameters(), learning_rate=1e-3)

    @st.compile
    def step(x: Any, y: Any) -> Any:
        loss = nn.losses.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(*arrays(x, y)).numpy().tobytes().hex() for x, y in batches]
    return {
        "threads": thread_count(),
        "losses": losses,
        "parameters": [parameter.numpy().tobytes().hex() for parameter in model.parameters()],
    }


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core runs one thread")
@pytest.mark.parametrize("name", MODELS)
def test_training_gives_the_same_bits_with_any_number_of_threads(name: str) -> None:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    found = []
    for threads in (1, 2, 3):
        environment = {**os.environ, "SEPTET_NUM_THREADS": str(threads), "PYTHONPATH": root}
        done = subprocess.run(
            [sys.executable, "-m", "tests.backends.cpu.test_threads", name], env=environment, cwd=root, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    assert [own.pop("threads") for own in found][:2] == [1, 2]
    assert len(set(found[0]["losses"])) == STEPS  # each step does something
    for own in found[1:]:
        assert own["losses"] == found[0]["losses"]
        assert own["parameters"] == found[0]["parameters"]


if __name__ == "__main__":
    print(json.dumps(train(sys.argv[1])))
