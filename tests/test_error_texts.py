"""What typical mistakes look like: golden texts, the same in define-by-run, in `st.function` and in `st.compile`.

Those of `st.function` with sizes that are not known before it runs are texts of their own: they show question marks
where a rule was broken while the graph was recorded, and the sizes themselves where it was when the graph ran.

After a deliberate change: ``python tests/test_error_texts.py`` writes tests/golden/errors/ and tests/golden/unknown/
anew; read the difference.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import SeptetError

GOLDEN = Path(__file__).parent / "golden" / "errors"
UNKNOWN = Path(__file__).parent / "golden" / "unknown"


def f(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


# name -> (arguments, the wrong call)
MISTAKES: dict[str, tuple[tuple[np.ndarray, ...], Any]] = {
    "broadcast": ((f(3, 4), f(5)), lambda a, b: a + b),
    "matmul": ((f(3, 4), f(5, 6)), lambda a, b: a @ b),
    "matmul_scalar": ((f(3, 4), f()), lambda a, b: a @ b),
    "reshape": ((f(3, 4),), lambda a: a.reshape((5, 2))),
    "reshape_two_unknown": ((f(3, 4),), lambda a: st.reshape(a, (-1, -1))),
    "axis": ((f(3, 4),), lambda a: st.sum(a, axis=2)),
    "axis_twice": ((f(3, 4),), lambda a: st.sum(a, axis=(0, -2))),
    "permutation": ((f(3, 4, 5),), lambda a: st.permute_dims(a, (0, 1, 1))),
    "squeeze": ((f(3, 1),), lambda a: st.squeeze(a, axis=0)),
    "concatenate": ((f(3, 4), f(3, 5)), lambda a, b: st.concatenate([a, b], axis=0)),
    "stack": ((f(3, 4), f(3, 5)), lambda a, b: st.stack([a, b])),
    "split": ((f(7, 2),), lambda a: st.split(a, 3)),
    "dtype": ((f(3),), lambda a: st.bitwise_and(a, a)),
    "dtype_name": ((f(3),), lambda a: a.astype("float31")),
    "condition": ((f(3), f(3), f(3)), lambda a, b, c: st.where(a, b, c)),
    "too_many_indices": ((f(3, 4),), lambda a: a[0, 1, 2]),
    "index_type": ((f(3, 4),), lambda a: a["first"]),
    "index_static": ((f(3, 4),), lambda a: a[5]),
    "index_dtype": ((f(3, 4), f(2)), lambda a, b: st.take(a, b, axis=0)),
    "index_value": ((f(3, 4), i(0, 7)), lambda a, b: st.take(a, b, axis=0)),
    "class_value": ((f(2, 3), i(0, 3)), lambda a, b: nn.losses.cross_entropy(a, b)),
    "labels": ((f(4, 3), i(0, 1)), lambda a, b: nn.losses.cross_entropy(a, b)),
    "loss": ((f(4, 1), f(4)), lambda a, b: nn.losses.mean_squared_error(a, b)),
    "reduction": ((f(4), f(4)), lambda a, b: nn.losses.mean_squared_error(a, b, reduction="average")),
    "broadcast_to": ((f(3, 4),), lambda a: st.broadcast_to(a, (3, 5))),
    "cholesky": ((f(3, 4),), lambda a: st.linalg.cholesky(a)),
    "conv": ((f(2, 3, 8, 8), f(4, 2, 3, 3)), lambda a, b: st.conv(a, b)),
    "wrong_parameter": ((f(3, 4),), lambda a: st.cast(a, dtpye="float32")),
    "random_bound": ((f(4),), lambda a: st.random.uniform((3,), low=a)),
    "random_converted": ((f(4),), lambda a: st.random.truncated_normal((3,), low=a)),
    "random_parameters": ((f(4), f(3)), lambda a, b: st.random.beta(a, b)),
    "random_dtype": ((f(3),), lambda a: st.random.normal((3,), mean=a, dtype="int32")),
    "random_integer": ((f(3),), lambda a: st.random.randint((3,), a)),
    "random_axis": ((f(4, 3),), lambda a: st.random.categorical(a, axis=2)),
    "random_choice": ((f(4),), lambda a: st.random.choice(5, (7,), p=a)),
    "random_state": ((f(2),), lambda a: st.random.uniform((3,), generator=a)),
    "layer": ((f(2, 5),), lambda a: nn.Sequential(nn.Dense(3), lambda x: x + f(4))(a)),
}


def eager(call: Any, arrays: tuple[np.ndarray, ...]) -> Any:
    return call(*[st.tensor(a) for a in arrays]).numpy()


def symbolic(call: Any, arrays: tuple[np.ndarray, ...]) -> Any:
    symbols = [st.symbol(f"x{n}", a.shape, a.dtype.name) for n, a in enumerate(arrays)]
    return st.function(symbols, call(*symbols), allow_unused=True)(*arrays)


def compiled(call: Any, arrays: tuple[np.ndarray, ...]) -> Any:
    return st.compile(call)(*arrays)


def unknown(call: Any, arrays: tuple[np.ndarray, ...]) -> Any:
    symbols = [st.symbol(f"x{n}", (None,) * a.ndim, a.dtype.name) for n, a in enumerate(arrays)]
    return st.function(symbols, call(*symbols), allow_unused=True)(*arrays)


MODES = {"define-by-run": eager, "function": symbolic, "compile": compiled}


def text_of(run: Any, name: str) -> str:
    """Return the normalized text of a mistake: without origins of arguments, folders and line numbers."""
    arrays, call = MISTAKES[name]
    with pytest.raises(SeptetError) as caught:
        run(call, arrays)
    return f"{type(caught.value).__name__}\n{normalize(str(caught.value))}\n"


ORIGIN = re.compile(r"(\[[\d, ?]*\])   (?:data|symbol|variable|result of).*$", re.MULTILINE)
PLACE = re.compile(r"at \S*?([\w.]+\.py):\d+: .*$", re.MULTILINE)


def normalize(text: str) -> str:
    return PLACE.sub(r"at \1", ORIGIN.sub(r"\1   ORIGIN", text))


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("mode", MODES)
def test_the_text_is_the_golden_one(mode, name):
    assert text_of(MODES[mode], name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MISTAKES)
def test_the_text_with_unknown_sizes_is_the_golden_one(name):
    text = text_of(unknown, name)
    assert text == (UNKNOWN / f"{name}.txt").read_text(encoding="utf-8")
    assert "(None" not in text and "None)" not in text  # an unknown size is a question mark


@pytest.mark.parametrize("folder", [GOLDEN, UNKNOWN])
def test_every_golden_text_is_tested(folder):
    assert {path.stem for path in folder.glob("*.txt")} == set(MISTAKES)


def test_a_located_text_names_this_file_and_the_line_of_the_call():
    a, b = st.zeros((3, 4)), st.zeros((5,))
    with pytest.raises(st.errors.ShapeError) as caught:
        a + b
    line = test_a_located_text_names_this_file_and_the_line_of_the_call.__code__.co_firstlineno + 3
    assert f"at {__file__}:{line}: a + b" in str(caught.value)


if __name__ == "__main__":
    for folder, mode in ((GOLDEN, eager), (UNKNOWN, unknown)):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.txt"):
            old.unlink()
        for mistake in MISTAKES:
            (folder / f"{mistake}.txt").write_text(text_of(mode, mistake), encoding="utf-8", newline="\n")
