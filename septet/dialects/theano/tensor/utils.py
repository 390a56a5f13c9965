"""`theano.tensor.utils`: hashes of arrays, and the shapes in a graph for given shapes of its inputs."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from septet.dialects.theano.tensor.shaping import shape


def hash_from_code(text: str | bytes) -> str:
    """Return a hash of text."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def hash_from_ndarray(data: np.ndarray) -> str:
    """Return a hash of an array's elements, shape, strides and dtype."""
    array = np.ascontiguousarray(data)
    text = f"{array.shape}{array.strides}{array.dtype}"
    return hash_from_code(array.tobytes() + text.encode())


def shape_of_variables(fgraph: Any, input_shapes: Any) -> dict[Any, tuple[Any, ...]]:
    """Return the shape of each variable of a graph, for given shapes of its inputs."""
    from septet.dialects.theano.compile.function import function

    for variable in input_shapes:
        if variable not in fgraph.inputs:
            raise ValueError(
                "input_shapes keys aren't in the fgraph.inputs: FunctionGraph clones the graph it receives, unless "
                "`clone=False` is given."
            )
    variables = [v for v in fgraph.variables if v.type.is_tensor]
    call = function(list(fgraph.inputs), [shape(v) for v in variables], on_unused_input="ignore")
    found = call(*[np.zeros(input_shapes[v], v.dtype) for v in fgraph.inputs])
    return {v: tuple(np.asarray(size) for size in sizes) for v, sizes in zip(variables, found, strict=True)}
