"""Cell: what a recurrent layer runs at each step, as a small protocol that cells of your own follow too."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.updates import check_updates
from septet.tensor import random, tree
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
    recurrent_dropout : float
        The share of the first part of the state that `step` does not see in its products while training. Where it is
        above 0, `step` takes what `recurrent_mask` returned, too.
    learned_state : bool
        Whether `first_state` adds variables to what `initial_state` returns; set by `Recurrent`.

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
    recurrent_dropout = 0.0
    learned_state = False

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

    def first_state(self, shape: tuple[Any, ...], dtype: Any) -> Any:
        """Return the state before the first step as `initial_state` does, with what is learned of it.

        Raises
        ------
        ShapeError
            If it is learned and has a size, besides that of the batch, which is not known.
        """
        state = self.initial_state(shape, dtype)
        if not self.learned_state:
            return state
        leaves, structure = tree.flatten(state)
        found = [self._learned(index, leaf) if leaf.dtype.kind == "f" else leaf for index, leaf in enumerate(leaves)]
        return tree.unflatten(structure, found)

    def _learned(self, index: int, leaf: Tensor) -> Tensor:
        """Return a part of the first state, the same for all examples, with its variable; the first call makes that."""
        name = f"first_{self.state_names[index] if self.state_names else index}"
        if not hasattr(self, name):
            shape = leaf.type.shape[1:]
            if None in shape:
                raise ShapeError(
                    f"{self.label}: a first state that is learned needs known sizes, it has shape "
                    f"{shape_text(leaf.type.shape)}",
                    hint="call the layer with data first",
                )
            self.variable(name, shape, "zeros", role="parameter")
        return leaf + getattr(self, name).astype(leaf.dtype)

    def recurrent_mask(self, state: Any) -> Tensor | None:
        """Return what the first part of a state is multiplied by in the products of all steps; None for nothing.

        While training a share of it, `recurrent_dropout`, is 0.
        """
        rate = self.recurrent_dropout
        if not rate or not self.is_training:
            return None
        hidden = tree.flatten(state)[0][0]
        check_updates(self.label, hidden)
        is_kept = random.uniform(tuple(hidden.shape)) >= rate
        return is_kept.astype(hidden.dtype) * (1.0 / (1.0 - rate))

    def step(self, x: Tensor, state: Any, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        """Return the output and the next state; `x` is what `project` returned for one step.

        A cell without recurrent dropout takes no `mask`.
        """
        raise NotSupportedError(f"{type(self).__name__} defines no step()")

    def go(self, x: Tensor, state: Any, mask: Tensor | None) -> tuple[Tensor, Any]:
        """Go a step with what `recurrent_mask` returned."""
        return self.step(x, state) if mask is None else self.step(x, state, mask)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Go one step by hand: x (B, ...) and a state, or none for the first step, to output and next state."""
        projected = self.project(x)
        if state is None:
            state = self.first_state(tuple(projected.shape), projected.dtype)
        else:
            self.check_state(state)
        return self.go(projected, state, self.recurrent_mask(state))

    def check_state(self, state: Any) -> None:
        """Refuse a state of another structure."""
        names = self.state_names
        is_tuple = isinstance(state, (tuple, list))
        if names and (is_tuple if len(names) == 1 else not is_tuple or len(state) != len(names)):
            got = f"a tuple of {len(state)}" if is_tuple else f"one {type(state).__name__}"
            want = "one tensor" if len(names) == 1 else f"a tuple of {len(names)} tensors"
            raise ArgumentError(f"{self.label}: the state ({', '.join(names)}) is {want}, got {got}")
