"""Metrics that are updated batch by batch, against scikit-learn and NumPy on everything at once."""

import copy
import doctest
import importlib
import itertools
import pkgutil

import numpy as np
import pytest
from sklearn import metrics as sk

import septet as st
from septet import metrics

RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=(60, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, 60)
BEST = SCORES.argmax(1)
SHARES = np.round(RNG.random(60), 2).astype(np.float32)
TRUTH = (SHARES + RNG.normal(0, 0.4, 60) > 0.5).astype(np.int64)
VALUES = RNG.normal(1, 2, (60, 3)).astype(np.float32)
TARGETS = (VALUES + RNG.normal(0, 1, (60, 3))).astype(np.float32)
WEIGHTS = RNG.random(60).astype(np.float32)
CUTS = [0, 13, 14, 40, 60]  # batches of different sizes


def stream(metric, predictions, targets, weights=None):
    """The result after several batches, of which some were forgotten again."""
    metric.update(predictions[:7], targets[:7])
    metric.result()
    metric.reset()
    for a, b in itertools.pairwise(CUTS):
        metric.update(predictions[a:b], targets[a:b], None if weights is None else weights[a:b])
    return metric.result().numpy()


def top(k):
    order = np.argsort(-SCORES, 1)[:, :k]
    return (order == LABELS[:, None]).any(1).mean()


def perplexity():
    shifted = SCORES.astype(np.float64) - np.log(np.exp(SCORES.astype(np.float64)).sum(1, keepdims=True))
    return np.exp(-shifted[np.arange(60), LABELS].mean())


ROWS = {
    "accuracy": (SCORES, LABELS, lambda: sk.accuracy_score(LABELS, BEST)),
    "accuracy-one-hot": (SCORES, np.eye(4, dtype=np.float32)[LABELS], lambda: sk.accuracy_score(LABELS, BEST)),
    "binary_accuracy": (SHARES, TRUTH, lambda: sk.accuracy_score(TRUTH, SHARES > 0.5)),
    "top_2_accuracy": (SCORES, LABELS, lambda: top(2)),
    "perplexity": (SCORES, LABELS, perplexity),
    "precision": (SCORES, LABELS, lambda: sk.precision_score(LABELS, BEST, average="macro")),
    "recall": (SHARES, TRUTH, lambda: sk.recall_score(TRUTH, SHARES > 0.5)),
    "f1": (SCORES, LABELS, lambda: sk.f1_score(LABELS, BEST, average="macro")),
    "auc": (SHARES, TRUTH, lambda: sk.roc_auc_score(TRUTH, SHARES)),
    "confusion_matrix": (SCORES, LABELS, lambda: sk.confusion_matrix(LABELS, BEST)),
    "mean_iou": (SCORES, LABELS, lambda: sk.jaccard_score(LABELS, BEST, average="macro")),
    "mse": (VALUES, TARGETS, lambda: sk.mean_squared_error(TARGETS, VALUES)),
    "rmse": (VALUES, TARGETS, lambda: np.sqrt(sk.mean_squared_error(TARGETS, VALUES))),
    "mae": (VALUES, TARGETS, lambda: sk.mean_absolute_error(TARGETS, VALUES)),
    "mape": (VALUES, TARGETS, lambda: 100 * sk.mean_absolute_percentage_error(TARGETS, VALUES)),
    "msle": (abs(VALUES), abs(TARGETS), lambda: sk.mean_squared_log_error(abs(TARGETS), abs(VALUES))),
    "r2": (VALUES, TARGETS, lambda: sk.r2_score(TARGETS, VALUES)),
    "cosine_similarity": (VALUES, TARGETS, lambda: np.diag(sk.pairwise.cosine_similarity(VALUES, TARGETS)).mean()),
    "cross_entropy": (SCORES, LABELS, lambda: np.log(perplexity())),
}


@pytest.mark.parametrize("row", ROWS)
def test_batches_give_what_everything_at_once_gives(row):
    predictions, targets, expected = ROWS[row]
    metric = metrics.get(row.partition("-")[0])
    assert metric.name == row.partition("-")[0]
    assert np.allclose(stream(metric, predictions, targets), expected(), rtol=1e-5)


def test_every_name_is_tested_or_another_name_of_one_that_is():
    tested = {type(metrics.get(row.partition("-")[0])) for row in ROWS}
    assert tested >= set(metrics.METRICS.values())


