"""What of Lasagne's public interface differs here, and what is refused: the docs page and the errors are made of this."""

from __future__ import annotations

DIFFERS: dict[str, str] = {
    "layers.cuda_convnet": "imports without a GPU; its layers are computed as all others",
    "layers.corrmm": "imports without a GPU; its layer is computed as all others",
    "layers.dnn": "imports without a GPU; its layers are computed as all others",
    "layers.TPSTransformerLayer": "with precompute_grid=False it bends images as with True (the original leaves out the radial terms)",
    "theano_extensions.conv.conv1d_mc1": "computed as conv1d_mc0",
    "theano_extensions.conv.conv1d_sc": "computed as conv1d_mc0; with filter_flip=False channels are matched in order (the original turns them around)",
    "theano_extensions.conv.conv1d_unstrided": "computed as conv1d_mc0; with filter_flip=False filters are correlated (the original's order within strides differs)",
    "theano_extensions.conv.conv1d_sd": "computed as conv1d_mc0",
    "theano_extensions.conv.conv1d_md": "computed as conv1d_mc0",
}
"""Public name to how it behaves differently."""

REFUSED: dict[str, tuple[str, str]] = {}
"""Public name to the reason why it is refused, and the nearest name that is supported."""
