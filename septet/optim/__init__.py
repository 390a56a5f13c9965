"""F7: optimizers."""

from __future__ import annotations

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.optim.adadelta import Adadelta
from septet.optim.adagrad import Adagrad
from septet.optim.adam import Adam, AdamW
from septet.optim.optimizer import Optimizer
from septet.optim.rmsprop import RMSprop
from septet.optim.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
}


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


__all__ = ["OPTIMIZERS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "by_name"]
