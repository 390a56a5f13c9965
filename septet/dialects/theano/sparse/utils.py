"""Fingerprints of sparse matrices."""

from __future__ import annotations

import hashlib
from typing import Any


def hash_from_sparse(data: Any) -> str:
    """Return a text that differs where sparse matrices differ: in elements, places, shape, dtype or format."""
    found = hashlib.sha256(repr((data.shape, str(data.dtype), data.format)).encode())
    for part in (data.data, data.indices, data.indptr):
        found.update(hashlib.sha256(part.tobytes()).digest())
    return found.hexdigest()
