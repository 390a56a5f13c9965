"""Sources that use arrays as old NumPy let them."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from septet.dialects.running.former_methods import FormerMethods, call_former, is_mentioned, key_of

SOURCE = b"""
slices = [slice(None), slice(1, None)]
part = a[slices]
b = a.copy()
b[[slice(None, None, 2) for _ in range(2)]] = 0
rows = a[[1, 0]]
text = a.tostring()
"""


def test_lists_of_slices_are_keys_and_methods_that_are_gone_are_called() -> None:
    a = np.arange(6.0).reshape(2, 3)
    gone: list[str] = []
    names: dict[str, Any] = {"a": a, "_septet_former": call_former(gone.append), "_septet_key": key_of}
    assert is_mentioned(SOURCE)
    exec(compile(FormerMethods().visit(ast.parse(SOURCE)), "old.py", "exec"), names)
    np.testing.assert_array_equal(names["part"], a[:, 1:])
    np.testing.assert_array_equal(names["rows"], a[::-1])
    assert names["b"].tolist() == [[0, 1, 0], [3, 4, 5]]
    assert names["text"] == a.tobytes()
    with pytest.raises(IndexError):
        a[[slice(None)]]  # what NumPy itself says to such a key
