import numpy as np
import pytest

from septet.base.errors import ArgumentError
from septet.ops.windows import check_groups, output_size, per_axis, resolve_padding, window_extent, window_slices


def test_per_axis():
    assert per_axis(2, 3, "stride") == (2, 2, 2)
    assert per_axis([1, np.int64(2)], 2, "stride") == (1, 2)
    assert per_axis(0, 2, "output_padding", least=0) == (0, 0)


@pytest.mark.parametrize(
    "value,text",
    [(0, "at least 1, got 0"), (1.5, "made of integers, got 1.5"), ((1, 2, 3), "2 spatial axes"), (True, "got True")],
)
def test_per_axis_refuses(value, text):
    with pytest.raises(ArgumentError, match=text):
        per_axis(value, 2, "stride")


@pytest.mark.parametrize("groups", [0, -1, 2.0, None])
def test_groups_are_positive_integers(groups):
    with pytest.raises(ArgumentError, match="groups"):
        check_groups(groups)


def test_padding_in_all_its_forms():
    def resolve(padding, spatial=(7, 8), window=(3, 4), stride=(1, 1), dilation=(1, 1)):
        return resolve_padding(padding, spatial, window, stride, dilation)

    assert resolve("valid") == ((0, 0), (0, 0))
    assert resolve(2) == ((2, 2), (2, 2))
    assert resolve((1, 2)) == ((1, 1), (2, 2))
    assert resolve([(1, 2), 3]) == ((1, 2), (3, 3))
    assert resolve("same") == ((1, 1), (1, 2))
    assert resolve("same", spatial=(None, 8)) == ((1, 1), (1, 2))
    assert resolve("same", stride=(3, 2)) == ((1, 1), (1, 1))
    assert resolve("causal", (7,), (3,), (1,), (2,)) == ((4, 0),)
    with pytest.raises(ArgumentError, match="at least 0"):
        resolve(-1)
    with pytest.raises(ArgumentError, match=r"\(1, 2, 3\) is neither an int nor a pair"):
        resolve(((1, 2, 3), 1))
    with pytest.raises(ArgumentError, match="window of known size"):
        resolve("same", window=(3, None))


def test_sizes():
    assert window_extent(3, 2) == 5
    assert output_size(7, 3, 2, (1, 0), 1) == 3
    assert output_size(2, 5, 1, (0, 0), 1) == -2
    assert output_size(None, 3, 2, (1, 0), 1) is None


def test_slices_visit_each_element_of_each_window():
    x = np.arange(20).reshape(4, 5)
    windows = np.stack([x[s] for s in window_slices((2, 2), (3, 2), (1, 2), (1, 1))], -1)  # (3, 2, 4)
    for i in range(3):
        for j in range(2):
            assert windows[i, j].tolist() == x[i : i + 2, 2 * j : 2 * j + 2].ravel().tolist()
    assert next(window_slices((1,), (0,), (2,), (1,)))[1] == slice(0, 0, 2)
