"""Types of gradients that do not exist, and the errors about them."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.gof.type import SingletonType


class DisconnectedInputError(ValueError):
    """A gradient with respect to something that the cost does not depend on."""


class NullTypeGradError(TypeError):
    """A gradient that is not defined."""


class DisconnectedType(SingletonType):
    """The type of a gradient that does not exist because nothing depends on the input."""

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise AssertionError("If you're assigning to a DisconnectedType you're doing something wrong.")


disconnected_type = DisconnectedType()
