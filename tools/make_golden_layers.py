"""Write tests/golden/layers/layers.npz: results and gradients of PyTorch's layers, for the tests of ours.

Run it with a Python that has PyTorch (2.4 or later); Septet itself does not need it::

    python tools/make_golden_layers.py

For every case the file holds the inputs (``case/x0`` ...), the parameters (``case/p/weight`` ...), the result
(``case/y``), buffers afterwards (``case/b/...``), and the gradients of sum(result * cos(0, 1, 2 ...)) with respect to
inputs and parameters (``case/gx0``, ``case/gp/weight``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

FILE = Path(__file__).resolve().parent.parent / "tests" / "golden" / "layers" / "layers.npz"


class Local(nn.Module):
    """A locally connected layer, place by place: PyTorch has none."""

    def __init__(
        self, channels: int, filters: int, window: tuple[int, ...], counts: tuple[int, ...],
        strides: tuple[int, ...] = (1, 1, 1), has_bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.weight = nn.Parameter(torch.randn(filters, channels, *window, *counts) * 0.3)
        self.bias = nn.Parameter(torch.randn(filters, *counts) * 0.3) if has_bias else None
        self.window, self.counts, self.strides = window, counts, strides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.zeros(x.shape[0], self.weight.shape[0], *self.counts)
        for place in np.ndindex(*self.counts):
            index = tuple(slice(p * s, p * s + w) for p, w, s in zip(place, self.window, self.strides, strict=False))
            patch = x[(slice(None), slice(None), *index)].flatten(1)
            kernel = self.weight[(..., *place)].flatten(1)
            y[(slice(None), slice(None), *place)] = patch @ kernel.T
        return y if self.bias is None else y + self.bias


class Highway(nn.Module):
    """Equation 3 of Srivastava et al., 2015."""

    def __init__(self, size: int, activation: Any = torch.relu) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(size, size), nn.Linear(size, size)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = torch.sigmoid(self.gate(x))
        return self.activation(self.value(x)) * gate + x * (1 - gate)


class Gated(nn.Module):
    """SwiGLU and its relatives (Shazeer, 2020)."""

    def __init__(self, size: int, units: int, activation: Any = F.silu, bias: bool = True) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(size, units, bias), nn.Linear(size, units, bias)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.gate(x)) * self.value(x)


class Transformer(nn.Module):
    """A spatial transformer with a linear localization."""

    def __init__(self, features: int, size: tuple[int, int], padding: str = "border", align: bool = False) -> None:
        super().__init__()
        self.look = nn.Linear(features, 6)
        with torch.no_grad():
            self.look.weight *= 0.1
            self.look.bias += torch.tensor([1.0, 0, 0, 0, 1, 0])
        self.size, self.padding, self.align = size, padding, align

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        theta = self.look(x.flatten(1)).reshape(-1, 2, 3)
        grid = F.affine_grid(theta, [*x.shape[:2], *self.size], align_corners=self.align)
        return F.grid_sample(x, grid, padding_mode=self.padding, align_corners=self.align)


class ThinPlate(nn.Module):
    """A spatial transformer by the spline of Bookstein, 1989, solved anew for the moved points of each image."""

    def __init__(self, features: int, side: int, size: tuple[int, int], padding: str = "border") -> None:
        super().__init__()
        self.look = nn.Linear(features, 2 * side * side)
        with torch.no_grad():
            self.look.weight *= 0.1
        self.side, self.size, self.padding = side, size, padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ends = torch.linspace(-1, 1, self.side)
        points = torch.cartesian_prod(ends, ends).flip(1)  # x, then y; rows of points first
        lines = [(torch.arange(n) + 0.5) * 2 / n - 1 for n in self.size]
        pixels = torch.cartesian_prod(*lines).flip(1)

        def row(place: torch.Tensor) -> torch.Tensor:
            distances = (place - points).norm(dim=1)
            return torch.cat([torch.xlogy(distances**2, distances), torch.ones(1), place])

        bending = torch.stack([row(point) for point in points])
        affine = torch.cat([bending[:, -3:].T, torch.zeros(3, 3)], 1)
        moved = points + self.look(x.flatten(1)).unflatten(1, (2, -1)).transpose(1, 2)
        targets = torch.cat([moved, torch.zeros(len(x), 3, 2)], 1)
        weights = torch.linalg.solve(torch.cat([bending, affine]), targets)
        grid = (torch.stack([row(pixel) for pixel in pixels]) @ weights).unflatten(1, self.size)
        return F.grid_sample(x, grid, padding_mode=self.padding, align_corners=False)


class Additive(nn.Module):
    """Section A.1.2 of Bahdanau et al., 2015, for each query and each state."""

    def __init__(self, query: int, memory: int, units: int) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(query, units, bias=False), nn.Linear(memory, units)
        self.score = nn.Parameter(torch.randn(units))

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.own(query)[:, :, None] + self.other(memory)[:, None])
        return (hidden * self.score).sum(-1).softmax(-1) @ memory


class General(nn.Module):
    """Section 3.1 of Luong et al., 2015: products with a matrix between."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query, memory))

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        return torch.einsum("btq,qm,bsm->bts", query, self.weight, memory).softmax(-1) @ memory


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


