"""The cases of a card: right and wrong calls, from which the conformance tests are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import SeptetError
from septet.base.text import type_text

if TYPE_CHECKING:
    from septet.graph.op import Op


class Case:
    """One way to call an op, for the tests made from its card.

    Parameters
    ----------
    *args
        A tuple of ints stands for a random array of that shape with values from the card's domain; anything else
        (array, number) is used as it is.
    domain : (float, float) or (float, float, "int") or list of them, optional
        Range of the random values, for all arguments or one for each.
    gradient : bool
        Whether to test gradients on this case.
    tolerance : float, optional
        Relative tolerance against the reference in float64.
    **params
        The op's parameters.
    """

    __slots__ = ("args", "domain", "gradient", "params", "tolerance")

    def __init__(
        self, *args: Any, domain: Any = None, gradient: bool = True, tolerance: float | None = None, **params: Any
    ) -> None:
        self.args = args
        self.domain = domain
        self.gradient = gradient
        self.tolerance = tolerance
        self.params = params

    def arrays(self, op: Op, dtype: DType = dtypes.float64, seed: int = 0) -> list[Any]:
        """Draw the arguments."""
        generator = np.random.default_rng(seed)
        domain = self.domain or op.domain
        result: list[Any] = []
        for position, arg in enumerate(self.args):
            if type(arg) is tuple and all(type(size) is int for size in arg):
                own = domain[position] if isinstance(domain, list) else domain
                if len(own) == 3:
                    result.append(generator.integers(own[0], own[1], arg))
                    continue
                values = generator.uniform(own[0], own[1], arg)
                if dtypes.is_complex(dtype):
                    values = values + 1j * generator.uniform(own[0], own[1], arg)
                result.append(values.astype(dtype))
            else:
                result.append(arg)
        return result

    def __repr__(self) -> str:
        args = ", ".join(repr(a) if not isinstance(a, np.ndarray) else type_text(a) for a in self.args)
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Case({args}{params})"


class BadCase(Case):
    """One wrong way to call an op, with the error class and a part of the message that must come.

    Parameters
    ----------
    error : type
        The exception class.
    match : str
        Text that the message contains.
    """

    __slots__ = ("error", "match")

    def __init__(self, *args: Any, error: type[SeptetError], match: str, **params: Any) -> None:
        super().__init__(*args, **params)
        self.error = error
        self.match = match
