import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import septet as st
from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops import fft
from septet.run import eager
from septet.tensor.variable import Variable
from septet.transform.vjp import vjp

NORMS = hs.sampled_from(["backward", "ortho", "forward"])


def value(node):
    eager.evaluate(node)
    return node.value


def draw(*shape, seed=0, is_real=False):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal(shape)
    return x if is_real else x + 1j * generator.standard_normal(shape)


def inner(a, b):
    return np.sum(np.real(np.conj(a) * b))


@settings(max_examples=60)
@given(hs.sampled_from(["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]), hs.integers(2, 7), hs.integers(0, 8), NORMS)
def test_one_axis(name, size, n, norm):
    x = draw(2, size, 3, is_real=name in ("rfft", "ihfft"))
    n = n or None
    y = value(getattr(fft, name)(x, n=n, axis=1, norm=norm))
    np.testing.assert_allclose(y, getattr(np.fft, name)(x, n=n, axis=1, norm=norm), atol=1e-12)


@settings(max_examples=60)
@given(hs.sampled_from(["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]), hs.integers(2, 7), hs.integers(0, 8), NORMS)
def test_the_gradient_is_the_adjoint(name, size, n, norm):
    x = draw(size, is_real=name in ("rfft", "ihfft"))
    leaf = Variable(x).node
    y = getattr(fft, name)(leaf, n=n or None, norm=norm)
    w = draw(*y.shape, seed=1, is_real=not dtypes.is_complex(y.dtype))
    (g,) = vjp([y], [constant(w.copy())], [leaf])
    for turn in (1,) if x.dtype.kind == "f" else (1, 1j):
        t = draw(size, seed=2, is_real=True) * turn
        moved = value(getattr(fft, name)(as_node(t), n=n or None, norm=norm))
        assert inner(value(g), t) == pytest.approx(inner(w, moved), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(
    "words", [{}, {"axes": (2, 0)}, {"s": (3, 5), "axes": (1, 2)}, {"s": (4, 2), "axes": (-1, 0), "norm": "ortho"}]
)
def test_many_axes(name, words):
    x = draw(2, 4, 3, is_real=name == "rfftn")
    np.testing.assert_allclose(value(getattr(fft, name)(x, **words)), getattr(np.fft, name)(x, **words), atol=1e-12)


def test_sizes_without_axes_are_those_of_the_last():
    x = draw(2, 4, 3)
    np.testing.assert_allclose(value(fft.fftn(x, s=(5, 2))), np.fft.fftn(x, s=(5, 2), axes=(1, 2)), atol=1e-12)
    np.testing.assert_allclose(value(fft.fftn(x, s=(-1, 2))), np.fft.fftn(x, s=(4, 2), axes=(1, 2)), atol=1e-12)


def test_precision_is_kept():
    assert fft.fft(np.ones(4, np.float32)).dtype == np.complex64
    assert fft.fft(np.ones(4, np.complex64)).dtype == np.complex64
    assert value(fft.fft(np.ones(4, np.complex64))).dtype == np.complex64
    assert fft.rfft(np.ones(4, np.float64)).dtype == np.complex128
    assert fft.rfft(np.ones(4, np.float16)).dtype == np.complex64
    assert fft.irfft(np.ones(4, np.complex64)).dtype == np.float32
    assert fft.fft(np.ones(4, np.int64)).dtype == np.complex64
    x = Variable(np.ones(4, np.float16)).node
    y = fft.rfft(x)
    assert vjp([y], [y], [x])[0].dtype == np.float16


@pytest.mark.parametrize("size", [6, 7])
def test_sizes_may_be_unknown(size):
    x = symbol(tensor_type(dtypes.float64, (None, None)))
    half = fft.rfft(x)
    back = fft.irfft(half, n=as_node(np.int64(size)))
    whole = fft.fft(x)
    (g,) = vjp([half], [half], [x])
    (h,) = vjp([back], [x], [x])
    run = ReferenceProgram(Graph([x], [half, back, whole, g, h]))
    data = draw(2, size, is_real=True)
    found = run([data])
    np.testing.assert_allclose(found[0], np.fft.rfft(data), atol=1e-12)
    np.testing.assert_allclose(found[1], data, atol=1e-12)
    np.testing.assert_allclose(found[2], np.fft.fft(data), atol=1e-12)
    assert inner(found[3], data) == pytest.approx(inner(found[0], found[0]))
    np.testing.assert_allclose(found[4], data, atol=1e-12)  # the inverse of rfft: the identity


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_frequencies_and_shifts(n):
    np.testing.assert_allclose(st.fft.fftfreq(n, d=0.5), np.fft.fftfreq(n, 0.5))
    np.testing.assert_allclose(st.fft.rfftfreq(n, d=0.5, dtype="float64"), np.fft.rfftfreq(n, 0.5))
    assert st.fft.fftfreq(n).dtype == np.float32
    x = draw(n, n + 1)
    for axes in (None, 0, (1,), (0, 1)):
        shifted = st.fft.fftshift(st.asarray(x), axes=axes)
        np.testing.assert_array_equal(shifted, np.fft.fftshift(x, axes))
        np.testing.assert_array_equal(st.fft.ifftshift(shifted, axes=axes), x)


def test_errors():
    with pytest.raises(DTypeError, match="complex128"):
        fft.rfft(draw(4))
    with pytest.raises(DTypeError, match="bool"):
        fft.fft(np.ones(3, bool))
    with pytest.raises(ArgumentError, match="norm 'both' is not known"):
        fft.fft(draw(4), norm="both")
    with pytest.raises(ArgumentError, match="fft: n must be at least 1, got 0"):
        fft.fft(draw(4), n=0)
    with pytest.raises(ArgumentError, match="names an axis twice"):
        fft.fftn(draw(4, 4), axes=(0, -2))
    with pytest.raises(ArgumentError, match="one entry for each of 1 axes"):
        fft.fftn(draw(4, 4), s=(2, 2), axes=(0,))
    with pytest.raises(ArgumentError, match="more entries than x"):
        fft.fftn(draw(4), s=(2, 2))
    with pytest.raises(ShapeError, match="from which 0 real numbers would come"):
        fft.irfft(draw(1))
    with pytest.raises(ArgumentError, match="no axis to transform"):
        fft.rfftn(draw(4, is_real=True), axes=())
    with pytest.raises(ArgumentError, match="frequencies are floats"):
        fft.fftfreq(4, dtype="int32")
    with pytest.raises(ArgumentError, match="no device 'cuda'"):
        fft.fftfreq(4, device="cuda")
