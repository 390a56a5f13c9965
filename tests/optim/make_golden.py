"""Write golden.npz: what PyTorch's optimizers and schedules do. Run with any Python that has torch and numpy:

python tests/optim/make_golden.py
"""

from pathlib import Path

import numpy as np
import torch
from torch.optim import lr_scheduler

torch.set_default_dtype(torch.float64)  # of what optimizers count, too
TARGET = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.1, -1.0]], dtype=torch.float64)

OPTIMIZERS = {
    "amsgrad": (torch.optim.Adam, {"betas": (0.9, 0.99), "amsgrad": True}),
    "adamax": (torch.optim.Adamax, {"weight_decay": 0.1}),
    "nadam": (torch.optim.NAdam, {"betas": (0.9, 0.99)}),
    "adafactor": (torch.optim.Adafactor, {"weight_decay": 0.1}),
    "rprop": (torch.optim.Rprop, {}),
    "asgd": (torch.optim.ASGD, {"t0": 4, "lambd": 0.01}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.2}),
}

SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 7, 0.3),
    "multi_step": lambda o: lr_scheduler.MultiStepLR(o, [4, 20], 0.3),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 30, 2.0),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, 0.01),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 40),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 40, 0.01),
}


def loss_of(p):
    return p.sin().sum() + ((p - TARGET) ** 2).sum()


def path_of(make, words, steps=12):
    p = torch.full((2, 3), 0.7, dtype=torch.float64, requires_grad=True)
    optimizer = make([p], lr=0.05, **words)
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(p).backward()
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.array(path)


def rates_of(make, steps=40):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return np.array(rates)


def clipped():
    a, b = torch.tensor([3.0, -4.0], dtype=torch.float64), torch.tensor([[12.0]], dtype=torch.float64)
    for tensor in (a, b):
        tensor.requires_grad_()
        tensor.grad = tensor.detach().clone()
    torch.nn.utils.clip_grad_norm_([a, b], 2.0)
    return np.concatenate([a.grad.numpy().ravel(), b.grad.numpy().ravel()])


found = {f"optimizer {name}": path_of(*case) for name, case in OPTIMIZERS.items()}
found |= {f"schedule {name}": rates_of(make) for name, make in SCHEDULES.items()}
found["clipped"] = clipped()
np.savez_compressed(Path(__file__).with_name("golden.npz"), **found)