@pytest.mark.parametrize(
    ("metric", "data", "expected"),
    [
        (metrics.Accuracy(), (SCORES, LABELS), lambda: sk.accuracy_score(LABELS, BEST, sample_weight=WEIGHTS)),
        (
            metrics.F1(average="weighted"),
            (SCORES, LABELS),
            lambda: sk.f1_score(LABELS, BEST, average="weighted", sample_weight=WEIGHTS),
        ),
        (
            metrics.Recall(average="micro"),
            (SCORES, LABELS),
            lambda: sk.recall_score(LABELS, BEST, average="micro", sample_weight=WEIGHTS),
        ),
        (
            metrics.Precision(average="none"),
            (SCORES, LABELS),
            lambda: sk.precision_score(LABELS, BEST, average=None, sample_weight=WEIGHTS),
        ),
        (metrics.AUC(), (SHARES, TRUTH), lambda: sk.roc_auc_score(TRUTH, SHARES, sample_weight=WEIGHTS)),
        (
            metrics.ConfusionMatrix(),
            (SCORES, LABELS),
            lambda: sk.confusion_matrix(LABELS, BEST, sample_weight=WEIGHTS),
        ),
        (
            metrics.MeanSquaredError(),
            (VALUES, TARGETS),
            lambda: sk.mean_squared_error(TARGETS, VALUES, sample_weight=WEIGHTS),
        ),
        (metrics.R2(), (VALUES, TARGETS), lambda: sk.r2_score(TARGETS, VALUES, sample_weight=WEIGHTS)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_examples_may_have_weights(metric, data, expected):
    assert np.allclose(stream(metric, *data, WEIGHTS), expected(), rtol=1e-5)


def test_a_compiled_step_keeps_the_state():
    metric, plain = metrics.F1(), metrics.F1()

    @st.compile
    def step(scores, labels):
        metric.update(scores, labels)
        return metric.result()

    for a, b in itertools.pairwise(CUTS):
        shown = float(step(SCORES[a:b], LABELS[a:b]))
        plain.update(SCORES[a:b], LABELS[a:b])
        assert np.isclose(shown, float(plain.result()))
    assert np.isclose(float(metric.result()), sk.f1_score(LABELS, BEST, average="macro"))
    metric.reset()
    assert float(step(SCORES[:5], LABELS[:5])) == float(metrics.F1()(SCORES[:5], LABELS[:5]))


def test_nothing_of_it_is_differentiated():
    w = st.Variable(np.float32(1.0), "w")
    metric = metrics.MeanSquaredError()
    metric.update(w * VALUES, TARGETS)
    assert not metric.result().is_tracked


def test_functions_and_objects_are_metrics_too():
    own = metrics.get(lambda p, t: st.abs(p - t).max())
    assert own.name == "<lambda>" and metrics.get(own) is own
    assert np.isclose(float(own([1.0, 2.0], [0.0, 0.0])), 2.0)
    assert np.isclose(float(own([4.0], [0.0])), (2 * 2 + 4) / 3)
    ignoring = metrics.Perplexity(ignore_index=-1)
    shown = ignoring(SCORES, np.where(np.arange(60) < 30, LABELS, -1))
    assert np.isclose(float(shown), float(metrics.Perplexity()(SCORES[:30], LABELS[:30])))
    assert float(metrics.get("accuracy").result()) == 0.0


def test_metrics_of_one_of_several_outputs():
    metric = metrics.Of("scores", metrics.Accuracy())
    twin = copy.copy(metric)
    twin.states = {}
    assert metric.name == "scores_accuracy"
    metric.update({"scores": SCORES, "x": VALUES}, {"scores": LABELS})
    twin.update({"scores": SCORES[:5]}, {"scores": SCORES[:5].argmax(1)})
    assert np.isclose(float(metric.result()), sk.accuracy_score(LABELS, BEST)) and float(twin.result()) == 1.0
    metric.reset()
    metric.update({"scores": SCORES[:1]}, {"scores": BEST[:1]})
    assert float(metric.result()) == 1.0
    assert float(metrics.Of(1, metrics.Accuracy())([VALUES, SCORES], [TARGETS, BEST])) == 1.0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: metrics.get("acuracy"), st.errors.ArgumentError, "Did you mean 'accuracy'"),
        (lambda: metrics.F1(average="mean"), st.errors.ArgumentError, "average 'mean' does not exist"),
        (lambda: metrics.TopKAccuracy(0), st.errors.ArgumentError, "k must be"),
        (lambda: metrics.AUC(1), st.errors.ArgumentError, "bins must be"),
        (lambda: metrics.MeanSquaredError()(VALUES, TARGETS[:, :1]), st.errors.ShapeError, "never broadcast"),
        (lambda: metrics.Accuracy()(SCORES, LABELS[:, None]), st.errors.ShapeError, r"so labels \(60,\)"),
        (lambda: metrics.F1()(SCORES, LABELS[:9]), st.errors.ShapeError, r"so labels \(60,\)"),
        (lambda: metrics.ConfusionMatrix()(SCORES, LABELS + 1).numpy(), st.errors.IndexOutOfRangeError, "class 4"),
        (lambda: metrics.Accuracy()(SCORES, LABELS, WEIGHTS[:5]), st.errors.ShapeError, "the weights have shape"),
        (lambda: metrics.Of("x", "mse"), st.errors.ArgumentError, "takes a Metric"),
        (lambda: metrics.Of("x", metrics.F1())({"y": 1}, {"y": 1}), st.errors.ArgumentError, "have no 'x'"),
        (lambda: metrics.ConfusionMatrix().result(), st.errors.ArgumentError, "nothing has been seen"),
    ],
)
def test_mistakes_are_explained(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("name", sorted(m.name for m in pkgutil.walk_packages(metrics.__path__, "septet.metrics.")))
def test_the_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
