"""Write tests/golden/training/: a run with its checkpoint and a whole model, as this release writes them.

Later releases must read them: run it for a new format version only, into another folder.

python tests/train/make_golden_run.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import septet as st
from septet import nn, optim
from septet.train import Checkpoints, EarlyStopping

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "training"
X = (np.arange(60, dtype=np.float32).reshape(20, 3) % 7 - 3) / 3
Y = (X[:, 0] > X[:, 1]).astype(np.int64)


def fit(folder: Path, epochs: int, **words: Any) -> tuple[nn.Module, st.train.History]:
    """Train a small model, or go on."""
    st.random.seed(7)
    model = nn.Sequential(nn.Dense(3, "tanh"), nn.BatchNorm(), nn.Dropout(0.2), nn.Dense(2))
    optimizer = optim.Adam(model, optim.schedules.Cosine(0.05, 20), average=0.9, amsgrad=True)
    history = model.fit(
        (X, Y), epochs=epochs, batch_size=8, validation=(X, Y), optimizer=optimizer, metrics=["accuracy", "f1"],
        verbose=False, checkpoints=Checkpoints(folder, keep=1, **words), callbacks=EarlyStopping(patience=9),
    )  # fmt: skip
    return model, history


if __name__ == "__main__":
    model, history = fit(FOLDER / "run", 2)
    model.save(FOLDER / "model.safetensors", metadata={"classes": ["left", "right"]})
    with tempfile.TemporaryDirectory() as place:  # the run that is kept ends after two epochs
        shutil.copytree(FOLDER / "run", Path(place) / "run")
        longer = fit(Path(place) / "run", 3, resumes=True)[1]
    expected = {"predictions": model.predict(X[:4]).tolist(), "losses": [row["loss"] for row in longer]}
    (FOLDER / "expected.json").write_text(json.dumps(expected) + "\n")
