import numpy as np
import pytest

import septet  # noqa: F401  (registers the cards)
from septet.base.errors import LinearAlgebraError, ShapeError
from septet.graph.op import as_node
from septet.ops import matrices
from septet.run import eager


def value(node):
    eager.evaluate(node)
    return node.value


@pytest.mark.parametrize("lower", [None, 0, 1, -1, -2, 5])
@pytest.mark.parametrize("upper", [None, 0, 2, -1])
def test_band(lower, upper):
    x = np.arange(1.0, 13).reshape(3, 4)
    y = x if lower is None else np.triu(x, -lower)
    y = y if upper is None else np.tril(y, upper)
    np.testing.assert_array_equal(value(matrices.band_part(x, lower=lower, upper=upper)), y)


def test_bands_cut_off_what_is_not_finite():
    x = np.full((2, 2), np.nan)
    assert value(matrices.band_part(x, lower=0, upper=0))[0, 1] == 0


@pytest.mark.parametrize("offset", range(-3, 5))
def test_diagonal_and_back(offset):
    x = np.arange(24.0).reshape(2, 3, 4)
    d = matrices.diagonal(x, offset=offset)
    np.testing.assert_array_equal(value(d), np.diagonal(x, offset, 1, 2))
    assert d.shape == value(d).shape
    back = value(matrices.from_diagonal(d, size=(3, 4), offset=offset))
    np.testing.assert_array_equal(back, np.where(np.eye(3, 4, offset) == 1, x, 0))


def test_division_by_nothing():
    x, by = as_node(np.array([0.0, 1.0, 6.0])), as_node(np.array([0.0, 0.0, 3.0]))
    assert value(matrices.divide_known(x, by)).tolist() == [0, np.inf, 2]


def test_stacks_align_behind_the_batch():
    a, b = as_node(np.ones((5, 2, 2))), as_node(np.ones((3, 4, 2, 2)))
    assert [x.shape for x in matrices.align([True, False], [a, b])] == [(5, 1, 1, 2, 2), (3, 4, 2, 2)]
    assert [x.shape for x in matrices.align([True, True], [a, b])] == [(5, 1, 2, 2), (3, 4, 2, 2)]
    assert [x.shape for x in matrices.align([False, True], [a, b])] == [(5, 2, 2), (3, 4, 2, 2)]


def test_errors_name_the_position():
    x = np.stack([np.eye(2)] * 6).reshape(2, 3, 2, 2)
    x[1, 2] = 0
    with pytest.raises(LinearAlgebraError, match=r"^matrix \(1, 2\) of the stack is empty"):
        matrices.run_lapack(np.linalg.inv, lambda a: "is empty", x)
    x[0, 1, 0, 0] = np.nan
    x[0, 1, 1, 1] = 0
    with pytest.raises(LinearAlgebraError, match="the matrix has elements that are not finite"):
        matrices.run_lapack(np.linalg.svd, lambda a: "", x[0, 1])


def test_marks_of_a_matrix_that_is_not_square():
    with pytest.raises(ShapeError) as caught:
        matrices.check_square((4, 2, 3))
    assert caught.value.marks == ((0, -2), (0, -1))
