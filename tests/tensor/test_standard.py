"""The parts of the array standard that are questions, and the special values that NumPy does otherwise."""

import inspect

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, ShapeError


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_finfo_is_that_of_numpy(name):
    found, expected = st.finfo(getattr(st, name)), np.finfo(name)
    for field in ("bits", "eps", "max", "min", "smallest_normal"):
        assert getattr(found, field) == getattr(expected, field)
    assert type(found.eps) is float
    assert found.dtype == name


def test_finfo_of_bfloat16_complex_and_tensors():
    assert st.finfo(st.bfloat16).eps == 2.0**-7
    assert st.finfo(st.complex128) == st.finfo(st.float64) == st.finfo(st.zeros(2, dtype=st.float64))


def test_iinfo():
    assert (st.iinfo(st.uint8).min, st.iinfo(st.uint8).max, st.iinfo(st.uint8).bits) == (0, 255, 8)
    assert st.iinfo(st.int64).min == -(2**63)


def test_infos_refuse_other_kinds():
    with pytest.raises(DTypeError, match="got int32"):
        st.finfo(st.int32)
    with pytest.raises(DTypeError, match="got float32"):
        st.iinfo(st.float32)
    with pytest.raises(DTypeError, match="got bool"):
        st.iinfo(st.bool)


def test_isdtype():
    assert st.isdtype(st.int8, "signed integer")
    assert not st.isdtype(st.uint8, "signed integer")
    assert st.isdtype(st.bfloat16, ("bool", "real floating"))
    assert not st.isdtype(st.bool, "numeric")
    assert st.isdtype(st.int8, (st.int8, st.float32))
    with pytest.raises(ArgumentError, match="no kind of dtypes 'floating'"):
        st.isdtype(st.int8, "floating")


def test_result_type_has_weak_numbers():
    assert st.result_type(st.int8, 3) == st.int8
    assert st.result_type(st.int8, 3.0) == st.float32
    assert st.result_type(st.zeros(2, dtype=st.float64), 1j) == st.complex128
    assert st.result_type(st.uint8, st.int8) == st.int16
    assert st.result_type(1, 2.0) == st.float32
    with pytest.raises(ArgumentError, match="at least one"):
        st.result_type()


def test_can_cast():
    assert st.can_cast(st.uint8, st.int16)
    assert not st.can_cast(st.int16, st.uint8)
    assert st.can_cast(st.zeros(1, dtype=st.float32), st.complex64)


def test_astype_of_its_own_dtype_adds_nothing_to_the_graph():
    x = st.symbol("x")
    assert x.astype("float32").node is x.node
    assert st.astype(x, st.float32).node is x.node
    w = st.Variable([1.0, 2.0])
    before = w.astype(w.dtype)
    w.assign(w + 1)
    assert before.tolist() == [1, 2]


def test_astype_refuses_to_lose_the_imaginary_part():
    with pytest.raises(DTypeError, match="complex64 does not fit into float32"):
        st.astype(st.tensor([1j]), st.float32)
    assert st.astype(st.tensor([1.7]), st.int32).tolist() == [1]


def test_namespace():
    x = st.arange(3)
    assert x.__array_namespace__() is st
    assert x.__array_namespace__(api_version="2023.12") is st
    with pytest.raises(ArgumentError, match="2019"):
        x.__array_namespace__(api_version="2019.12")
    info = st.__array_namespace_info__()
    assert info.default_device() in info.devices()
    assert info.dtypes(kind="real floating") == {"float32": st.float32, "float64": st.float64}
    assert info.default_dtypes()["real floating"] == st.zeros(()).dtype
    assert info.default_dtypes()["integral"] == st.arange(2).dtype


def test_devices():
    x = st.arange(3)
    assert x.to_device("cpu") is x
    with pytest.raises(ArgumentError, match="'gpu' does not exist"):
        x.to_device("gpu")
    with pytest.raises(ArgumentError, match="no streams"):
        x.to_device("cpu", stream=1)


