"""Whether two values share memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.coverage import asked


def may_share_memory(a: Any, b: Any, raise_other_type: bool = True) -> bool:
    """Tell whether two arrays, dense or sparse, may share memory."""
    parts = [
        [x] if isinstance(x, np.ndarray) else [getattr(x, n) for n in ("data", "indices", "indptr") if hasattr(x, n)]
        for x in (a, b)
    ]
    if not all(parts):
        if raise_other_type:
            raise TypeError("may_share_memory support only ndarray and scipy.sparse or GpuArray type")
        return False
    return any(np.may_share_memory(x, y) for x in parts[0] for y in parts[1])


__getattr__ = asked(__name__)
