"""F7: optimizers."""

from septet.base.errors import ArgumentError
from septet.base.text import nearest
from septet.optim.adaptive import Adadelta, Adagrad, Adam, AdamW, RMSprop
from septet.optim.optimizer import Optimizer
from septet.optim.sgd import SGD

BY_NAME = {
    "sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "adagrad": Adagrad, "adadelta": Adadelta,
}  # fmt: skip


def by_name(name: str) -> type[Optimizer]:
    """Return the optimizer class with a name such as "adam".

    Raises
    ------
    ArgumentError
        If there is none; the message names the nearest.
    """
    if name.lower() not in BY_NAME:
        near = nearest(name.lower(), BY_NAME)
        raise ArgumentError(
            f"there is no optimizer {name!r}; there are {', '.join(BY_NAME)}", hint=f"did you mean {near!r}?" if near else None
        )
    return BY_NAME[name.lower()]


__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "by_name"]
