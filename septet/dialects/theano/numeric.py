"""Gradients by finite differences, and the check of symbolic ones against them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.dialects.theano.compile.debugmode import DebugMode
from septet.dialects.theano.compile.function import function
from septet.dialects.theano.compile.mode import FAST_RUN, Mode, get_mode
from septet.dialects.theano.gradient import grad
from septet.dialects.theano.tensor.basic import sum
from septet.dialects.theano.tensor.sharedvar import tensor_constructor
from septet.dialects.theano.tensortype import TensorType


def mode_not_slow(mode: Any) -> Mode:
    """Return a mode, or one of full speed where it is FAST_COMPILE or checks each op."""
    found = get_mode(mode)
    return FAST_RUN if mode == "FAST_COMPILE" or isinstance(found, DebugMode) else found


class numeric_grad:
    """The gradient of a function of arrays with a scalar result, by one-sided differences.

    Parameters
    ----------
    f : callable
        ``f(*pt) -> scalar``
    pt : array or sequence of array
    eps : float, optional
        The step; by default that of the coarsest dtype.
    out_type : str, optional
        A complex dtype, where the gradient is complex.

    Attributes
    ----------
    gf : array or list of array
    """

    type_eps: dict[Any, float] = {"float64": 1e-7, "float32": 3e-4, "float16": 1e-1}
    type_eps |= {np.dtype(name): step for name, step in type_eps.items()}

    def __init__(self, f: Callable[..., Any], pt: Any, eps: float | None = None, out_type: str | None = None) -> None:
        is_many = isinstance(pt, (list, tuple))
        points = [np.array(p) for p in (pt if is_many else [pt])]
        dtypes = [str(p.dtype) for p in points]
        finest = min(dtypes, key=lambda dtype: self.type_eps[dtype])
        step = max(self.type_eps[dtype] for dtype in dtypes) if eps is None else eps
        moved = [p.astype(finest) for p in points]
        start = f(*[p.copy() for p in moved])
        dtype = out_type if out_type is not None and out_type.startswith("complex") else finest
        found = []
        for place, p in enumerate(moved):
            own = np.empty(p.shape, dtype)
            for index in np.ndindex(p.shape):
                trial = [other.copy() for other in moved]
                trial[place][index] += step
                own[index] = (f(*trial) - start) / step
            found.append(own)
        self.gf: Any = found if is_many else found[0]

    @staticmethod
    def abs_rel_err(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances of two arrays, and these over the sums of their sizes."""
        distance = abs(a - b)
        return np.asarray(distance), np.asarray(distance / np.maximum(abs(a) + abs(b), [1e-8]))

    def abs_rel_errors(self, g_pt: Sequence[Any]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return absolute and relative errors of gradients."""
        if len(g_pt) != len(self.gf):
            raise ValueError("argument has wrong number of elements", len(g_pt))
        for place, (a, b) in enumerate(zip(g_pt, self.gf, strict=True)):
            if a.shape != b.shape:
                raise ValueError(f"argument element {place} has wrong shape {a.shape, b.shape}")
        return [self.abs_rel_err(a, b) for a, b in zip(g_pt, self.gf, strict=True)]

    def max_err(self, g_pt: Sequence[Any], abs_tol: float, rel_tol: float) -> tuple[int, int, Any, Any]:
        """Return where both errors, in units of their tolerances, are largest, and the two errors there."""
        worst: Any = None
        for place, (distance, relative) in enumerate(self.abs_rel_errors(g_pt)):
            if not np.all(np.isfinite(distance)):
                raise ValueError("abs_err not finite", repr(distance))
            if not np.all(np.isfinite(relative)):
                raise ValueError("rel_err not finite", repr(relative))
            if not distance.size:
                continue
            scaled = np.minimum(distance / abs_tol, relative / rel_tol).ravel()
            at = int(scaled.argmax())
            if worst is None or scaled[at] > worst[0]:
                worst = (scaled[at], place, at, distance.ravel()[at], relative.ravel()[at])
        return (0, 0, 0.0, 0.0) if worst is None else worst[1:]


class GradientError(Exception):
    """A gradient that differs from what finite differences give."""

    def __init__(
        self, arg: int, err_pos: int, shape: Any, val1: Any, val2: Any, abs_err: Any, rel_err: Any, abs_tol: float, rel_tol: float
    ) -> None:  # fmt: skip
        super().__init__()
        self.arg, self.err_pos, self.shape, self.val1, self.val2 = arg, err_pos, shape, val1, val2
        self.abs_err, self.rel_err, self.abs_tol, self.rel_tol = abs_err, rel_err, abs_tol, rel_tol

    def __str__(self) -> str:
        return (
            f"the gradient of argument {self.arg} (shape {self.shape}) is {self.val1} at position {self.err_pos}, finite "
            f"differences give {self.val2}: absolute error {self.abs_err} (tolerance {self.abs_tol}), relative error "
            f"{self.rel_err} (tolerance {self.rel_tol}). {', '.join(map(str, self.args))}"
        )


TOLERANCES = {"float16": 5e-2, "float32": 1e-2, "float64": 1e-4}


def verify_grad(
    fun: Any, pt: Any, n_tests: int = 2, rng: Any = None, eps: float | None = None, out_type: str | None = None,
    abs_tol: float | None = None, rel_tol: float | None = None, mode: Any = None, cast_to_output_type: bool = False,
    no_debug_ref: bool = True,
) -> None:  # fmt: skip
    """Raise where the gradient of a random weighted sum of a function's result is not what finite differences give.

    Parameters
    ----------
    fun : callable or Op
        From variables to a variable.
    pt : list of array
        Where: floats.
    n_tests : int
        How many random weightings.
    rng : RandomState
        Where the weights come from.
    eps : float, optional
        The step of the differences.
    abs_tol, rel_tol : float, optional
        An error counts when both are exceeded.

    Raises
    ------
    GradientError
    """
    if not isinstance(pt, (list, tuple)):
        raise AssertionError("pt is a list of arrays")
    points = [np.array(p) for p in pt]
    for place, p in enumerate(points):
        if str(p.dtype) not in TOLERANCES:
            raise TypeError(
                f'verify_grad can work only with floating point inputs, but input {place} has dtype "{p.dtype}".'
            )
    if rng is None:
        raise TypeError("rng should be a valid instance of numpy.random.RandomState.")
    loosest = max(TOLERANCES[str(p.dtype)] for p in points)
    abs_tol, rel_tol = [loosest if own is None else own for own in (abs_tol, rel_tol)]
    inputs = [TensorType(p.dtype, [size == 1 for size in p.shape])(f"input {place}") for place, p in enumerate(points)]
    output = fun(*inputs)
    if isinstance(output, list):
        raise NotImplementedError("verify_grad is for functions with one result")

    def made(outputs: Any, name: str) -> Any:
        return function(inputs, outputs, name=name, mode=mode, allow_input_downcast=True, on_unused_input="ignore")

    value = made(output, "forward")(*[p.copy() for p in points])

    def weights() -> np.ndarray:
        plain = np.asarray(rng.rand(*value.shape) + 0.5)
        return plain.astype(output.dtype) if cast_to_output_type and output.dtype == "float32" else plain

    weighting = tensor_constructor(weights(), "random_projection", borrow=True)
    cost = sum(weighting * output)
    of_cost = made(cost, "cost")
    of_gradient = made(grad(cost, inputs, disconnected_inputs="ignore"), "gradient")
    for test in range(n_tests):
        try:
            numeric = numeric_grad(of_cost, [p.copy() for p in points], eps, out_type)
            symbolic = of_gradient(*[p.copy() for p in points])
            place, at, distance, relative = numeric.max_err(symbolic, abs_tol, rel_tol)
            if distance > abs_tol and relative > rel_tol:
                raise GradientError(
                    place, at, symbolic[place].shape, symbolic[place].flat[at], numeric.gf[place].flat[at], distance,
                    relative, abs_tol, rel_tol,
                )  # fmt: skip
        except Exception as error:
            error.args += ("\nThe error happened with the following inputs:", points, "\nThe value of eps is:", eps)
            raise
        if test < n_tests - 1:
            weighting.set_value(weights(), borrow=True)


verify_grad.E_grad = GradientError
