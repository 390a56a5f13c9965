"""`theano.scalar.sharedvar`: shared numbers."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensor.sharedvar import ScalarSharedVariable as ScalarSharedVariable
from septet.dialects.theano.tensor.sharedvar import scalar_constructor


def shared(value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None) -> Any:
    """Return a shared number."""
    return scalar_constructor(value, name, strict, allow_downcast)
