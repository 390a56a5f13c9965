"""`_asarray`: NumPy's asarray, whose result has exactly the dtype that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.dtypes import as_dtype


def _asarray(a: Any, dtype: Any, order: Any = None) -> np.ndarray:
    """Return an array of a dtype; ``"floatX"`` is the setting's."""
    return np.asarray(a, dtype=as_dtype(dtype), order=order)
