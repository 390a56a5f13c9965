"""The bases of all layers: `Layer` has one input, `MergeLayer` several; others for layers that look at axes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import utils

__all__ = ["Layer", "MergeLayer"]

Shape = tuple[int | None, ...]


class Layer:
    """A function of the output of another layer, usually with parameters.

    Subclasses define `get_output_for`, `get_output_shape_for` where the shape changes, and call `add_param` in their
    ``__init__`` for each parameter.
    """

    def __init__(self, incoming: Any, name: str | None = None) -> None:
        is_shape = isinstance(incoming, tuple)
        self.input_layer: Any = None if is_shape else incoming
        self.input_shape: Any = incoming if is_shape else incoming.output_shape
        self._begin(name)
        if any(size is not None and size <= 0 for size in self.input_shape):
            raise ValueError(
                f"Cannot create Layer with a non-positive input_shape dimension. input_shape={self.input_shape!r}, self.name={name!r}"
            )

    def _begin(self, name: str | None) -> None:
        """Set what layers of every kind have."""
        self.name = name
        self.params: OrderedDict[Any, set[str]] = OrderedDict()
        self.get_output_kwargs: list[str] = []

    @property
    def output_shape(self) -> Any:
        """The shape of the output: a tuple of sizes, None where one is not known."""
        return self._checked(self.get_output_shape_for(self.input_shape))

    def _checked(self, shape: Any) -> Any:
        if any(isinstance(size, T.Variable) for size in shape):
            raise ValueError(
                f"{type(self).__name__} returned a symbolic output shape from its get_output_shape_for() method: {shape!r}. This is not allowed; shapes must be tuples of integers for fixed-size dimensions and Nones for variable dimensions."
            )
        return shape

    def get_params(self, unwrap_shared: bool = True, **tags: bool) -> list[Any]:
        """Return the parameters of this layer."""
        needed = {tag for tag, value in tags.items() if value}
        excluded = set(tags) - needed
        found = [param for param, own in self.params.items() if needed <= own and not excluded & own]
        return utils.collect_shared_vars(found) if unwrap_shared else found

    def get_output_shape_for(self, input_shape: Any) -> Any:
        """Return the shape of the output for an input of a shape."""
        return input_shape

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        """Return the output for an input; the keywords are those of `get_output`."""
        raise NotImplementedError

    def add_param(self, spec: Any, shape: Sequence[int], name: str | None = None, **tags: bool) -> Any:
        """Add a parameter, and return its variable.

        Its value is what `utils.create_param` takes. The tags are what `get_params` selects by: "trainable" and
        "regularizable" are set unless they are denied.
        """
        if name is not None and self.name is not None:
            name = f"{self.name}.{name}"
        param = utils.create_param(spec, shape, name)
        tags = {"trainable": True, "regularizable": True} | tags
        self.params[param] = {tag for tag, value in tags.items() if value}
        return param


class MergeLayer(Layer):
    """A function of the outputs of several layers; its methods get lists of inputs and of shapes."""

    def __init__(self, incomings: Sequence[Any], name: str | None = None) -> None:
        self.input_layers = [None if isinstance(incoming, tuple) else incoming for incoming in incomings]
        self.input_shapes = [
            incoming if isinstance(incoming, tuple) else incoming.output_shape for incoming in incomings
        ]
        self._begin(name)

    @property
    def output_shape(self) -> Any:
        """The shape of the output: a tuple of sizes, None where one is not known."""
        return self._checked(self.get_output_shape_for(self.input_shapes))

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        """Return the shape of the output for inputs of some shapes."""
        raise NotImplementedError

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        """Return the output for inputs."""
        raise NotImplementedError


class SpatialLayer(Layer):
    """The base of layers for inputs of (examples, channels, *places).

    ``class Name(SpatialLayer, spatial=2)`` says how many axes places have.
    """

    spatial: Any = None

    def __init_subclass__(cls, spatial: int | None = None, **words: Any) -> None:
        super().__init_subclass__(**words)
        if spatial is not None:
            cls.spatial = spatial

    def check_spatial(self, n: int, noun: str) -> None:
        """Raise ValueError where places do not have n axes."""
        if len(self.input_shape) != n + 2:
            raise ValueError(
                f"Tried to create a {n}D {noun} layer with input shape {self.input_shape!r}. Expected {n + 2} input dimensions (batchsize, channels, {n} spatial dimensions)."
            )


def shared_axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as a tuple: "auto" are all but the second, "all" are all, a number is that one."""
    if isinstance(axes, str) and axes in ("auto", "all"):
        return tuple(axis for axis in range(ndim) if axis != 1 or axes == "all")
    return (axes,) if isinstance(axes, utils.int_types) else axes


class SharedAxesLayer(Layer):
    """The base of layers whose parameters are shared along some axes, which an attribute of a layer names."""

    named = "shared_axes"

    def __init__(self, incoming: Any, axes: Any, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        setattr(self, self.named, shared_axes_of(axes, len(self.input_shape)))

    def add_shared(self, spec: Any, name: str, **tags: bool) -> Any:
        """Add a parameter with the sizes of the axes along which it is not shared; None stands for none."""
        shape = [size for axis, size in enumerate(self.input_shape) if axis not in getattr(self, self.named)]
        if spec is not None and None in shape:
            raise ValueError(
                f"{type(self).__name__} needs specified input sizes for all axes that {name} is not shared over."
            )
        return None if spec is None else self.add_param(spec, shape, name, **tags)

    def laid_over(self, param: Any) -> Any:
        """Return a parameter with axes of size 1 where it is shared."""
        own = iter(range(param.ndim))
        shared, axes = getattr(self, self.named), range(len(self.input_shape))
        return param.dimshuffle(["x" if axis in shared else next(own) for axis in axes])
