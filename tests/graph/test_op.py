"""Recording: what a node is, whichever way it was made, and what is kept of the type rules' answers."""

import threading

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError
from septet.base.heap import LINE
from septet.base.source import line_of
from septet.graph.assemble import assemble
from septet.graph.context import SYMBOLIC, TRACKED, context
from septet.graph.node import Node, constant, scalar, symbol, weak
from septet.graph.op import LARGE, as_array, as_nodes, get, ops, record
from septet.graph.types import tensor_type

F = dtypes.float32


def sym(*shape, dtype=F):
    return symbol(tensor_type(dtype, shape))


# What the rules say is kept by parameters to the bit


@pytest.mark.parametrize("first", [0.0, -0.0])
def test_a_negative_zero_is_not_a_zero(first):
    x = constant(np.ones(2, np.float32))
    get("pad").resolutions.clear()
    for value in (first, -first, first):
        node = ops.pad(x, widths=((1, 0),), value=value)
        assert np.signbit(node.op.reference(x.value, **node.keywords())[0]) == np.signbit(value)


def test_pad_in_use():
    st.pad(st.ones(2), 1, value=0.0)
    assert np.signbit(st.pad(st.ones(2), 1, value=-0.0).numpy()[0])
    assert not np.signbit(st.pad(st.ones(2), 1, value=0.0).numpy()[0])


def test_parameters_keep_their_types():
    x = sym(3, 4)
    for value in (1, 1.0, True, np.float64(1.0), 1):
        node = ops.pad(x, widths=((1, 0), (0, 0)), value=value)
        assert type(node.param("value")) is type(value)


def test_keys_tell_parameters_apart():
    x = sym(2)
    keys = {ops.pad(x, widths=((1, 0),), value=value).key for value in (0, 0.0, -0.0, False, 1, 1.0, True)}
    assert len(keys) == 7
    assert ops.pad(x, widths=((1, 0),), value=0.5).key == ops.pad(x, widths=((1, 0),), value=0.5).key


def test_parameters_that_cannot_be_hashed_become_tuples():
    x = sym(3, 4)
    assert ops.pad(x, widths=[[1, 0], [0, 0]]).params == ops.pad(x, widths=((1, 0), (0, 0))).params
    with pytest.raises(ArgumentError, match="cannot take"):
        record(get("pad"), (x,), ({}, 0))


def test_what_depends_on_a_setting_follows_it():
    numbers = sym(3, dtype=dtypes.int64)
    for _ in range(2):
        assert ops.exp(numbers).dtype == dtypes.float32
        assert ops.cast(numbers, dtype=float).dtype == dtypes.float32
        with st.config.override(default_float="float64"):
            assert ops.exp(numbers).dtype == dtypes.float64
            assert ops.cast(numbers, dtype=float).dtype == dtypes.float64
    assert ops.exp(sym(3)).dtype == dtypes.float32


def test_the_kept_answers_do_not_grow_without_bound():
    op = get("negative")
    for size in range(9000):
        record(op, (sym(size),))
    assert len(op.resolutions) <= 8192


# The node


def recorded():
    a, b, c = sym(2, 3), sym(3), sym(2, 1, dtype=dtypes.bool_)
    return [
        ops.exp(a),
        a + b,
        a * 2.0,
        ops.where(c, a, b),
        ops.concatenate(a, a, a, a),
        ops.pad(a, widths=((1, 1), (0, 0)), value=-0.0),
        ops.sum(a, axis=(1, 0)),
        sym(3, dtype=dtypes.int32) + b,
    ]


def test_every_attribute_is_set():
    nodes = [*recorded(), sym(2), scalar(1.0, F), constant(np.ones(2))]
    for node in nodes:
        for name in Node.__slots__:
            assert hasattr(node, name), f"{node!r} has no {name}"


@pytest.mark.parametrize("node", recorded(), ids=lambda node: node.op.name)
def test_assembled_is_like_recorded(node):
    other = assemble(node.op, node.inputs, node.params, node.type, node.flags)
    assert other.key == node.key


def test_flags_come_from_all_inputs():
    tracked, plain = st.Variable(np.ones(2, np.float32)).node, constant(np.ones(2, np.float32))
    symbolic = symbol(tensor_type(F, (2,)), is_tracked=False)
    assert (tracked + plain).flags == TRACKED
    assert (plain + symbolic).flags == SYMBOLIC
    assert ops.where(plain > 0, symbolic, tracked).flags == SYMBOLIC | TRACKED
    assert ops.concatenate(plain, plain, plain, tracked).flags == TRACKED
    with st.no_grad():
        assert (tracked + plain).flags == 0


