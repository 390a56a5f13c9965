"""Labels are checked in native code: errors as the reference tells them; a step that fails changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import IndexOutOfRangeError


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_a_class_that_does_not_exist_is_found(dtype: str) -> None:
    call = st.compile(nn.losses.cross_entropy)
    logits = st.asarray(np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32))
    labels = np.array([0, 1, 2, 3, 4, 4, 0], dtype)
    expected = float(nn.losses.cross_entropy(logits, st.asarray(labels)))
    assert float(call(logits, st.asarray(labels))) == pytest.approx(expected, rel=1e-6)
    assert "Python" not in str(st.explain(call, logits, st.asarray(labels)))
    for wrong in (5, np.iinfo(dtype).max, np.iinfo(dtype).min if dtype[0] == "i" else 6):
        broken = labels.copy()
        broken[3] = wrong
        with pytest.raises(IndexOutOfRangeError, match=f"class {wrong} at position 3 does not exist"):
            call(logits, st.asarray(broken)).numpy()
    assert float(call(logits, st.asarray(labels))) == pytest.approx(expected, rel=1e-6)


def test_a_step_that_fails_changes_no_parameters() -> None:
    weights = st.Variable(np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32), "weights")
    optimizer = st.optim.Adam([weights], learning_rate=0.1)

    @st.compile
    def step(x: st.Tensor, y: st.Tensor) -> st.Tensor:
        loss = nn.losses.cross_entropy(x @ weights, y)
        loss.backward()
        optimizer.step()
        return loss

    x = st.asarray(np.random.default_rng(2).standard_normal((6, 4)).astype(np.float32))
    step(x, st.asarray(np.array([0, 1, 2, 0, 1, 2]))).numpy()
    before = weights.numpy().copy()
    with pytest.raises(IndexOutOfRangeError):
        step(x, st.asarray(np.array([0, 1, 2, 0, 1, 3]))).numpy()
    assert np.array_equal(weights.numpy(), before)
    step(x, st.asarray(np.array([0, 1, 2, 0, 1, 2]))).numpy()
    assert not np.array_equal(weights.numpy(), before)
