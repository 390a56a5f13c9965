"""`theano.sandbox.cuda.type`: the type of tensors on a GPU, which no variable has here."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import refused
from septet.dialects.theano.gof.type import Type


class CudaNdarrayType(Type):
    """What programs ask types for, to tell tensors on a GPU; none can be made."""

    def __init__(self, *args: Any, **words: Any) -> None:
        raise refused("theano.sandbox.cuda.type.CudaNdarrayType")
