"""Graphs: when two are the same."""

import numpy as np
import pytest

from septet.base import dtypes
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type


def padded(value) -> Graph:
    x = symbol(tensor_type(dtypes.float32, (2,)))
    return Graph([x], [ops.pad(x, widths=((1, 0),), value=value)])


@pytest.mark.parametrize("value", [0, 0.0, -0.0, False, 1, 1.0, True], ids=repr)
def test_graphs_are_the_same_only_with_the_same_parameters(value):
    assert padded(value) == padded(value)
    assert hash(padded(value)) == hash(padded(value))
    others = [v for v in (0, 0.0, -0.0, False, 1, 1.0, True) if repr(v) != repr(value)]
    assert all(padded(value) != padded(other) for other in others)


def test_a_not_a_number_is_a_parameter_like_others():
    assert padded(float("nan")) == padded(float("nan"))


def test_graphs_with_other_constants_differ():
    def shifted(array):
        x = symbol(tensor_type(dtypes.float64, (2,)))
        return Graph([x], [x + constant(np.array(array))])

    assert shifted([1.0, 2.0]) == shifted([1.0, 2.0])
    assert shifted([0.0, 2.0]) != shifted([-0.0, 2.0])
