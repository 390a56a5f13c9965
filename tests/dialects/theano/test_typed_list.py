"""`theano.typed_list` against Python's lists."""

from __future__ import annotations

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.typed_list import TypedListType, length, make_list

MATRIX = T.dmatrix().type
VALUES = [np.full((2, 2), float(number)) for number in (1, 2, 1)]


def test_lists_are_changed_and_asked_as_in_python() -> None:
    lists, x, place = TypedListType(MATRIX)("lists"), T.dmatrix("x"), T.lscalar("place")
    extra = np.zeros((1, 2))
    expected = {
        lists[place]: VALUES[1], lists[1:]: VALUES[1:], lists.append(x): [*VALUES, extra],
        lists.extend(lists): VALUES * 2,
        lists.insert(place, x): [VALUES[0], extra, *VALUES[1:]], lists.remove(VALUES[0]): VALUES[1:],
        lists.remove(x): VALUES, lists.reverse(): VALUES[::-1], lists.ind(VALUES[1]): 1.0, lists.count(VALUES[0]): 2.0,
        length(lists): 3, lists[0].sum() + x.sum(): 4.0, make_list([x, lists[2]]): [extra, VALUES[2]],
    }  # fmt: skip
    call = theano.function([lists, x, place], list(expected), on_unused_input="ignore")
    given = list(VALUES)
    for found, wanted in zip(call(given, extra, 1), expected.values(), strict=True):
        assert type(found) is list or not isinstance(wanted, list)
        for one, other in zip(*[v if isinstance(v, list) else [v] for v in (found, wanted)], strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(given) == 3


def test_types_of_lists_are_checked() -> None:
    lists = TypedListType(MATRIX)()
    assert (
        TypedListType(MATRIX, 1) == TypedListType(TypedListType(MATRIX)) and TypedListType(MATRIX, 1).get_depth() == 1
    )
    assert (lists.ttype, lists.ndim, str(lists.type)) == (MATRIX, 3, "TypedList <TensorType(float64, matrix)>")
    with pytest.raises(AssertionError, match="expected TensorType"):
        lists.append(T.dvector())
    with pytest.raises(TypeError, match="expected TensorType"):
        lists[T.dscalar()]
    with pytest.raises(TypeError, match="same type"):
        make_list([T.dscalar(), T.dvector()])
    with pytest.raises(ValueError, match="not in the list"):
        theano.function([lists], lists.ind(np.ones((1, 1))))(VALUES)
