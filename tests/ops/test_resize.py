import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops.resize import crop_or_pad, cut, rotate
from septet.ops.shaping import sizes_of
from septet.run import eager


def value(node):
    eager.evaluate(node)
    return node.value


@given(st.integers(0, 6), st.integers(0, 8), st.integers(-8, 8))
def test_elements_keep_their_index(length, size, start):
    x = np.arange(1, length + 1)
    y = value(crop_or_pad(x, axis=0, size=size, start=start))
    assert y.tolist() == [i + 1 if 0 <= i < length else 0 for i in range(start, start + size)]


@given(st.integers(1, 6), st.integers(-8, 8))
def test_rotate_is_roll(size, by):
    x = np.arange(2 * size).reshape(2, size)
    np.testing.assert_array_equal(value(rotate(as_node(x), 1, by)), np.roll(x, by, 1))


def test_nothing_is_recorded_where_nothing_changes():
    x = as_node(np.ones((2, 3)))
    assert cut(x, 1, 3) is x
    assert cut(x, 1, 3, 1) is not x
    assert rotate(x, 0, 4) is x


def test_size_of_another_tensor():
    x, like = (symbol(tensor_type(dtypes.float64, (None,))) for _ in range(2))
    y = cut(x, 0, sizes_of(like)[0], 1)
    assert y.shape == (None,)
    assert ReferenceProgram(Graph([x, like], [y]))([np.arange(4.0), np.zeros(5)])[0].tolist() == [1, 2, 3, 0, 0]
