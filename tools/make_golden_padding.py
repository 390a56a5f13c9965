"""Make the golden values of what only Keras does: padding "same" of strided windows, penalties on activities.

They are written to tests/golden/layers/keras.npz; `golden` says what is in it.

Usage: python tools/make_golden_padding.py keras     (with Keras and TensorFlow installed)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from golden import Arrays, draw, record_keras, write

IMAGE, LINE = (2, 3, 6, 5), (2, 3, 8)


def move(path: str, array: np.ndarray) -> np.ndarray:
    """Bring a kernel, whose channels are the last two axes, into Septet's layout."""
    return array if path == "bias" else np.moveaxis(array, (-2, -1), (1, 0))


def move_depthwise(path: str, array: np.ndarray) -> np.ndarray:
    """Bring a kernel (window, channels, multiplier) into Septet's layout: a channel's filters one after the other."""
    if path in ("bias", "pointwise"):
        return move(path, array)
    return np.moveaxis(array.reshape(*array.shape[:-2], -1), -1, 0)[:, None]


def keras_layers(values: Arrays) -> None:
    """Record layers of Keras; it has channels last."""
    from keras import layers, ops

    same = {"padding": "same"}
    for name, layer, paths, shape in (
        ("conv1d", layers.Conv1D(4, 4, dilation_rate=2, **same), ["kernel", "bias"], LINE),
        ("conv2d", layers.Conv2D(4, (3, 2), 2, activation="relu", **same), ["kernel", "bias"], IMAGE),
        ("conv3d", layers.Conv3D(2, 2, **same), ["kernel", "bias"], (1, 2, 3, 2, 3)),
        ("transposed1d", layers.Conv1DTranspose(4, 3, 2, **same), ["kernel", "bias"], LINE),
        ("transposed2d", layers.Conv2DTranspose(2, (3, 4), (2, 3), **same), ["kernel", "bias"], (2, 3, 3, 2)),
        ("depthwise", layers.DepthwiseConv2D(3, 2, depth_multiplier=2, **same), ["kernel", "bias"], IMAGE),
        (
            "separable", layers.SeparableConv2D(4, 3, 2, depth_multiplier=2, **same),
            ["depthwise", "pointwise", "bias"], IMAGE,
        ),
        ("max1d", layers.MaxPooling1D(3, 2, **same), [], LINE),
        ("max2d", layers.MaxPooling2D((2, 3), (3, 2), **same), [], IMAGE),
        ("average1d", layers.AveragePooling1D(3, 2, **same), [], LINE),
        ("average2d", layers.AveragePooling2D((2, 3), (3, 2), **same), [], IMAGE),
    ):  # fmt: skip

        def run(x: Any, layer: Any = layer) -> Any:
            return ops.moveaxis(layer(ops.moveaxis(x, 1, -1)), -1, 1)

        turn = move_depthwise if name in ("depthwise", "separable") else move
        record_keras(values, name, layer, paths, run, move=turn, x=draw(*shape))
    activity = layers.ActivityRegularization(l1=0.5, l2=0.2)
    record_keras(values, "activity", activity, [], lambda x: (activity(x), sum(activity.losses)), x=draw(3, 4))


if __name__ == "__main__":
    write({"keras": [keras_layers]}, "layers/{}")
