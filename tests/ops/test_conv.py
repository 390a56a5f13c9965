import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops.conv import conv, conv_input, conv_kernel, conv_transpose
from septet.run import eager
from septet.tensor.variable import Variable
from septet.transform.vjp import vjp


def value(node):
    eager.evaluate(node)
    return node.value


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def plain(x, kernel, stride, padding, dilation, groups):
    """Convolve by the definition, one element of the result at a time."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *padding])
    out = [(x.shape[2 + a] - dilation[a] * (kernel.shape[2 + a] - 1) - 1) // stride[a] + 1 for a in range(rank)]
    y = np.zeros((x.shape[0], kernel.shape[0], *out))
    per_in, per_out = kernel.shape[1], kernel.shape[0] // groups
    for o, at in itertools.product(range(kernel.shape[0]), itertools.product(*map(range, out))):
        part = o // per_out
        window = tuple(
            slice(i * s, i * s + d * (k - 1) + 1, d)
            for i, s, d, k in zip(at, stride, dilation, kernel.shape[2:], strict=True)
        )
        seen = x[(slice(None), slice(part * per_in, (part + 1) * per_in), *window)]
        y[(slice(None), o, *at)] = np.sum(seen * kernel[o], axis=tuple(range(1, rank + 2)))
    return y


@settings(max_examples=40)
@given(st.data())
def test_conv_is_its_definition_and_the_other_two_are_its_transposes(data):
    rank = data.draw(st.integers(1, 3))
    axes = lambda low, high: tuple(data.draw(st.integers(low, high)) for _ in range(rank))
    groups, per_in, per_out = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    window, stride, dilation, low, high = axes(1, 3), axes(1, 3), axes(1, 2), axes(0, 2), axes(0, 2)
    spatial = tuple(d * (k - 1) + 1 + more for d, k, more in zip(dilation, window, axes(0, 3), strict=True))
    padding = tuple(zip(low, high, strict=True))
    x, kernel = draw(2, groups * per_in, *spatial), draw(groups * per_out, per_in, *window, seed=1)
    words = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = value(conv(x, kernel, **words))
    np.testing.assert_allclose(y, plain(x, kernel, **words), atol=1e-12)
    g = draw(*y.shape, seed=2)
    expected = np.sum(y * g)
    np.testing.assert_allclose(np.sum(x * value(conv_input(g, kernel, size=spatial, **words))), expected, atol=1e-10)
    np.testing.assert_allclose(np.sum(kernel * value(conv_kernel(x, g, size=window, **words))), expected, atol=1e-10)


def test_agrees_with_scipy():
    x, kernel = draw(1, 1, 9, 8), draw(1, 1, 3, 4, seed=1)
    np.testing.assert_allclose(value(conv(x, kernel))[0, 0], correlate(x[0, 0], kernel[0, 0], "valid"), atol=1e-12)


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_keeps_the_size_up_to_the_stride(size, stride):
    y = conv(draw(1, 2, size), draw(3, 2, 4), padding="same", stride=stride)
    assert y.shape == (1, 3, -(-size // stride))
    low, high = y.param("padding")[0]
    assert high - low in (0, 1)


def test_causal_padding_does_not_look_ahead():
    kernel = draw(1, 1, 3)
    x = draw(1, 1, 8)
    later = x.copy()
    later[..., 5:] += 1
    a, b = (value(conv(v, kernel, padding="causal", dilation=2)) for v in (x, later))
    assert a.shape == x.shape
    np.testing.assert_array_equal(a[..., :5], b[..., :5])
    with pytest.raises(ArgumentError, match="one spatial axis"):
        conv(draw(1, 1, 8, 8), draw(1, 1, 3, 3), padding="causal")


def test_blocks_do_not_change_the_result(monkeypatch):
    x, kernel = draw(7, 4, 6, 6), draw(6, 2, 3, 3)
    words = {"groups": 2, "padding": 1}
    whole = value(conv(x, kernel, **words))
    g = draw(*whole.shape)
    others = value(conv_input(g, kernel, size=(6, 6), **words)), value(conv_kernel(x, g, size=(3, 3), **words))
    monkeypatch.setattr("septet.ops.conv.BLOCK", 4 * 9 * 36 * 3)  # three examples at a time
    np.testing.assert_allclose(value(conv(x, kernel, **words)), whole, atol=1e-12)
    np.testing.assert_allclose(value(conv_input(g, kernel, size=(6, 6), **words)), others[0], atol=1e-12)
    np.testing.assert_allclose(value(conv_kernel(x, g, size=(3, 3), **words)), others[1], atol=1e-12)


@pytest.mark.parametrize("shape", [(None, 3, 8, 8), (2, None, None, None), (None, None, 8, None)])
def test_sizes_may_be_unknown(shape):
    x = symbol(tensor_type(dtypes.float64, shape))
    kernel = Variable(draw(4, 3, 3, 3)).node
    y = conv(x, kernel, padding="same")
    assert y.shape == (shape[0], 4, *shape[2:])
    cotangent = symbol(tensor_type(dtypes.float64, y.shape))
    gx, gk = vjp([y], [cotangent], [x, kernel])
    assert gx.shape == (shape[0], 3, *shape[2:])
    assert gk.shape == (4, shape[1], 3, 3)
    run = ReferenceProgram(Graph([x, cotangent], [y, gx, gk]))
    data, g = draw(2, 3, 8, 8), draw(2, 4, 8, 8, seed=3)
    found = run([data, g])
    np.testing.assert_allclose(found[0], value(conv(data, kernel.value, padding="same")), atol=1e-12)
    np.testing.assert_allclose(np.sum(found[1] * data), np.sum(found[0] * g), atol=1e-9)
    np.testing.assert_allclose(np.sum(found[2] * kernel.value), np.sum(found[0] * g), atol=1e-9)


def test_unknown_size_with_same_padding_and_a_stride_is_refused():
    x = symbol(tensor_type(dtypes.float32, (1, 3, None)))
    with pytest.raises(ArgumentError, match="depends on the size of spatial axis 0"):
        conv(x, draw(4, 3, 3), padding="same", stride=2)
    assert conv(x, draw(4, 3, 3), padding="same").shape == (1, 4, None)


def test_a_wrong_shape_that_was_unknown_is_found_when_the_graph_runs():
    x = symbol(tensor_type(dtypes.float64, (None, None, None)))
    run = ReferenceProgram(Graph([x], [conv(x, draw(4, 3, 3))]))
    with pytest.raises(ShapeError, match="x has 2 channels"):
        run([draw(1, 2, 9)])
    with pytest.raises(ShapeError, match="larger than the padded input"):
        run([draw(1, 3, 2)])


def test_the_message_marks_the_channels():
    with pytest.raises(ShapeError) as caught:
        conv(np.zeros((2, 3, 8, 8), "float32"), np.zeros((4, 16, 3, 3), "float32"))
    lines = str(caught.value).splitlines()
    assert "x has 3 channels (axis 1), the kernel takes 16" in lines[0]
    at = next(i for i, line in enumerate(lines) if "float32[4, 16, 3, 3]" in line)
    assert lines[at + 1].rstrip() == " " * lines[at].index("16") + "^^"


@pytest.mark.parametrize("name", ["int32", "uint8", "float16", "bfloat16", "complex64"])
def test_dtypes(name):
    dtype = dtypes.BY_NAME[name]
    x, kernel = np.arange(18).reshape(1, 2, 9).astype(dtype), (np.arange(12).reshape(2, 2, 3) % 3).astype(dtype)
    y = conv(x, kernel)
    assert y.dtype == dtype
    wide = value(conv(x.astype("complex128"), kernel.astype("complex128")))
    np.testing.assert_array_equal(value(y), wide)


def test_a_batch_of_kernels_of_unknown_number_is_refused():
    kernels = symbol(tensor_type(dtypes.float32, (None, 4, 3, 3)))
    y = conv(draw(1, 3, 8), draw(4, 3, 3))
    with pytest.raises(NotSupportedError, match="known size"):
        conv.batch([False, True], as_node(draw(1, 3, 8)), kernels, **y.keywords())


class TestTranspose:
    @pytest.mark.parametrize("stride,padding,extra,dilation", [(1, 0, 0, 1), (2, 1, 1, 1), (3, 0, 2, 2), (2, 2, 0, 3)])
    def test_sizes_and_values(self, stride, padding, extra, dilation):
        x, kernel = draw(2, 3, 5), draw(3, 4, 3)
        y = conv_transpose(x, kernel, stride=stride, padding=padding, output_padding=extra, dilation=dilation)
        size = (5 - 1) * stride - 2 * padding + dilation * 2 + extra + 1
        assert y.shape == (2, 4, size)
        expected = np.zeros((2, 4, size + 2 * padding + 8))
        for i, k in itertools.product(range(5), range(3)):
            expected[:, :, i * stride + k * dilation] += x[:, :, i] @ kernel[:, :, k]
        np.testing.assert_allclose(value(y), expected[..., padding : padding + size], atol=1e-12)

    @pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
    def test_same_multiplies_the_size_by_the_stride(self, window):
        y = conv_transpose(draw(1, 2, 5, 4), draw(2, 3, window, window), stride=(2, 3), padding="same")
        assert y.shape == (1, 3, 10, 12)

    def test_groups(self):
        x, kernel = draw(1, 4, 5), draw(4, 3, 2)
        halves = [value(conv_transpose(x[:, i : i + 2], kernel[i : i + 2], stride=2)) for i in (0, 2)]
        np.testing.assert_allclose(
            value(conv_transpose(x, kernel, stride=2, groups=2)), np.concatenate(halves, 1), atol=1e-12
        )

    def test_unknown_size(self):
        x = symbol(tensor_type(dtypes.float64, (None, 2, None)))
        y = conv_transpose(x, draw(2, 3, 3), stride=2, padding=1, output_padding=1)
        run = ReferenceProgram(Graph([x], [y]))
        for size in (3, 5):
            data = draw(2, 2, size)
            expected = value(conv_transpose(data, draw(2, 3, 3), stride=2, padding=1, output_padding=1))
            assert expected.shape == (2, 3, 2 * size)
            np.testing.assert_allclose(run([data])[0], expected, atol=1e-12)

    def test_errors(self):
        with pytest.raises(ArgumentError, match="output_padding 2 must be less than the stride 2"):
            conv_transpose(draw(1, 2, 5), draw(2, 3, 3), stride=2, output_padding=2)
        with pytest.raises(ShapeError, match=r"5 channels .* takes 2"):
            conv_transpose(draw(1, 5, 5), draw(2, 3, 3))
        with pytest.raises(ShapeError, match="leaves nothing"):
            conv_transpose(draw(1, 2, 1), draw(2, 3, 3), padding=2)
        with pytest.raises(ArgumentError, match="got 'causal'"):
            conv_transpose(draw(1, 2, 5), draw(2, 3, 3), padding="causal")
        with pytest.raises(ShapeError, match="rank"):
            conv_transpose(draw(2, 5), draw(2, 3, 3))