def test_broadcast_shapes_and_arrays():
    assert st.broadcast_shapes((3, 1), (), (4,)) == (3, 4)
    assert st.broadcast_shapes((None, 1), (4,)) == (None, 4)
    with pytest.raises(ShapeError, match="3 against size 4"):
        st.broadcast_shapes((3,), (4,))
    a, b = st.broadcast_arrays(st.arange(3), st.arange(2)[:, None])
    assert a.tolist() == [[0, 1, 2]] * 2
    assert b.tolist() == [[0] * 3, [1] * 3]


def test_broadcast_arrays_of_unknown_size():
    x = st.symbol("x", (None, 1))
    a, b = st.broadcast_arrays(st.arange(3), x)
    assert a.eval({x: [[1.0], [2.0]]}).shape == (2, 3)
    assert b.eval({x: [[1.0], [2.0]]}).tolist() == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("sizes", [(), (3,), (3, 2), (2, 0, 4), (2, 3, 4, 1)])
def test_meshgrid_is_that_of_numpy(indexing, sizes):
    lines = [np.arange(size) for size in sizes]
    found = st.meshgrid(*[st.tensor(line) for line in lines], indexing=indexing)
    expected = np.meshgrid(*lines, indexing=indexing)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)


def test_meshgrid_refuses():
    with pytest.raises(ArgumentError, match="'xy' or 'ij'"):
        st.meshgrid(st.arange(2), indexing="yx")
    with pytest.raises(ArgumentError, match="one axis"):
        st.meshgrid(st.ones((2, 2)))
    with pytest.raises(ArgumentError, match="one dtype"):
        st.meshgrid(st.ones(2), st.arange(2))


def test_floor_divide_with_infinities():
    inf = float("inf")
    found = st.tensor([inf, inf, -inf, 1.0, -1.0, inf, 7.0]) // st.tensor([2.0, -2.0, 2.0, -inf, inf, inf, 2.0])
    np.testing.assert_array_equal(found.numpy(), np.array([inf, -inf, -inf, -0.0, -0.0, np.nan, 3.0], np.float32))
    assert np.signbit(found.numpy()[[3, 4]]).all()


def test_complex_limits():
    inf, nan = float("inf"), float("nan")
    found = st.expm1(st.tensor([complex(inf, 0), complex(-inf, inf), complex(-inf, nan), complex(nan, 0)])).numpy()
    np.testing.assert_array_equal(found.real, [inf, -1, -1, nan])
    np.testing.assert_array_equal(found.imag, [0, 0, 0, 0])
    found = st.tanh(st.tensor([complex(inf, 2), complex(inf, -2)])).numpy()
    np.testing.assert_array_equal(found, [1, 1])
    assert np.signbit(found.imag).tolist() == [False, True]


def test_arange_takes_the_default_float():
    assert st.arange(0, 3, 0.5).dtype == st.zeros(()).dtype


def test_asarray_without_a_copy_is_the_same_handle():
    x = st.arange(3)
    assert st.asarray(x, copy=False) is x
    y = st.asarray(x, copy=True)
    y[0] = 5
    assert x.tolist() == [0, 1, 2]


def test_signatures_of_cards():
    assert str(inspect.signature(st.max)) == "(x, axis=None, keepdims=False)"


@pytest.mark.parametrize("mask", [(0,), (0, 3), (2, 0), (0, 0)])
def test_masks_of_size_zero_select_nothing(mask):
    found = st.ones((2, 3))[st.zeros(mask, dtype=st.bool)]
    assert found.shape == (0, 3)[: 3 - len(mask)]
    x = st.ones((2, 3))
    x[st.zeros(mask, dtype=st.bool)] = 7.0
    assert x.tolist() == [[1.0] * 3] * 2


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(ShapeError, match="a boolean mask of shape"):
        st.ones((2, 3))[st.zeros((1, 3), dtype=st.bool)]
