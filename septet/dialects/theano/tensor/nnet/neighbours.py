"""`theano.tensor.nnet.neighbours`: patches of images as the rows of a matrix, and back."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.asserts import Assert
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.windows import gathered, padded
from septet.dialects.theano.tensor.shaping import concatenate, elements_of

MODES = ("valid", "half", "full", "wrap_centered", "ignore_borders")


class _Fits(Assert):
    """Images, where patches fit into them."""

    error = TypeError


class _Covers(Assert):
    """Patches, where they cover the images."""

    error = ValueError


class Images2Neibs(NativeOp):
    """Patches of images as the rows of a matrix.

    Parameters
    ----------
    mode : "valid", "half", "full", "wrap_centered" or "ignore_borders"
        Patches cover the image exactly; after padding by half a patch, or by a patch but one; patches around each
        pixel, where the image continues on the other side; what is left over at the end is ignored.
    """

    __props__ = ("mode",)
    inputs_with_gradient = slice(1)

    def __init__(self, mode: str = "valid") -> None:
        if mode not in MODES:
            raise NotImplementedError(f"Only modes {', '.join(MODES)} have been implemented for Images2Neibs")
        self.mode = mode

    def make_node(self, ten4: Any, neib_shape: Any, neib_step: Any = None) -> Any:
        ten4, shape = as_tensor_variable(ten4), as_tensor_variable(neib_shape)
        step = shape if neib_step is None else as_tensor_variable(neib_step)
        if (ten4.ndim, shape.ndim, step.ndim) != (4, 1, 1):
            raise AssertionError("images have four axes; neib_shape and neib_step are vectors")
        return self.applied([ten4, shape, step])

    def compute(self, *tensors: Any) -> Any:
        x, (window, steps) = tensors[0], [elements_of(one, 2) for one in tensors[1:]]
        for name, values in (("neib_shape", window), ("neib_step", steps)):
            if any(isinstance(one, int) and one <= 0 for one in values):
                raise ValueError(f"{name} has values <= 0: {values}")
        if self.mode in ("half", "full"):
            x = padded(x, [(w // 2,) * 2 if self.mode == "half" else (w - 1,) * 2 for w in window])
        sizes = x.shape[2:]
        if self.mode == "wrap_centered":
            counts = [(size + step - 1) // step for size, step in zip(sizes, steps, strict=True)]
            for axis, (size, w) in enumerate(zip(sizes, window, strict=True), start=2):
                if isinstance(w, int) and w % 2 != 1:
                    raise TypeError("Images2Neibs: in mode wrap_centered need patch with odd shapes")
                if isinstance(w, int) and isinstance(size, int) and size < w:
                    raise TypeError(
                        f"Images2Neibs: in wrap_centered mode, an image of {size} is smaller than a patch of {w}"
                    )
                places = st.remainder(st.arange(size + 2 * (w // 2)) - w // 2, size)
                x = st.take(x, places, axis=axis)
        else:
            counts = [(size - w) // step + 1 for size, w, step in zip(sizes, window, steps, strict=True)]
            if self.mode != "ignore_borders":
                for place, (size, w, step) in enumerate(zip(sizes, window, steps, strict=True)):
                    x = self._checked(x, place, size, w, step)
        patches = gathered(x, counts, window, steps)  # (B, C, rows, height, columns, width)
        return st.reshape(st.permute_dims(patches, (0, 1, 2, 4, 3, 5)), (-1, window[0] * window[1]))

    def _checked(self, x: Any, place: int, size: Any, window: Any, step: Any) -> Any:
        text = f"neib_shape[{place}], neib_step[{place}] and ten4.shape[{place + 2}] not consistent"
        if all(isinstance(one, int) for one in (size, window, step)):
            if size < window or (size - window) % step:
                raise TypeError(f"{text}: {window}, {step}, {size}")
            return x
        fits = st.logical_and(st.asarray(size >= window), st.equal(st.asarray((size - window) % step), 0))
        return _Fits(text).compute(x, fits)


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """Return patches of images (batch, channels, rows, columns) as the rows of a matrix.

    Parameters
    ----------
    ten4 : tensor
    neib_shape : pair of int, or vector
        Height and width of a patch.
    neib_step : pair of int, or vector, optional
        From one patch to the next; by default they do not overlap.
    mode : str
        See `Images2Neibs`.
    """
    return Images2Neibs(mode)(ten4, neib_shape, neib_step)


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """Return the images of which patches that do not overlap were taken: the reverse of `images2neibs`."""
    if mode not in ("valid", "ignore_borders"):
        raise NotImplementedError(f"neibs2images do not support mode={mode}")
    neibs, shape, original = [as_tensor_variable(one) for one in (neibs, neib_shape, original_shape)]
    sizes = [original[axis] for axis in range(4)]
    grid = [sizes[axis] // shape[axis - 2] for axis in (2, 3)]
    if mode == "valid":
        whole = basic.and_(*[basic.eq(sizes[axis] % shape[axis - 2], 0) for axis in (2, 3)])
        neibs = _Covers("neibs2images: the patches do not cover the images")(neibs, whole)
    patches = neibs.reshape((sizes[0], sizes[1], grid[0], grid[1], shape[0], shape[1]))
    found = patches.dimshuffle(0, 1, 2, 4, 3, 5)
    inner = [grid[0] * shape[0], grid[1] * shape[1]]
    found = found.reshape((sizes[0], sizes[1], *inner))
    if mode == "valid":
        return found
    for axis in (2, 3):
        missing = list(found.shape)
        missing[axis] = sizes[axis] - inner[axis - 2]
        found = concatenate([found, basic.zeros(missing, dtype=found.dtype)], axis=axis)
    return found


CpuImages2Neibs = Images2Neibs
