"""What mistakes about whole programs look like: tracing, functions, gradients, settings, layers. Golden texts.

After a deliberate change: ``python tests/test_error_texts_of_programs.py`` writes tests/golden/programs/ anew; read the
difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import SeptetError

GOLDEN = Path(__file__).parent / "golden" / "programs"
MISTAKES: dict[str, Callable[[], Any]] = {}


def mistake(call: Callable[[], Any]) -> Callable[[], Any]:
    MISTAKES[call.__name__] = call
    return call


@mistake
def branch():
    @st.compile
    def positive(x):
        return x if x.sum() > 0 else -x

    positive(np.ones(3, np.float32))


@mistake
def number():
    st.compile(lambda x: x * float(x.sum()))(np.ones(3, np.float32))


@mistake
def value_of_symbol():
    (st.symbol("x", (None, 3)) * 2).numpy()


@mistake
def missing_input():
    x, y = st.symbol("x", (3,)), st.symbol("y", (3,))
    st.function([x], x + y)


@mistake
def unused_input():
    x, y = st.symbol("x", (3,)), st.symbol("y", (3,))
    st.function([x, y], x + 1)


@mistake
def not_a_symbol():
    x = st.symbol("x", (3,))
    st.function([x + 1], x + 1)


@mistake
def argument_missing():
    x, y = st.symbol("x", (3,)), st.symbol("y", (3,))
    st.function([x, y], x + y)(np.ones(3, np.float32))


@mistake
def argument_unknown():
    images = st.symbol("images", (3,))
    st.function([images], images + 1)(imges=np.ones(3, np.float32))


@mistake
def argument_shape():
    x = st.symbol("x", (None, 3))
    st.function([x], x + 1)(np.ones((2, 4), np.float32))


@mistake
def argument_dtype():
    x = st.symbol("x", (3,), "int64")
    st.function([x], x + 1)(np.ones(3, np.float32))


@mistake
def argument_rank():
    images = st.symbol("images", (None, 1, 28, 28))
    st.function([images], images + 1, name="classify")(np.ones((28, 28), np.float32))


@mistake
def argument_second():
    x, labels = st.symbol("x", (None, 3)), st.symbol("labels", (4,), "int64")
    st.function([x, labels], [x, labels])(x=[[1, 2, 3]], labels=np.zeros(5, np.int64))


@mistake
def argument_twice():
    x, y = st.symbol("x", (3,)), st.symbol("y", (3,))
    st.function([x, y], x + y)(st.ones(3), x=st.ones(3))


@mistake
def argument_too_many():
    x = st.symbol("x", (3,))
    st.function([x], x + 1)(st.ones(3), 2)


@mistake
def argument_ragged():
    x = st.symbol("x", (None, None))
    st.function([x], x + 1)([[1.0, 2.0], [3.0]])


@mistake
def argument_text():
    x = st.symbol("x", (3,))
    st.function([x], x + 1)(np.array(["a", "b", "c"]))


@mistake
def argument_symbolic():
    x = st.symbol("x", (3,))
    st.function([x], x + 1)(x)


@mistake
def input_twice():
    x = st.symbol("x", (3,))
    st.function([x, x], x + 1)


@mistake
def given_of_another_type():
    x, y = st.symbol("x", (None, 3)), st.symbol("y", (4, 2))
    st.function([y], x + 1, givens={x: y})


@mistake
def eval_missing():
    x, y = st.symbol("x", (3,)), st.symbol("y", (3,))
    (x + y).eval({x: np.ones(3)})


@mistake
def eval_unused():
    x, y = st.symbol("x", (3,)), st.symbol("y", (3,))
    (x + 1).eval({x: np.ones(3), y: np.ones(3)})


@mistake
def eval_shape():
    x = st.symbol("x", (None, 3))
    (x + 1).eval({x: np.ones((2, 4))})


@mistake
def eval_name():
    x = st.symbol("x", (3,))
    (x + 1).eval({"x": np.ones(3)})


@mistake
def compiled_missing():
    @st.compile
    def step(images, labels, *, scale=1.0):
        return images.sum() * scale + labels.sum()

    step(np.ones((2, 3), np.float32))


@mistake
def compiled_unknown():
    @st.compile
    def step(images, *, scale=1.0):
        return images.sum() * scale

    step(np.ones((2, 3), np.float32), scal=2.0)


@mistake
def compiled_too_many():
    @st.compile
    def step(images):
        return images.sum()

    step(np.ones((2, 3), np.float32), "mean")


@mistake
def compiled_unhashable():
    @st.compile
    def step(batch, *options):
        return batch["images"].sum()

    step({"images": np.ones((2, 3), np.float32)}, "mean", {"a"})


@mistake
def compiled_inside():
    @st.compile
    def step(batch):
        return batch["images"] @ batch["weights"]

    step({"images": np.ones((2, 3), np.float32), "weights": np.ones((4, 5), np.float32)})


@mistake
def sizes_found_at_run_time():
    x, y = st.symbol("x", (None, None)), st.symbol("y", (None,))
    st.function([x, y], x * y)(np.ones((2, 3)), np.ones(4))


@mistake
def seed():
    st.random.seed(-1)


@mistake
def seed_in_a_trace():
    st.compile(lambda x: (st.random.seed(1), x)[1])(np.ones(3, np.float32))


@mistake
def random_state_shape():
    st.random.default_generator.set_state(np.zeros(3, np.uint64))


@mistake
def random_generator():
    st.random.permutation(10, generator=7)


@mistake
def update_shape():
    x, w = st.symbol("x", (3,)), st.Variable([1.0, 2.0], "w")
    st.function([x], updates={w: x})


@mistake
def gradient_of_vector():
    (st.Variable([1.0, 2.0], "w") * 2).backward()


@mistake
def gradient_of_symbolic_vector():
    w = st.Variable([1.0, 2.0], "w")
    st.grad(lambda x: x * 2)(w)


@mistake
def gradient_of_data():
    (st.tensor([1.0, 2.0]) * 2).sum().backward()


@mistake
def gradient_cut():
    w = st.Variable([1.0, 2.0], "w")
    with st.no_grad():
        cost = (w * 2).sum()
    cost.backward()


@mistake
def gradient_of_integer():
    w = st.Variable([1.0, 2.0], "w")
    st.argmax(w).backward()


@mistake
def assign_shape():
    st.Variable([1.0, 2.0], "w").assign([1.0, 2.0, 3.0])


@mistake
def role():
    st.Variable([1.0, 2.0], "w", role="wieght")


@mistake
def setting_name():
    st.config.set(thread=2)


@mistake
def setting_value():
    st.config.set(default_float="float31")


@mistake
def ragged():
    st.tensor([[1.0, 2.0], [3.0]])


@mistake
def text_as_data():
    st.tensor("seven")


@mistake
def layer_input():
    model = nn.Sequential(nn.Conv2D(4, 3), nn.Flatten(), nn.Dense(10))
    model(np.ones((2, 1, 8, 8), np.float32))
    model(np.ones((2, 3, 8, 8), np.float32))


@mistake
def layer_option():
    nn.Dense(10, kernel_initializer="glorot_unifrom")(np.ones((2, 3), np.float32))


@mistake
def optimizer_name():
    nn.Sequential(nn.Dense(2)).fit(
        (np.ones((4, 3), np.float32), np.zeros(4, np.int64)), optimizer="adma", verbose=False
    )


@mistake
def loss_name():
    nn.Sequential(nn.Dense(2)).fit(
        (np.ones((4, 3), np.float32), np.zeros(4, np.int64)), loss="crossentropy", verbose=False
    )


PLACE = re.compile(r"[^\s(]*?([\w.]+\.py):\d+")


def text_of(name: str) -> str:
    """Return the normalized text: without folders and line numbers."""
    with pytest.raises(SeptetError) as caught:
        MISTAKES[name]()
    text = PLACE.sub(r"\1", str(caught.value))
    return f"{type(caught.value).__name__}\n{text}\n"


@pytest.mark.parametrize("name", MISTAKES)
def test_the_text_is_the_golden_one(name):
    assert text_of(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_text_is_tested():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(MISTAKES)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN.glob("*.txt"):
        old.unlink()
    for each in MISTAKES:
        try:
            text = text_of(each)
        except BaseException as error:
            print(f"{each}: no error of Septet but {error!r}")
            continue
        (GOLDEN / f"{each}.txt").write_text(text, encoding="utf-8", newline="\n")