class Affine(nn.Module):
    """A number for each place along some axes: added, or multiplied by."""

    def __init__(self, function: Callable[..., torch.Tensor], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.randn(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, self.weight)


class Tied(nn.Module):
    """A convolution, and back through the transpose of its kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.there = nn.Conv2d(4, 3, (3, 2), stride=(2, 1), padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv_transpose2d(self.there(x), self.there.weight, stride=(2, 1), padding=1)


def sparsemax(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Algorithm 1 of Martins and Astudillo, 2016."""
    x = x.movedim(axis, -1)
    ranked = x.sort(-1, descending=True).values
    counts = torch.arange(1, x.shape[-1] + 1)
    sums = ranked.cumsum(-1)
    support = (1 + counts * ranked > sums).sum(-1, keepdim=True)
    threshold = (sums.gather(-1, support - 1) - 1) / support
    return torch.relu(x - threshold).movedim(-1, axis)


def winners(x: torch.Tensor) -> torch.Tensor:
    """The larger of each two channels, where it was; 0 for the other."""
    best, where = x.unflatten(1, (-1, 2)).max(2, keepdim=True)
    return torch.zeros_like(x).unflatten(1, (-1, 2)).scatter(2, where, best).flatten(1, 2)


def unpool(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Values back at the places of the maxima."""
    return F.max_unpool2d(y, F.max_pool2d(x, 2, return_indices=True)[1], 2, output_size=x.shape[2:])


def sinusoids(x: torch.Tensor) -> torch.Tensor:
    """Section 3.5 of Vaswani et al., 2017, number by number."""
    table = torch.zeros(x.shape[1:])
    for step, channel in np.ndindex(*table.shape):
        angle = step / 10000 ** ((channel - channel % 2) / x.shape[2])
        table[step, channel] = np.cos(angle) if channel % 2 else np.sin(angle)
    return x + table


def pyramid(x: torch.Tensor) -> torch.Tensor:
    """Two levels of adaptive maxima."""
    return torch.cat([F.adaptive_max_pool2d(x, level).flatten(1) for level in (3, 1)], 1)


def separable(channels: int, multiplier: int, filters: int, **words: Any) -> nn.Module:
    """A convolution of each channel, then one of single pixels."""
    inner = channels * multiplier
    return nn.Sequential(
        nn.Conv2d(channels, inner, 3, groups=channels, bias=False, **words), nn.Conv2d(inner, filters, 1)
    )


IMAGE, LINE, VOLUME = (2, 4, 5, 6), (2, 3, 7), (1, 2, 4, 5, 4)
CASES: dict[str, tuple[Callable[[], nn.Module], list[tuple[int, ...]]]] = {
    "dense": (lambda: nn.Linear(4, 3), [(2, 5, 4)]),
    "bilinear": (lambda: nn.Bilinear(3, 4, 2), [(5, 3), (5, 4)]),
    "embedding": (lambda: nn.Embedding(6, 3), []),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3, padding=2, dilation=2), [LINE]),
    "conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=1, groups=2), [IMAGE]),
    "conv2d-reflect": (lambda: nn.Conv2d(4, 2, 3, padding=(2, 1), padding_mode="reflect"), [IMAGE]),
    "conv2d-replicate": (lambda: nn.Conv2d(4, 2, 3, padding=2, stride=2, padding_mode="replicate"), [IMAGE]),
    "conv1d-circular": (lambda: nn.Conv1d(3, 2, 3, padding=1, padding_mode="circular"), [LINE]),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2, stride=2, padding=1), [VOLUME]),
    "transposed1d": (lambda: nn.ConvTranspose1d(3, 4, 3, stride=2, padding=1, output_padding=1), [LINE]),
    "transposed2d": (
        lambda: nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 1), padding=1, groups=2, dilation=(1, 2)), [IMAGE]
    ),
    "transposed3d": (lambda: nn.ConvTranspose3d(2, 3, 2, stride=2), [(1, 2, 3, 2, 2)]),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, padding=1, groups=4), [IMAGE]),
    "separable": (lambda: separable(4, 2, 3, stride=2, padding=1), [IMAGE]),
    "local1d": (lambda: Local(3, 2, (3,), (5,)), [LINE]),
    "local2d": (lambda: Local(2, 3, (2, 3), (3, 2)), [(2, 2, 4, 4)]),
    "max1d": (lambda: nn.MaxPool1d(3, 2, padding=1), [LINE]),
    "max2d": (lambda: nn.MaxPool2d((2, 3), ceil_mode=True), [IMAGE]),
    "max3d": (lambda: nn.MaxPool3d(2, 1), [VOLUME]),
    "average1d": (lambda: nn.AvgPool1d(3, 2, padding=1), [LINE]),
    "average2d": (lambda: nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), [IMAGE]),
    "average3d": (lambda: nn.AvgPool3d(2), [VOLUME]),
    "lp1d": (lambda: nn.LPPool1d(4, 2), [LINE]),
    "lp2d": (lambda: nn.LPPool2d(2, (2, 3), stride=1), [IMAGE]),
    "lp3d": (lambda: nn.LPPool3d(2, 2), [VOLUME]),
    "adaptive-average": (lambda: nn.AdaptiveAvgPool2d((3, 4)), [IMAGE]),
    "adaptive-max": (lambda: nn.AdaptiveMaxPool1d(3), [LINE]),
    "pyramid": (lambda: Apply(pyramid), [IMAGE]),
    "feature-pool": (lambda: Apply(lambda x: x.reshape(2, 2, 2, 5, 6).amax(2)), [IMAGE]),
    "upsample-nearest": (lambda: nn.Upsample(scale_factor=2), [(1, 2, 3, 2)]),
    "upsample-linear": (lambda: nn.Upsample(scale_factor=(2, 3), mode="bilinear"), [(1, 2, 3, 2)]),
    "upsample-corners": (lambda: nn.Upsample(scale_factor=2, mode="trilinear", align_corners=True), [(1, 1, 2, 3, 2)]),
    "resize-cubic": (lambda: nn.Upsample((7, 4), mode="bicubic"), [IMAGE]),
    "resize-nearest": (lambda: nn.Upsample((3, 11)), [IMAGE]),
    "pixel-shuffle": (lambda: nn.PixelShuffle(2), [(2, 8, 2, 3)]),
    "pixel-unshuffle": (lambda: nn.PixelUnshuffle(2), [(2, 2, 4, 6)]),
    "channel-shuffle": (lambda: Apply(lambda x: x.reshape(2, 2, 2, 5, 6).transpose(1, 2).reshape(2, 4, 5, 6)), [IMAGE]),
    "unfold": (lambda: nn.Unfold((2, 3), padding=1, stride=2), [IMAGE]),
    "fold": (lambda: Apply(lambda x: F.fold(x.flatten(1, 2), (5, 6), (2, 3), padding=1, stride=2)), [(2, 2, 6, 9)]),
    "zero-pad": (lambda: nn.ZeroPad2d((1, 2, 0, 3)), [IMAGE]),
    "crop": (lambda: nn.ZeroPad2d((-1, -2, 0, -1)), [IMAGE]),
    "reflect-pad": (lambda: nn.ReflectionPad2d((1, 2, 3, 0)), [IMAGE]),
    "reflect-pad3d": (lambda: nn.ReflectionPad3d(1), [(1, 1, 2, 3, 2)]),
    "replicate-pad": (lambda: nn.ReplicationPad1d((3, 1)), [LINE]),
    "batch-norm": (lambda: nn.BatchNorm2d(4), [IMAGE]),
    "batch-norm-eval": (lambda: nn.BatchNorm1d(3).eval(), [LINE]),
    "layer-norm": (lambda: nn.LayerNorm((5, 6)), [IMAGE]),
    "group-norm": (lambda: nn.GroupNorm(2, 4), [IMAGE]),
    "instance-norm": (lambda: nn.InstanceNorm2d(4, affine=True), [IMAGE]),
    "rms-norm": (lambda: nn.RMSNorm(6, eps=1e-6), [IMAGE]),
    "local-response": (lambda: nn.LocalResponseNorm(3, 0.5, 0.75, 2.0), [IMAGE]),
    "weight-norm": (lambda: parametrizations.weight_norm(nn.Linear(4, 3)), [(2, 4)]),
    "weight-norm-conv": (lambda: parametrizations.weight_norm(nn.Conv1d(3, 2, 3)), [LINE]),
    "spectral-norm": (lambda: parametrizations.spectral_norm(nn.Linear(4, 3)), [(2, 4)]),
    "relu": (nn.ReLU, [(3, 4)]),
    "relu6": (nn.ReLU6, [(3, 4)]),
    "leaky-relu": (lambda: nn.LeakyReLU(0.2), [(3, 4)]),
    "threshold": (lambda: nn.Threshold(0.1, 20.0), [(3, 4)]),
    "elu": (lambda: nn.ELU(0.7), [(3, 4)]),
    "celu": (lambda: nn.CELU(0.7), [(3, 4)]),
    "selu": (nn.SELU, [(3, 4)]),
    "gelu": (nn.GELU, [(3, 4)]),
    "gelu-tanh": (lambda: nn.GELU("tanh"), [(3, 4)]),
    "silu": (nn.SiLU, [(3, 4)]),
    "hard-silu": (nn.Hardswish, [(3, 4)]),
    "mish": (nn.Mish, [(3, 4)]),
    "sigmoid": (nn.Sigmoid, [(3, 4)]),
    "hard-sigmoid": (nn.Hardsigmoid, [(3, 4)]),
    "log-sigmoid": (nn.LogSigmoid, [(3, 4)]),
    "tanh": (nn.Tanh, [(3, 4)]),
    "hard-tanh": (lambda: nn.Hardtanh(-0.5, 0.8), [(3, 4)]),
    "tanh-shrink": (nn.Tanhshrink, [(3, 4)]),
    "hard-shrink": (nn.Hardshrink, [(3, 4)]),
    "soft-shrink": (nn.Softshrink, [(3, 4)]),
    "softplus": (nn.Softplus, [(3, 4)]),
    "softsign": (nn.Softsign, [(3, 4)]),
    "softmax": (lambda: nn.Softmax(0), [(3, 4)]),
    "softmin": (lambda: nn.Softmin(1), [(3, 4)]),
    "log-softmax": (lambda: nn.LogSoftmax(1), [(3, 4)]),
    "prelu": (lambda: nn.PReLU(4), [IMAGE]),
    "rrelu-eval": (lambda: nn.RReLU().eval(), [(3, 4)]),
    "glu": (lambda: nn.GLU(1), [IMAGE]),
    "gated": (lambda: Gated(4, 3), [(2, 4)]),
    "highway": (lambda: Highway(4), [(2, 4)]),
    "spatial-transformer": (lambda: Transformer(60, (3, 4)), [(2, 2, 5, 6)]),
    "dot": (lambda: Apply(lambda a, b: torch.einsum("bij,bkj->bik", F.normalize(a, dim=2), F.normalize(b, dim=2))),
            [(2, 3, 4), (2, 2, 4)]),
}  # fmt: skip

for mode in ("bilinear", "nearest"):
    for padding_mode in ("zeros", "border", "reflection"):
        for align in (False, True):
            words = {"mode": mode, "padding_mode": padding_mode, "align_corners": align}
            CASES[f"grid-{mode}-{padding_mode}-{align}"] = (
                lambda words=words: Apply(lambda x, grid: F.grid_sample(x, grid, **words)), [(2, 2, 3, 4), (2, 3, 3, 2)]
            )  # fmt: skip
for align in (False, True):
    CASES[f"affine-grid-{align}"] = (
        lambda align=align: Apply(lambda theta: F.affine_grid(theta, [2, 1, 3, 4], align)),
        [(2, 2, 3)],
    )
CASES |= {  # further down: the numbers of cases are their seeds
    "depthwise1d": (lambda: nn.Conv1d(3, 6, 3, stride=2, padding=1, groups=3), [LINE]),
    "separable1d": (
        lambda: nn.Sequential(nn.Conv1d(3, 6, 3, dilation=2, groups=3, bias=False), nn.Conv1d(6, 2, 1)), [LINE]
    ),
    "local3d": (lambda: Local(2, 2, (2, 1, 2), (2, 3, 1)), [(2, 2, 3, 3, 2)]),
    "zero-pad1d": (lambda: nn.ZeroPad1d((2, 1)), [LINE]),
    "zero-pad3d": (lambda: nn.ZeroPad3d((1, 0, 2, 1, 0, 1)), [(1, 1, 2, 3, 2)]),
    "crop1d": (lambda: nn.ZeroPad1d((-2, -1)), [LINE]),
    "crop3d": (lambda: nn.ZeroPad3d((-1, 0, 0, -1, -1, 0)), [(1, 1, 2, 3, 2)]),
    "reflect-pad1d": (lambda: nn.ReflectionPad1d((2, 1)), [LINE]),
    "replicate-pad2d": (lambda: nn.ReplicationPad2d((1, 2, 0, 3)), [IMAGE]),
    "replicate-pad3d": (lambda: nn.ReplicationPad3d((2, 1, 0, 1, 1, 0)), [(1, 1, 2, 3, 2)]),
    "thresholded-relu": (lambda: nn.Threshold(0.4, 0.0), [(3, 4)]),
    "sparsemax": (lambda: Apply(lambda x: sparsemax(x, -1)), [(4, 5)]),
    "sparsemax-first": (lambda: Apply(lambda x: sparsemax(x, 0)), [(4, 3, 2)]),
    "feed-forward": (lambda: nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 4)), [(2, 3, 4)]),
    "maxout": (lambda: nn.Sequential(nn.Linear(4, 6), Apply(lambda x: x.unflatten(-1, (3, 2)).amax(-1))), [(2, 5, 4)]),
    "winner-takes-all": (lambda: Apply(winners), [IMAGE]),
    "inverse-max": (lambda: Apply(unpool), [(2, 4, 2, 3), IMAGE]),
    "inverse-tanh": (lambda: Apply(lambda y, x: y * (1 - torch.tanh(x) ** 2)), [(3, 4), (3, 4)]),
    "inverse-tied": (Tied, [IMAGE]),
    "bias": (lambda: Affine(lambda x, b: x + b[:, None, :], (4, 6)), [IMAGE]),
    "scale": (lambda: Affine(lambda x, s: x * s[:, None, None], (4,)), [IMAGE]),
    "standardize": (
        lambda: Apply(lambda x: (x - torch.tensor([[0.5], [1], [-2]])) / torch.tensor([[2], [0.5], [3]])), [LINE]
    ),
    "standardize-examples": (lambda: nn.LayerNorm((3, 7), 1e-5, elementwise_affine=False), [LINE]),
    "sinusoidal-positions": (lambda: Apply(sinusoids), [(2, 5, 6)]),
    "learned-positions": (lambda: Affine(lambda x, table: x + table[: x.shape[1]], (5, 4)), [(2, 3, 4)]),
    "add": (lambda: Apply(lambda a, b, c: a + b + c), [LINE, (2, 1, 7), LINE]),
    "subtract": (lambda: Apply(torch.sub), [LINE, (2, 3, 1)]),
    "multiply": (lambda: Apply(lambda a, b, c: a * b * c), [LINE, LINE, (2, 1, 7)]),
    "average": (lambda: Apply(lambda *xs: torch.stack(xs).mean(0)), [LINE, LINE, LINE]),
    "maximum": (lambda: Apply(lambda *xs: torch.stack(xs).amax(0)), [LINE, LINE, LINE]),
    "minimum": (lambda: Apply(torch.minimum), [LINE, (2, 1, 7)]),
    "merge-logaddexp": (lambda: Apply(torch.logaddexp), [LINE, LINE]),
    "merge-crop": (lambda: Apply(lambda a, b: a[:, :, 1:5, :5] + b), [IMAGE, (2, 4, 4, 5)]),
    "concatenate": (lambda: Apply(lambda *xs: torch.cat(xs, 1)), [LINE, (2, 1, 7), (2, 2, 7)]),
    "concatenate-last": (lambda: Apply(lambda *xs: torch.cat(xs, -1)), [LINE, (2, 3, 2)]),
    "dot-axes": (lambda: Apply(lambda a, b: torch.einsum("bki,bjk->bij", a, b)), [(2, 4, 3), (2, 2, 4)]),
    "dot-vectors": (lambda: Apply(lambda a, b: (a * b).sum(1, keepdim=True)), [(3, 4), (3, 4)]),
    "global-average": (lambda: Apply(lambda x: x.mean((2, 3))), [IMAGE]),
    "global-max": (lambda: Apply(lambda x: x.amax((2, 3, 4))), [VOLUME]),
    "thin-plate": (lambda: ThinPlate(60, 3, (3, 4)), [(2, 2, 5, 6)]),
    "additive-attention": (lambda: Additive(3, 4, 5), [(2, 3, 3), (2, 4, 4)]),
    "general-attention": (lambda: General(3, 4), [(2, 3, 3), (2, 4, 4)]),
    "scaled-attention": (lambda: Apply(lambda q, m: F.scaled_dot_product_attention(q, m, m)), [(2, 3, 4), (2, 5, 4)]),
}  # fmt: skip


def numpy(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor as float32, or as integers."""
    array = tensor.detach().numpy()
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def record(name: str, module: nn.Module, inputs: list[torch.Tensor]) -> dict[str, np.ndarray]:
    """Return everything about one case; computed in double precision."""
    with torch.no_grad():
        for parameter in module.parameters():  # values that float32 holds exactly
            parameter.copy_(parameter + 0.1 * torch.randn_like(parameter)).copy_(parameter.float())
        for buffer in module.buffers():
            if buffer.is_floating_point() and "running" not in name:
                buffer.copy_(buffer.float())
    found = {f"{name}/x{i}": numpy(x) for i, x in enumerate(inputs)}
    found |= {f"{name}/p/{key}": numpy(value) for key, value in module.named_parameters()}
    found |= {f"{name}/b0/{key}": numpy(value).copy() for key, value in module.named_buffers()}
    y = module(*inputs)
    (y * torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)).sum().backward()
    found[f"{name}/y"] = numpy(y)
    found |= {f"{name}/b/{key}": numpy(value) for key, value in module.named_buffers()}
    found |= {f"{name}/gx{i}": numpy(x.grad) for i, x in enumerate(inputs) if x.grad is not None}
    found |= {f"{name}/gp/{key}": numpy(value.grad) for key, value in module.named_parameters()}
    return found


def write(file: Path, cases: dict[str, tuple[Callable[[], nn.Module], list[tuple[int, ...]]]]) -> None:
    """Write the file of some cases; their numbers are their seeds."""
    torch.set_default_dtype(torch.float64)
    found: dict[str, np.ndarray] = {}
    for number, (name, (make, shapes)) in enumerate(cases.items()):
        torch.manual_seed(number)
        module = make()
        inputs = [torch.randn(shape).float().double().requires_grad_() for shape in shapes]
        if name.startswith("embedding"):
            inputs = [torch.tensor([[0, 5, 2], [2, 2, 1]])]
        found |= record(name, module, inputs)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **found)
    print(f"{file}: {len(cases)} cases, {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    write(FILE, CASES)
