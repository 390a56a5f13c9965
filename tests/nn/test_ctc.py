"""CTC: agreement with PyTorch (tools/make_golden_sequences.py) and with the sum over all alignments; decoding."""

import itertools

import numpy as np
import pytest
from scipy.special import log_softmax

import septet as st
from septet import nn
from tests.nn import golden

CASE = golden.load("sequences/torch")["ctc"]
WORDS = {"logit_lengths": CASE["lengths"], "label_lengths": CASE["label_lengths"], "reduction": "none"}
RNG = np.random.default_rng(2)


def collapse(path, blank=0):
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def sums(log_p):
    """The probability of every label sequence, by all alignments."""
    found = {}
    for path in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        key = collapse(path)
        found[key] = found.get(key, 0) + np.exp(sum(log_p[t, label] for t, label in enumerate(path)))
    return found


@pytest.mark.parametrize("is_compiled", [False, True])
def test_torch(is_compiled):
    x = st.Variable(CASE["x"], "x")
    assert CASE["y"][1] == 0  # impossible: three equal labels in four steps

    def loss():
        losses = nn.losses.ctc(x, CASE["labels"], zero_infinity=True, **WORDS)
        (losses * CASE["seed"]).sum().backward()
        return losses, x.grad

    losses, gradient = st.compile(loss)() if is_compiled else loss()
    np.testing.assert_allclose(losses, CASE["y"], rtol=1e-5)
    np.testing.assert_allclose(gradient, CASE["gx"], atol=1e-5)


def test_what_is_impossible_is_infinite_and_moves_nothing():
    x = st.Variable(CASE["x"], "x")
    losses = nn.losses.ctc(x, CASE["labels"], **WORDS)
    assert np.isinf(losses).tolist() == [False, True, False, False]
    losses.sum().backward()
    assert np.isfinite(x.grad).all() and not x.grad.numpy()[1].any() and x.grad.numpy()[0].any()


def test_the_sum_over_all_alignments():
    logits = RNG.normal(size=(1, 4, 3))
    for labels, p in sums(log_softmax(logits[0], -1)).items():
        loss = nn.losses.ctc(logits, np.array([labels], int).reshape(1, -1))
        assert np.isclose(np.exp(-loss), p, rtol=1e-9)
    swapped = logits[..., [2, 1, 0]]  # the blank is the last class
    assert np.isclose(nn.losses.ctc(logits, [[1, 2]]), nn.losses.ctc(swapped, [[1, 0]], blank=2))


def test_padding_does_not_matter_and_gradients_agree_with_differences():
    logits = RNG.normal(size=(2, 5, 3))
    words = {"logit_lengths": [5, 3], "label_lengths": [2, 1]}
    x = st.Variable(logits, "x")
    nn.losses.ctc(x, [[1, 1], [2, -1]], **words).backward()
    assert not x.grad.numpy()[1, 3:].any()
    for place in ((0, 1, 0), (0, 4, 1), (1, 2, 2)):
        values = []
        for step in (1e-6, -1e-6):
            moved = logits.copy()
            moved[place] += step
            values.append(float(nn.losses.ctc(moved, [[1, 1], [2, 7]], **words)))
        assert np.isclose(x.grad.numpy()[place], (values[0] - values[1]) / 2e-6, atol=1e-7)


def test_unknown_sizes():
    logits, labels = st.symbol("logits", (None, None, 4)), st.symbol("labels", (None, None), "int64")
    lengths = st.symbol("lengths", (None,), "int64")
    call = st.function([logits, labels, lengths], nn.losses.ctc(logits, labels, label_lengths=lengths))
    for count in (3, 2):
        given = CASE["x"][:, :5], CASE["labels"][:, :count], np.minimum(CASE["label_lengths"], count)
        np.testing.assert_allclose(call(*given), nn.losses.ctc(given[0], given[1], label_lengths=given[2]), rtol=1e-5)


def test_greedy_decoding():
    paths = [[1, 1, 0, 1, 2], [0, 0, 2, 2, 0]]
    logits = np.eye(3)[paths]
    assert [found.tolist() for found in nn.ctc.greedy_decode(logits)] == [[1, 1, 2], [2]]
    assert [found.tolist() for found in nn.ctc.greedy_decode(logits, [2, 0])] == [[1], []]


