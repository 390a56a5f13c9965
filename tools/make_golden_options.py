"""Write tests/golden/layers/options.npz: PyTorch's layers again, with the options that change what they compute.

The file has the form of layers.npz, which make_golden_layers.py makes; run it in the same way::

    python tools/make_golden_options.py

What PyTorch has no option for is put together from what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from make_golden_layers import (
    FILE,
    IMAGE,
    LINE,
    VOLUME,
    Affine,
    Apply,
    Gated,
    Highway,
    Local,
    ThinPlate,
    Transformer,
    write,
)
from torch import nn
from torch.nn.utils import parametrizations


class Then(nn.Sequential):
    """A layer of any number of inputs, followed by a function; its parameters are called 0.weight, 0.bias."""

    def __init__(self, module: nn.Module, function: Callable[..., torch.Tensor]) -> None:
        super().__init__(module, Apply(function))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self[1](self[0](*inputs))


def padded(pads: tuple[int, ...], module: nn.Module, function: Any = torch.relu) -> nn.Module:
    """Return zeros around the input, a layer and a function: its parameters are called 1.weight, 1.bias."""
    return nn.Sequential(Apply(lambda x: F.pad(x, pads)), module, Apply(function))


class Spectral(nn.Module):
    """Algorithm 1 of Miyato et al., 2018, with several iterations; PyTorch's begins half an iteration earlier."""

    def __init__(self, layer: nn.Conv2d, iterations: int) -> None:
        super().__init__()
        self.layer, self.iterations = layer, iterations
        rows, columns = layer.weight.flatten(1).shape
        self.register_buffer("u", F.normalize(torch.randn(rows), dim=0))
        self.register_buffer("v", torch.zeros(columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        matrix = self.layer.weight.flatten(1)
        with torch.no_grad():
            for _ in range(self.iterations):
                self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))
                self.u.copy_(F.normalize(matrix @ self.v, dim=0))
        return F.conv2d(x, self.layer.weight / (self.u.clone() @ matrix @ self.v.clone()), self.layer.bias)


def moved(module: Any) -> nn.Module:
    """Return a normalization whose statistics are not those of the beginning, in use."""
    module.running_mean.copy_(torch.randn_like(module.running_mean).float())
    module.running_var.copy_((0.5 + torch.rand_like(module.running_var)).float())
    return module.eval()


