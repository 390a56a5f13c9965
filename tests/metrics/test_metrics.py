"""Metrics."""

import numpy as np
import pytest

import septet as st
from septet import metrics

P = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)


def test_accuracy():
    assert float(metrics.accuracy(st.tensor(P), st.tensor([1, 0, 0, 0]))) == 0.75
    assert float(metrics.accuracy(st.tensor(P), st.tensor(np.array([1, 0, 1, 0], np.uint8)))) == 1.0
    assert float(metrics.accuracy(st.tensor(P[None]), st.tensor([[0, 1, 0, 0]]))) == 0.25


def test_mean_absolute_error():
    assert np.isclose(float(metrics.mean_absolute_error(st.tensor(P), st.tensor(P + 0.5))), 0.5)


@pytest.mark.parametrize("shape", [(4, 1), (3,), (1, 4), ()])
def test_metrics_never_broadcast(shape):
    with pytest.raises(st.errors.ShapeError, match=r"predictions have shape \(4, 2\), so labels \(4,\)"):
        metrics.accuracy(st.tensor(P), st.zeros(shape, dtype=st.int64))
    with pytest.raises(st.errors.ShapeError, match="differ"):
        metrics.mean_absolute_error(st.tensor(P), st.zeros(shape))


def test_unknown_sizes_are_allowed_other_ranks_are_not():
    x, y = st.symbol("x", (None, 2)), st.symbol("y", (None,), st.int64)
    assert float(metrics.accuracy(x, y).eval({x: P, y: [1, 0, 0, 0]})) == 0.75
    with pytest.raises(st.errors.ShapeError):
        metrics.accuracy(x, st.symbol("y", (None, 1), st.int64))


def test_a_metric_is_computed_along_with_what_is_asked_for_next():
    """A step is one evaluation then; nothing of a trace is wanted outside of it."""
    x = st.tensor(P) * 2
    found = metrics.accuracy(x, st.tensor([1, 0, 0, 0]))
    other = x.sum()
    assert found.node.value is None
    float(other)
    assert float(found.node.value) == 0.75
    assert float(st.compile(lambda p: metrics.accuracy(p, st.tensor([1, 0, 0, 0])))(P)) == 0.75
