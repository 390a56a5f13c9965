"""Augmentation of images (C, H, W): steps for `Stream.map`, with random numbers that belong to the sample."""

from septet.data.images.chain import Chain, Step
from septet.data.images.color import ColorJitter, Normalize, Scale
from septet.data.images.geometry import (
    CenterCrop,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomResizedCrop,
    Resize,
    resize,
)
from septet.data.images.mixing import CutMix, Mixup

__all__ = [
    "CenterCrop", "Chain", "ColorJitter", "CutMix", "Mixup", "Normalize", "RandomAffine", "RandomCrop", "RandomErasing",
    "RandomFlip", "RandomResizedCrop", "Resize", "Scale", "Step", "resize",
]  # fmt: skip