def test_an_op_that_cuts_the_path_does_so_whichever_way_it_is_recorded():
    tracked = st.Variable(np.ones(2, np.float32)).node
    assert record(get("stop_gradient"), (tracked,)).flags == 0
    assert ops.stop_gradient(tracked).flags == 0


def test_the_source_is_the_users_line():
    x = st.tensor([1.0, 2.0])
    for make in (
        lambda: x.exp(),
        lambda: st.exp(x),
        lambda: x + x,
        lambda: 1.0 - x,
        lambda: st.maximum(x, 0.0),
        lambda: st.where(x > 0, x, x),
        lambda: st.softmax(x),
        lambda: st.pad(x, 1),
    ):
        node = make().node
        assert line_of(node.source) == (__file__, make.__code__.co_firstlineno)


def test_each_thread_has_its_own_state():
    seen = []

    def work():
        seen.append((context.mask, context.layers, context.trace, context.limit))
        seen.append(st.exp(st.tensor([0.0])).numpy()[0])

    with st.no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [(TRACKED | SYMBOLIC, (), None, 0), 1.0]


# Calling a card


def test_a_call_is_checked():
    x = sym(2)
    with pytest.raises(ArgumentError, match=r"exp takes 1 inputs \(x\), got 2"):
        ops.exp(x, x)
    with pytest.raises(ArgumentError, match=r"(?s)pad has no parameter 'valeu'.*did you mean 'value'"):
        ops.pad(x, widths=((1, 1),), valeu=0)
    with pytest.raises(ArgumentError, match="pad needs the parameter 'widths'"):
        ops.pad(x)
    with pytest.raises(DTypeError, match="cannot make a tensor of dtype <U4"):
        ops.exp("text")


def test_numbers_are_weak():
    x = sym(2, dtype=dtypes.float16)
    assert [node.dtype for node in as_nodes((x, 2.0))] == [dtypes.float16] * 2
    assert [node.dtype for node in as_nodes((2, x))] == [dtypes.float16] * 2
    assert [node.dtype for node in as_nodes((1, 2.0))] == [F] * 2
    assert as_nodes((1, x, np.ones(2, np.float64)))[0].dtype == dtypes.float64
    mask = sym(2, dtype=dtypes.bool_)
    assert [node.dtype for node in as_nodes((mask, 1, 2.0))] == [dtypes.bool_, F, F]
    large = as_nodes((sym(2, dtype=dtypes.int64), 2**24 + 1, 0.1))
    assert [node.value for node in large[1:]] == [2**24 + 1, 0.1]


def test_a_number_beside_a_tensor():
    assert weak(2.0, F) is weak(2.0, F)
    assert weak(2, F).value.dtype == F
    assert weak(2.5, dtypes.int8).dtype == F
    assert weak(0.1, dtypes.int64).value == 0.1
    with st.config.override(default_float="float64"):
        assert weak(2.5, dtypes.int8).dtype == dtypes.float64
    assert np.signbit(weak(-0.0, F).value) and not np.signbit(weak(0.0, F).value)
    assert weak(True, dtypes.bool_).dtype == dtypes.bool_
    assert weak(1, dtypes.bool_).dtype == dtypes.int64
    with pytest.raises(OverflowError, match="300 does not fit int8"):
        weak(300, dtypes.int8)


def test_reductions_take_their_axes_in_every_spelling():
    x = st.tensor(np.arange(6.0).reshape(2, 3))
    for found in (st.sum(x, 1), st.sum(x, axis=1), x.sum(-1), st.sum(x, (1,)), st.sum(x, axis=[1])):
        np.testing.assert_array_equal(found.numpy(), [3.0, 12.0])
    assert st.sum(x, axis=1, keepdims=True).shape == (2, 1)


@pytest.mark.parametrize("dtype", [None, dtypes.float32, dtypes.int64, dtypes.bool_])
@pytest.mark.parametrize("kind", ["f4", ">f8", "i2", "c8"])
def test_large_arrays_are_copied_as_small_ones_are(kind, dtype):
    if kind == "c8" and dtype not in (None, dtypes.bool_):
        pytest.skip("NumPy warns that it drops imaginary parts")
    base = np.arange(LARGE * 2).reshape(2, -1) % 100
    for value in (base.astype(kind), np.asfortranarray(base.astype(kind)), base.astype(kind)[:, ::2]):
        large, small = as_array(value, dtype), as_array(value[:, :3], dtype)
        assert large.dtype == small.dtype and large.flags.c_contiguous and not large.flags.writeable
        assert not np.shares_memory(large, value)
        np.testing.assert_array_equal(large, value.astype(large.dtype))
        if kind != ">f8":
            assert large.ctypes.data % LINE == 0
