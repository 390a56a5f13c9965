"""The random number generator that initial values, and the seeds of layers that draw numbers, come from."""

from __future__ import annotations

from typing import Any

import numpy as np

_generator: Any = np.random


def get_rng() -> Any:
    """Return the generator: `numpy.random`, or what `set_rng` was given."""
    return _generator


def set_rng(new_rng: Any) -> None:
    """Let all later initial values and seeds come from another ``numpy.random.RandomState``.

    Examples
    --------
    >>> import numpy as np
    >>> from septet.dialects.lasagne.random import get_rng, set_rng
    >>> set_rng(np.random.RandomState(1))
    >>> int(get_rng().randint(1000))
    37
    >>> set_rng(np.random)
    """
    global _generator
    _generator = new_rng
