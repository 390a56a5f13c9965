"""The base of layers whose parameters are shared along some axes of their input."""

from __future__ import annotations

from typing import Any

from septet.dialects.lasagne.layers.base import Layer
from septet.dialects.lasagne.utils import int_types


def shared_axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as a tuple: "auto" are all but the second, "all" are all, a number is that one."""
    if isinstance(axes, str) and axes in ("auto", "all"):
        return tuple(axis for axis in range(ndim) if axis != 1 or axes == "all")
    return (axes,) if isinstance(axes, int_types) else axes


class SharedAxesLayer(Layer):
    """The base of layers whose parameters are shared along some axes."""

    def __init__(self, incoming: Any, shared_axes: Any, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.shared_axes = shared_axes_of(shared_axes, len(self.input_shape))

    def add_shared(self, spec: Any, name: str, **tags: bool) -> Any:
        """Add a parameter with the sizes of the axes along which it is not shared; None stands for none."""
        shape = [size for axis, size in enumerate(self.input_shape) if axis not in self.shared_axes]
        if spec is not None and None in shape:
            raise ValueError(
                f"{type(self).__name__} needs specified input sizes for all axes that {name} is not shared over."
            )
        return None if spec is None else self.add_param(spec, shape, name, **tags)

    def laid_over(self, param: Any) -> Any:
        """Return a parameter with axes of size 1 where it is shared."""
        own = iter(range(param.ndim))
        axes = range(len(self.input_shape))
        return param.dimshuffle(["x" if axis in self.shared_axes else next(own) for axis in axes])
