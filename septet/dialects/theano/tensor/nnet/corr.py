"""`theano.tensor.nnet.corr`: correlation in two dimensions, and its gradients, as ops."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet import abstract_conv
from septet.dialects.theano.tensor.nnet.conv_shapes import get_conv_gradinputs_shape, get_conv_gradweights_shape


def correlations(rank: int) -> tuple[Any, Any, Any]:
    """Return the classes of a correlation with `rank` spatial axes, of its gradient in the kernel, and in the images."""

    class Correlation:
        def __init__(
            self, border_mode: Any = "valid", subsample: Any = (1,) * rank, filter_dilation: Any = (1,) * rank,
            num_groups: int = 1, unshared: bool = False,
        ) -> None:  # fmt: skip
            super().__init__(None, None, border_mode, subsample, False, filter_dilation, num_groups, unshared)  # type: ignore[call-arg]

    class GradWeights(Correlation):
        def make_node(self, *inputs: Any, shape: Any = None) -> Any:
            given = inputs if shape is None else (*inputs, shape)
            return super().make_node(*_sized(self, get_conv_gradweights_shape, given))  # type: ignore[misc]

    class GradInputs(Correlation):
        def make_node(self, *inputs: Any, shape: Any = None) -> Any:
            given = inputs if shape is None else (*inputs, shape)
            return super().make_node(*_sized(self, get_conv_gradinputs_shape, given))  # type: ignore[misc]

    def _sized(op: Any, rule: Any, inputs: Any) -> list[Any]:
        first, top, *shape = [None if one is None else as_tensor_variable(one) for one in inputs]
        if not shape or shape[0] is None:
            if any(step != 1 for step in op.subsample):
                raise ValueError("shape must be given if subsample != 1")
            found = rule(tuple(first.shape), tuple(top.shape), op.border_mode, op.subsample, op.filter_dilation)
            if any(size is None for size in found[-rank:]):
                raise ValueError("shape must be given for this border_mode")
            shape = [as_tensor_variable(list(found[-rank:]))]
        return [first, top, *shape]

    name = {2: "CorrMM", 3: "Corr3dMM"}[rank]
    what = f"{rank} dimensions; see `AbstractConv{rank}d` for the parameters."
    rows = (
        (name, Correlation, f"AbstractConv{rank}d", f"Correlation in {what}"),
        (f"{name}_gradWeights", GradWeights, f"AbstractConv{rank}d_gradWeights", f"The gradient of a correlation in its kernel, in {what}"),
        (f"{name}_gradInputs", GradInputs, f"AbstractConv{rank}d_gradInputs", f"The gradient of a correlation in its images, in {what}"),
    )  # fmt: skip
    made = [type(own, (mixin, getattr(abstract_conv, base)), {"__doc__": text}) for own, mixin, base, text in rows]
    return made[0], made[1], made[2]


CorrMM, CorrMM_gradWeights, CorrMM_gradInputs = correlations(2)
