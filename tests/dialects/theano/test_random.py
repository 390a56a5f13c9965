"""Random numbers of the theano dialect: those of NumPy's RandomState, and of Theano 1.0.5's MRG31k3p."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.sandbox.rng_mrg import MRG_RandomStreams, ff_2p72, substreams
from septet.dialects.theano.tensor import raw_random
from septet.dialects.theano.tensor.shared_randomstreams import RandomStreams


def test_streams_draw_what_numpy_draws() -> None:
    streams = RandomStreams(234)
    draws = {
        "uniform": (streams.uniform((2, 2)), ()), "normal": (streams.normal((3,), -1.0, 2.0), (-1.0, 2.0)),
        "binomial": (streams.binomial((4,), 5, 0.3), (5, 0.3)), "poisson": (streams.poisson((3,), 4.0), (4.0,)),
    }  # fmt: skip
    f = theano.function([], [draw for draw, _ in draws.values()])
    found = [f(), f()]
    seeds = np.random.RandomState(234)
    for place, (name, (draw, words)) in enumerate(draws.items()):
        state = np.random.RandomState(int(seeds.randint(2**30)))
        for values in found:
            expected = getattr(state, name)(*words, size=values[place].shape)
            np.testing.assert_array_equal(values[place], expected)
        np.testing.assert_array_equal(draw.rng.get_value().get_state()[1], state.get_state()[1])


def test_states_can_be_seeded_read_and_kept() -> None:
    streams = RandomStreams(7)
    u = streams.uniform((3,))
    f = theano.function([], u)
    first = f()
    streams.seed(7)
    np.testing.assert_array_equal(f(), first)
    u.rng.get_value(borrow=True).seed(5)
    np.testing.assert_array_equal(f(), np.random.RandomState(5).uniform(size=3))
    g = theano.function([], u, no_default_updates=True)
    np.testing.assert_array_equal(g(), g())
    rows = streams.shuffle_row_elements(T.as_tensor_variable(np.arange(12).reshape(3, 4)))
    assert [sorted(row) for row in theano.function([], rows)()] == np.arange(12).reshape(3, 4).tolist()


def test_a_state_can_be_an_argument() -> None:
    state = raw_random.random_state_type()
    following, numbers = raw_random.random_integers(state, (4,), 3, 9)
    f = theano.function([state], [following, numbers])
    after, found = f(np.random.RandomState(1))
    np.testing.assert_array_equal(found, [np.random.RandomState(1).randint(3, 10, size=4)[0], *found[1:]])
    assert isinstance(after, np.random.RandomState) and not np.array_equal(f(after)[1], found)


def test_mrg31k3p_draws_what_theano_drew() -> None:
    """Golden values: Theano 1.0.5, THEANO_FLAGS=cxx= python -c "... MRG_RandomStreams(12345).uniform((3, 4)) ..."."""
    streams = MRG_RandomStreams(12345)
    u = streams.uniform((3, 4))
    f = theano.function([], u)
    np.testing.assert_allclose(f()[0], [0.73532445, 0.25856858, 0.61420744, 0.94899803], rtol=1e-7)
    np.testing.assert_allclose(f()[2], [0.44080659, 0.13389294, 0.05593456, 0.64074552], rtol=1e-7)
    n = streams.normal((3, 3))
    np.testing.assert_allclose(theano.function([], n)()[0], [1.08205886, 0.49384816, 1.28759051], rtol=1e-7)
    x = T.dmatrix("x")
    mask = streams.binomial(x.shape, p=0.3, dtype="float32")  # a size that is known only when it runs
    assert theano.function([x], mask)(np.ones((3, 3))).tolist() == [[0, 1, 0], [1, 0, 1], [1, 1, 0]]
    streams.seed()
    np.testing.assert_allclose(f()[0, 0], 0.73532445, rtol=1e-7)


def test_streams_of_mrg31k3p_begin_2_to_the_72_steps_apart() -> None:
    first = np.asarray([12345] * 6, "int32")
    rows = substreams(first, 5)
    for before, after in itertools.pairwise(rows):
        np.testing.assert_array_equal(ff_2p72(before), after)


def test_a_size_known_when_it_runs_gives_the_numbers_of_a_known_one() -> None:
    for count in (3, 60 * 256, 60 * 256 * 2 + 5):
        known, size = MRG_RandomStreams(3), T.lscalar("size")
        f = theano.function([], known.uniform((count,), nstreams=60 * 256))
        g = theano.function([size], MRG_RandomStreams(3).uniform((size,)))
        np.testing.assert_array_equal([f(), f()], [g(count), g(count)])


def test_multinomials_and_choices() -> None:
    p = T.dmatrix("p")
    streams = MRG_RandomStreams(5)
    rows = np.tile([0.2, 0.3, 0.5], (4000, 1))
    counts = theano.function([p], streams.multinomial(n=2, pvals=p))(rows)
    assert counts.sum(axis=1).tolist() == [2] * 4000
    np.testing.assert_allclose(counts.mean(axis=0), [0.4, 0.6, 1.0], atol=0.05)
    chosen = theano.function([p], streams.choice(size=3, p=p, replace=False))(rows)
    assert np.sort(chosen, axis=1).tolist() == [[0, 1, 2]] * 4000
    with pytest.raises(NotImplementedError, match="without replacement"):
        streams.choice(size=1, p=p)


def test_what_depends_on_drawn_values_is_drawn_anew() -> None:
    f = theano.function([], MRG_RandomStreams(5).normal((40,), truncate=True))
    first, second = f(), f()
    assert not np.isin(first, second).any() and abs(np.concatenate([first, second])).max() <= 2


def test_a_state_that_an_op_overwrites() -> None:
    state = raw_random.random_state_type()
    draw = raw_random.RandomFunction("uniform", T.dvector, inplace=True)
    after, drawn = draw(state, (3,), 0.0, 1.0)
    own = theano.In(state, value=np.random.RandomState(1), update=after, mutable=True)
    f = theano.function([own], drawn, accept_inplace=True)
    np.testing.assert_array_equal(np.concatenate([f(), f()]), np.random.RandomState(1).uniform(size=6))