def lp(x: torch.Tensor, p: float, windows: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return norms of windows, which `windows` sums."""
    return windows(x.abs() ** p) ** (1 / p)


def sums(x: torch.Tensor, window: int) -> torch.Tensor:
    """Return sums of windows side by side; the last ones may hang over the edge, where nothing is added."""
    pads = [pad for size in reversed(x.shape[2:]) for pad in (0, -size % window)]
    return F.avg_pool2d(F.pad(x, pads), window) * window**2


def without_row(row: int) -> nn.Module:
    """Return a table of which one row stands for nothing."""
    table = nn.Embedding(6, 3)
    inner = table.forward

    def forward(x: torch.Tensor) -> torch.Tensor:
        return inner(x) * (x != row)[..., None]

    table.forward = forward  # type: ignore[method-assign]
    return table


def waves(base: float, start: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Section 3.5 of Vaswani et al., 2017, with another base, from a later position on."""

    def add(x: torch.Tensor) -> torch.Tensor:
        exponents = torch.arange(0, x.shape[2], 2) / x.shape[2]
        angles = torch.arange(start, start + x.shape[1])[:, None] * base**-exponents
        return x + torch.stack([angles.sin(), angles.cos()], -1).flatten(1)

    return add


CASES: dict[str, tuple[Callable[[], nn.Module], list[tuple[int, ...]]]] = {
    "dense": (lambda: Then(nn.Linear(4, 3, bias=False), F.silu), [(2, 5, 4)]),
    "bilinear": (lambda: Then(nn.Bilinear(3, 4, 2, bias=False), torch.tanh), [(5, 3), (5, 4)]),
    "embedding-padding": (lambda: without_row(2), []),
    "conv1d": (lambda: padded((2, 0), nn.Conv1d(3, 6, 3, stride=2, groups=3, bias=False)), [LINE]),
    "conv2d": (lambda: padded((0, 1, 2, 0), nn.Conv2d(4, 2, (2, 3), dilation=(1, 2)), torch.tanh), [IMAGE]),
    "conv2d-circular": (lambda: nn.Conv2d(4, 2, 3, stride=2, padding=1, padding_mode="circular"), [IMAGE]),
    "conv3d": (lambda: nn.Conv3d(2, 4, 2, dilation=(1, 2, 1), groups=2), [VOLUME]),
    "conv3d-replicate": (lambda: nn.Conv3d(2, 2, 2, padding=1, padding_mode="replicate"), [(1, 2, 2, 3, 2)]),
    "transposed1d": (lambda: Then(nn.ConvTranspose1d(3, 6, 3, groups=3, dilation=2, bias=False), torch.tanh), [LINE]),
    "transposed3d": (
        lambda: nn.ConvTranspose3d(2, 3, 2, stride=(2, 1, 2), padding=(1, 0, 0), output_padding=(1, 0, 0)),
        [(1, 2, 3, 2, 2)],
    ),
    "depthwise1d": (lambda: nn.Conv1d(3, 3, 2, dilation=3, groups=3), [LINE]),
    "depthwise2d": (
        lambda: Then(nn.Conv2d(4, 4, 2, stride=2, dilation=(2, 1), groups=4, bias=False), torch.relu), [IMAGE]
    ),
    "separable1d": (
        lambda: nn.Sequential(nn.Conv1d(3, 3, 3, 2, 1, groups=3, bias=False), nn.Conv1d(3, 2, 1)), [LINE]
    ),
    "separable2d": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 4, 2, dilation=(2, 1), groups=4, bias=False), nn.Conv2d(4, 3, 1, bias=False), nn.Tanh()
        ),
        [IMAGE],
    ),
    "local1d": (lambda: padded((1, 1), Local(3, 2, (3,), (4,), (2,))), [LINE]),
    "local2d": (lambda: padded((0, 1, 1, 0), Local(2, 3, (2, 3), (2, 3), (2, 1)), torch.tanh), [(2, 2, 4, 4)]),
    "local3d": (
        lambda: padded((0, 0, 1, 0, 0, 0), Local(2, 2, (2, 2, 1), (1, 3, 2), (2, 1, 1), False)), [(2, 2, 3, 3, 2)]
    ),
    "max1d": (lambda: nn.MaxPool1d(2, 2, ceil_mode=True), [LINE]),
    "max2d": (lambda: nn.MaxPool2d(3, (2, 1), (1, 0)), [IMAGE]),
    "max3d": (lambda: nn.MaxPool3d((1, 2, 3), 2, (0, 1, 1)), [VOLUME]),
    "average1d": (lambda: nn.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False), [LINE]),
    "average2d": (lambda: nn.AvgPool2d(2, 3, 1, ceil_mode=True), [IMAGE]),
    "average3d": (lambda: nn.AvgPool3d(2, 1, 1), [VOLUME]),
    "lp1d": (lambda: Apply(lambda x: lp(F.pad(x, (1, 1)), 3, lambda z: z.unfold(2, 3, 2).sum(-1))), [LINE]),
    "lp2d-sums": (lambda: Apply(lambda x: lp(x, 1, lambda z: F.avg_pool2d(z, 2, 1) * 4)), [IMAGE]),
    "lp2d-ceil": (lambda: Apply(lambda x: lp(x, 2, lambda z: sums(z, 2))), [IMAGE]),
    "adaptive-average1d": (lambda: nn.AdaptiveAvgPool1d(5), [LINE]),
    "adaptive-average3d": (lambda: nn.AdaptiveAvgPool3d((3, 2, 3)), [VOLUME]),
    "adaptive-max2d": (lambda: nn.AdaptiveMaxPool2d((3, 4)), [IMAGE]),
    "adaptive-max3d": (lambda: nn.AdaptiveMaxPool3d((3, 2, 3)), [VOLUME]),
    "pyramid": (
        lambda: Apply(lambda x: torch.cat([F.adaptive_avg_pool2d(x, n).flatten(1) for n in (2, 1)], 1)), [IMAGE]
    ),
    "feature-pool-mean": (lambda: Apply(lambda x: x.unflatten(-1, (2, 3)).mean(-1)), [IMAGE]),
    "feature-pool-function": (lambda: Apply(lambda x: x.unflatten(1, (2, 2)).logsumexp(2)), [IMAGE]),
    "maxout": (lambda: Then(nn.Linear(4, 6, bias=False), lambda x: x.unflatten(-1, (2, 3)).amax(-1)), [(2, 4)]),
    "winner-takes-all": (
        lambda: Apply(lambda x: torch.where(x == x.unflatten(-1, (2, 3)).amax(-1).repeat_interleave(3, -1), x, 0)),
        [IMAGE],
    ),
    "upsample-nearest3d": (lambda: nn.Upsample(scale_factor=(1, 2, 3)), [(1, 1, 2, 2, 2)]),
    "upsample-cubic": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), [(1, 2, 3, 4)]),
    "resize-linear": (lambda: nn.Upsample(4, mode="linear"), [LINE]),
    "resize-linear-corners": (lambda: nn.Upsample((3, 8), mode="bilinear", align_corners=True), [IMAGE]),
    "resize-cubic-corners": (lambda: nn.Upsample((7, 4), mode="bicubic", align_corners=True), [IMAGE]),
    "unfold": (lambda: nn.Unfold((2, 2), dilation=(2, 1), padding=(1, 0), stride=(1, 2)), [IMAGE]),
    "fold": (
        lambda: Apply(lambda x: F.fold(x.flatten(1, 2), (5, 6), (2, 2), (2, 1), (1, 0), (1, 2))), [(2, 2, 4, 15)]
    ),
    "batch-norm": (lambda: nn.BatchNorm1d(3, eps=0.1, momentum=0.3, affine=False), [(5, 3)]),
    "batch-norm-scale": (
        lambda: nn.Sequential(nn.BatchNorm3d(2, affine=False), Affine(lambda x, s: x * s[:, None, None, None], (2,))),
        [VOLUME],
    ),
    "batch-norm-in-use": (lambda: moved(nn.BatchNorm2d(4, eps=0.1)), [IMAGE]),
    "layer-norm": (lambda: nn.LayerNorm(6, eps=0.1, bias=False), [IMAGE]),
    "layer-norm-bare": (lambda: nn.LayerNorm((4, 5, 6), elementwise_affine=False), [IMAGE]),
    "group-norm": (
        lambda: nn.Sequential(
            nn.GroupNorm(2, 4, eps=0.1, affine=False), Affine(lambda x, s: x * s[:, None, None], (4,))
        ),
        [IMAGE],
    ),
    "group-norm-bare": (lambda: nn.GroupNorm(1, 3, affine=False), [LINE]),
    "instance-norm": (
        lambda: nn.Sequential(nn.InstanceNorm1d(3, eps=0.1), Affine(lambda x, b: x + b[:, None], (3,))), [LINE]
    ),
    "instance-norm-bare": (lambda: nn.InstanceNorm3d(2), [VOLUME]),
    "rms-norm": (lambda: nn.RMSNorm((5, 6), eps=0.1, elementwise_affine=False), [IMAGE]),
    "local-response": (lambda: nn.LocalResponseNorm(4, 0.5, 0.6, 1.0), [(2, 6, 5)]),
    "weight-norm": (lambda: parametrizations.weight_norm(nn.Linear(4, 3), dim=1), [(2, 4)]),
    "weight-norm-transposed": (
        lambda: parametrizations.weight_norm(nn.ConvTranspose1d(3, 2, 3), dim=1), [LINE]
    ),
    "spectral-norm": (lambda: Spectral(nn.Conv2d(4, 3, 2), 2), [IMAGE]),
    "spectral-norm-in-use": (lambda: parametrizations.spectral_norm(nn.Linear(4, 3)).eval(), [(2, 4)]),
    "hard-shrink": (lambda: nn.Hardshrink(0.3), [(3, 4)]),
    "soft-shrink": (lambda: nn.Softshrink(0.3), [(3, 4)]),
    "squareplus": (lambda: Apply(lambda x: (x + (x * x + 4).sqrt()) / 2), [(3, 4)]),
    "rrelu": (lambda: Apply(lambda x: F.rrelu(x, 0.2, 0.2, training=True)), [(3, 4)]),
    "prelu-one": (lambda: nn.PReLU(1), [IMAGE]),
    "prelu-all": (lambda: Affine(lambda x, s: torch.where(x > 0, x, s * x), (4, 5, 6)), [IMAGE]),
    "glu": (lambda: nn.GLU(-1), [(2, 3, 4)]),
    "gated": (lambda: Gated(4, 3, torch.sigmoid, bias=False), [(2, 4)]),
    "highway": (lambda: Highway(4, torch.tanh), [(2, 4)]),
    "spatial-transformer": (lambda: Transformer(60, (5, 6), "zeros", True), [(2, 2, 5, 6)]),
    "spatial-transformer-reflection": (lambda: Transformer(60, (2, 7), "reflection"), [(2, 2, 5, 6)]),
    "thin-plate": (lambda: ThinPlate(60, 2, (5, 6), "zeros"), [(2, 2, 5, 6)]),
    "feed-forward": (
        lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 4, bias=False)), [(2, 3, 4)]
    ),
    "bias": (lambda: Affine(lambda x, b: x + b[:, None], (5,)), [IMAGE]),
    "scale": (lambda: Affine(lambda x, s: x * s[..., None], (4, 5)), [IMAGE]),
    "standardize": (lambda: nn.LayerNorm((3, 7), 0.1, elementwise_affine=False), [LINE]),
    "sinusoidal-positions": (lambda: Apply(waves(50.0, 3)), [(2, 5, 6)]),
    "learned-positions": (lambda: Affine(lambda x, table: x + table[2:5], (5, 4)), [(2, 3, 4)]),
    "global-average": (lambda: Apply(lambda x: x.mean(2, keepdim=True)), [LINE]),
    "global-max": (lambda: Apply(lambda x: x.amax((2, 3), keepdim=True)), [IMAGE]),
    "concatenate-crop": (
        lambda: Apply(lambda a, b: torch.cat([a[:, :, 1:5, :5], b], 1)), [IMAGE, (2, 3, 4, 5)]
    ),
    "average-crop": (lambda: Apply(lambda a, b: (a[:, :, 1:] + b) / 2), [LINE, (2, 3, 6)]),
    "inverse-average": (
        lambda: Apply(lambda y, x: y.repeat_interleave(2, 2).repeat_interleave(3, 3) / 6), [(2, 4, 2, 2), (2, 4, 4, 6)]
    ),
    "identity": (nn.Identity, [LINE]),
    "flatten": (nn.Flatten, [IMAGE]),
    "reshape": (lambda: nn.Unflatten(1, (2, -1)), [(2, 6, 5)]),
    "permute": (lambda: Apply(lambda x: x.permute(0, 3, 1, 2)), [IMAGE]),
    "repeat-vector": (lambda: Apply(lambda x: x[:, None].expand(-1, 3, -1)), [(2, 4)]),
    "slice-one": (lambda: Apply(lambda x: x[:, 1]), [LINE]),
    "slice-some": (lambda: Apply(lambda x: x[..., 1:6:2]), [LINE]),
}  # fmt: skip


if __name__ == "__main__":
    write(FILE.with_name("options.npz"), CASES)
