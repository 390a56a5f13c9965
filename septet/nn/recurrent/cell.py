"""Cell: what a recurrent layer runs at each step, as a small protocol that cells of your own follow too."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, NotSupportedError
from septet.nn.module import Module
from septet.tensor.tensor import Tensor


class Cell(Module):
    """One step in time: from an input and a state to an output and the next state.

    A cell of your own defines `step` and `initial_state`, makes its variables in `build`, and is run over sequences by
    `Recurrent`. What it can compute of the inputs of all steps at once, such as their product with a kernel, goes into
    `project`: a layer calls it once before the loop.

    Attributes
    ----------
    rank : int or None
        How many axes the input of one example has at one step; None for any number.
    state_names : tuple of str
        The parts of the state: with one name the state is a tensor, with several a tuple of them. Empty: anything.
    output_is_state : bool
        Whether the output is the state, or its first part: then no output is kept that nobody asks for.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> class Average(nn.Cell):  # a running mean that forgets
    ...     output_is_state, state_names = True, ("mean",)
    ...     def initial_state(self, shape, dtype):
    ...         return st.zeros(shape, dtype=dtype)
    ...     def step(self, x, state):
    ...         mean = 0.5 * state + 0.5 * x
    ...         return mean, mean
    >>> nn.Recurrent(Average())(st.ones((1, 3, 2)))
    tensor([[0.875, 0.875]], dtype=float32)
    """

    rank: int | None = None
    state_names: tuple[str, ...] = ()
    output_is_state = False

    def project(self, x: Tensor) -> Tensor:
        """Return what `step` needs of inputs; `x` has the axes of a batch, or of steps and a batch, in front."""
        return x

    def initial_state(self, shape: tuple[Any, ...], dtype: Any) -> Any:
        """Return the state before the first step.

        Parameters
        ----------
        shape : tuple
            That of what `project` returned for one step: the batch first. A size that is not known yet is a scalar
            tensor.
        dtype : dtype
        """
        raise NotSupportedError(f"{type(self).__name__} defines no initial_state()", hint="give the layer a state")

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the output and the next state; `x` is what `project` returned for one step."""
        raise NotSupportedError(f"{type(self).__name__} defines no step()")

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Go one step by hand: x (B, ...) and a state, or none for the first step, to output and next state."""
        projected = self.project(x)
        if state is None:
            state = self.initial_state(tuple(projected.shape), projected.dtype)
        else:
            self.check_state(state)
        return self.step(projected, state)

    def check_state(self, state: Any) -> None:
        """Refuse a state of another structure."""
        names = self.state_names
        is_tuple = isinstance(state, (tuple, list))
        if names and (is_tuple if len(names) == 1 else not is_tuple or len(state) != len(names)):
            got = f"a tuple of {len(state)}" if is_tuple else f"one {type(state).__name__}"
            want = "one tensor" if len(names) == 1 else f"a tuple of {len(names)} tensors"
            raise ArgumentError(f"{self.label}: the state ({', '.join(names)}) is {want}, got {got}")
