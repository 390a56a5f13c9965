"""F7: optimizers, schedules of learning rates, groups of parameters, clipping of gradients."""

from __future__ import annotations

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.optim import schedules
from septet.optim.adadelta import Adadelta
from septet.optim.adafactor import Adafactor
from septet.optim.adagrad import Adagrad
from septet.optim.adam import Adam, Adamax, AdamW, Nadam
from septet.optim.asgd import ASGD
from septet.optim.clipping import clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from septet.optim.groups import Group
from septet.optim.lamb import LAMB
from septet.optim.lbfgs import LBFGS
from septet.optim.lion import Lion
from septet.optim.optimizer import Optimizer
from septet.optim.rmsprop import RMSprop
from septet.optim.rprop import Rprop
from septet.optim.schedules import Schedule
from septet.optim.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "adamax": Adamax,
    "nadam": Nadam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "adafactor": Adafactor,
    "lion": Lion,
    "lamb": LAMB,
    "rprop": Rprop,
    "asgd": ASGD,
}
"""Optimizers by name, as `fit` takes them; `LBFGS` needs a loop of its own."""


def by_name(name: str) -> type[Optimizer]:
    """Return the class of an optimizer's name, such as "adam".

    Raises
    ------
    ArgumentError
        When there is no optimizer of that name.
    """
    if not isinstance(name, str) or name.lower() not in OPTIMIZERS:
        raise ArgumentError(
            f"optimizer {name!r} does not exist.{did_you_mean(str(name), OPTIMIZERS)} "
            f"The optimizers are {', '.join(OPTIMIZERS)}"
        )
    return OPTIMIZERS[name.lower()]


__all__ = [
    "ASGD", "LAMB", "LBFGS", "OPTIMIZERS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax",
    "Group", "Lion", "Nadam", "Optimizer", "RMSprop", "Rprop", "Schedule", "by_name", "clip_by_global_norm",
    "clip_by_norm", "clip_by_value", "global_norm", "schedules",
]  # fmt: skip