@pytest.mark.parametrize("beam", [1000, 40])
def test_a_wide_beam_finds_the_best_of_all(beam):
    logits = RNG.normal(size=(2, 5, 3))
    for found, row in zip(nn.ctc.beam_decode(logits, beam=beam, top=3), logits, strict=True):
        exact = sorted(sums(log_softmax(row, -1)).items(), key=lambda item: -item[1])[:3]
        assert [tuple(labels) for labels, _ in found] == [labels for labels, _ in exact]
        np.testing.assert_allclose(np.exp([p for _, p in found]), [p for _, p in exact], rtol=1e-9)


def test_a_narrow_beam_and_lengths():
    logits = RNG.normal(size=(3, 12, 5))
    for beam in (1, 4):
        found = nn.ctc.beam_decode(logits, [12, 7, 0], beam=beam)
        assert [len(item) for item in found] == [1, 1, 1] and found[2][0][0].size == 0 and found[2][0][1] == 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.losses.ctc(CASE["x"][0], [[1]]), r"takes logits \(B, T, C\) and labels \(B, S\)"),
        (lambda: nn.losses.ctc(CASE["x"], CASE["labels"], blank=4), "the blank must be a class, got 4 of 4"),
        (lambda: nn.losses.ctc(CASE["x"], CASE["labels"], [7, 1, 1, 1]), "logit_lengths must be from 0 to 6"),
        (lambda: nn.losses.ctc(CASE["x"], CASE["labels"], label_lengths=[1]), r"label_lengths must have shape \(4,\)"),
        (lambda: nn.losses.ctc(CASE["x"], CASE["labels"] * 1.0), "labels are integers, got float64"),
        (lambda: nn.losses.ctc(CASE["x"], CASE["labels"] + 3).numpy(), "class 4 at position .* does not exist"),
        (lambda: nn.ctc.beam_decode(CASE["x"], beam=2, top=3), "top=3 is above beam=2"),
        (lambda: nn.ctc.greedy_decode(CASE["x"], [9, 1, 1, 1]), "lengths must be 4 integers from 0 to 6"),
    ],
)
def test_mistakes_are_named(call, text):
    with pytest.raises(st.errors.SeptetError, match=text):
        call()


def test_cross_entropy_of_sequences():
    logits, labels = RNG.normal(size=(2, 4, 3)), np.array([[0, 1, 2, 1], [2, -1, -1, -1]])
    mask = np.arange(4) < np.array([[4], [1]])
    each = -np.take_along_axis(log_softmax(logits, -1), np.maximum(labels, 0)[..., None], -1)[..., 0] * mask
    loss = nn.losses.sequence_cross_entropy
    np.testing.assert_allclose(loss(logits, labels, mask), each.sum() / 5, rtol=1e-6)
    np.testing.assert_allclose(loss(logits, labels, lengths=[4, 1]), each.sum() / 5, rtol=1e-6)
    np.testing.assert_allclose(loss(logits, labels, mask, reduction="none"), each, rtol=1e-6)
    np.testing.assert_allclose(loss(logits[:1], labels[:1]), each[0].mean(), rtol=1e-6)
    with pytest.raises(st.errors.IndexOutOfRangeError, match="class -1"):
        loss(logits, labels).numpy()
    with pytest.raises(st.errors.ShapeError, match=r"the mask must have shape \(2, 4\), got \(2, 3\)"):
        loss(logits, labels, mask[:, 1:])


def test_the_number_of_classes_may_be_known_only_when_it_runs() -> None:
    logits, labels = st.symbol("logits", (None, None, None)), st.symbol("labels", (None, None), "int64")
    loss = st.function([logits, labels], nn.losses.ctc(logits, labels))
    assert float(st.exp(-loss(np.zeros((1, 2, 3), np.float32), [[1]]))) == pytest.approx(1 / 3)
    with pytest.raises(st.errors.IndexOutOfRangeError, match="class 3"):
        loss(np.zeros((1, 2, 3), np.float32), [[3]])
