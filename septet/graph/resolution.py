"""What the type rule of an op said about one combination of parameters and input types; kept with the op."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from septet.base.dtypes import DType, is_differentiable
from septet.graph.context import ALL_FLAGS, SYMBOLIC
from septet.graph.node import operation_key
from septet.graph.params import packed
from septet.graph.types import NodeType, TensorType

if TYPE_CHECKING:
    from septet.graph.op import Op


class Resolution:
    """What the type rule said about one combination of parameters and input types.

    Attributes
    ----------
    type : TensorType or tuple of TensorType
    params : tuple
        The parameters in their one spelling.
    casts : tuple of (dtype or None), or None
        The dtype to convert each input to before, None where it stays; None alone: no input changes.
    mask : int
        The flags that the inputs may hand on.
    key : int
        What a structural key takes from op, parameters and type.
    given : tuple or None
        The parameters that the rule was asked about; None where it looked at the settings, so that the answer holds
        for their present values only.
    pack : bytes or None
        See `params.is_same`.
    is_plain : bool
        Whether a node is made without more ado: the answer holds for these parameters, nothing is converted, and the
        node can wait until it is asked for.
    op : Op
    operands : tuple of TensorType
        The types of the inputs, after conversion.
    pulls : dict
        What the gradient rule says for these types: see `transform.pull`.
    unit : object or None
        How a node like this is computed: see `run.units`.
    """

    __slots__ = (
        "casts", "given", "is_plain", "key", "mask", "op", "operands", "pack", "params", "pulls", "type", "unit",
    )  # fmt: skip

    def __init__(
        self, op: Op, operands: tuple[TensorType, ...], type: NodeType, given: tuple[Any, ...] | None,
        params: tuple[Any, ...], casts: tuple[DType | None, ...] | None,
    ) -> None:  # fmt: skip
        self.op = op
        self.operands = operands
        self.pulls: dict[Any, Any] = {}
        self.unit: Any = None
        self.type = type
        self.given = given
        self.pack = None if given is None else packed(given)
        self.params = params
        self.casts = casts
        self.is_plain = given is not None and casts is None and not op.is_immediate
        self.mask = ALL_FLAGS
        if op.is_untracked or (isinstance(type, TensorType) and not is_differentiable(type.dtype)):
            self.mask = SYMBOLIC
        self.key = operation_key(op.name, params, type)
