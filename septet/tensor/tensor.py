"""Tensor: a handle on a node. Operators and methods come from the cards (see `namespace`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, TracedValueError
from septet.base.hooks import hook
from septet.base.source import source_text
from septet.graph.context import TRACKED
from septet.graph.derived import lines_about
from septet.graph.graph import order
from septet.graph.node import SYMBOL, Node
from septet.graph.op import get
from septet.graph.pending import evaluate
from septet.graph.types import TensorType

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
"""The versions of the Python Array API standard that the namespace follows."""


def check_device(device: Any) -> None:
    """Refuse a device that does not exist."""
    if device not in (None, "cpu"):
        raise ArgumentError(f"device {device!r} does not exist; the devices are 'cpu'")


class Tensor:
    """A tensor: an n-dimensional array that is known, will be computed when it is asked for, or is a symbol.

    Make one with `septet.tensor`, `septet.asarray`, `septet.zeros` ... or by computing with others. In-place syntax
    (``x += 1``, ``x[i] = v``) gives the handle another node; other handles never change.
    """

    __slots__ = ("__weakref__", "node")

    node: Node

    __array_priority__ = 1000.0
    __hash__ = object.__hash__

    def __init__(self, node: Node) -> None:
        self.node = node

    # What is known without computing.

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.node.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.node.ndim

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes: ints, and for a size that is not known before the graph runs a scalar symbolic tensor."""
        type_ = self.node.tensor_type
        if type_.is_known:
            return type_.shape
        if not self.node.is_symbolic:
            return self.value.shape
        return tuple(
            size if size is not None else Tensor(get("size_of")(self.node, axis=axis))
            for axis, size in enumerate(type_.shape)
        )

    @property
    def type(self) -> TensorType:
        """Dtype and static shape (None where a size is unknown)."""
        return self.node.tensor_type

    @property
    def size(self) -> int | None:
        """The number of elements; None where it is not known."""
        return self.node.tensor_type.size

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int | None:
        """Bytes of all elements; None where the size is not known."""
        return None if self.size is None else self.size * self.itemsize

    @property
    def device(self) -> str:
        """Where the tensor lives."""
        return "cpu"

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """Return the tensor on a device.

        Parameters
        ----------
        device : str
            "cpu".
        stream : None
            The CPU has no streams.

        Raises
        ------
        ArgumentError
            If there is no such device or a stream is given.
        """
        check_device(device)
        if stream is not None:
            raise ArgumentError(f"to_device: the device 'cpu' has no streams, got {stream!r}")
        return self

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a scalar tensor has no length")
        size = self.shape[0]
        if not isinstance(size, int):
            raise TracedValueError("len(): the first size is not known before the graph runs", hint="use x.shape[0]")
        return size

    # Values.

    @property
    def value(self) -> np.ndarray:
        """The value as a read-only array, without a copy; computed now where it is pending.

        Raises
        ------
        TracedValueError
            If the tensor depends on a symbol.
        """
        node = self.node
        if node.value is None:
            if node.is_symbolic:
                raise traced_error(node, "the value of a symbolic tensor was asked for")
            evaluate(node)
        return node.value

    def numpy(self) -> np.ndarray:
        """Return the value as an array of your own (a copy); ``np.asarray(x)`` gives a read-only view instead."""
        return np.array(self.value)

    def item(self, *index: int) -> Any:
        """Return one element as a Python number: the only one, or that at `index`."""
        value = self.value
        if not index and value.size != 1:
            raise ValueError(f"item() needs a tensor with one element, this one has shape {value.shape}")
        return value.item(*index)

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        return self.value.tolist()

    def eval(self, givens: Mapping[Tensor, Any] | None = None) -> Tensor:
        """Evaluate a symbolic expression for values of its symbols.

        Parameters
        ----------
        givens : dict of symbol to array-like

        Returns
        -------
        Tensor

        Raises
        ------
        GraphError
            If the expression depends on other symbols, or on none of the given ones.
        ShapeError, DTypeError
            If a value does not have the type of its symbol.

        Examples
        --------
        >>> import septet as st
        >>> x = st.symbol("x")
        >>> (x ** 2).eval({x: 3.0})
        tensor(9., dtype=float32)
        """
        result: Tensor = hook("eval")(self, givens)
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.value
        if dtype is not None and np.dtype(dtype) != value.dtype:
            if copy is False:
                raise ValueError(f"cannot view {value.dtype} as {dtype} without a copy")
            return value.astype(dtype)
        return np.array(value) if copy else value

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        value = self.value if copy is False else np.array(self.value)
        words: dict[str, Any] = {"stream": stream}
        if max_version is not None:
            words |= {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        return value.__dlpack__(**words)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def _number(self, what: str) -> Any:
        node = self.node
        if node.value is None and node.is_symbolic:
            raise traced_error(node, f"{what} needs the value of a symbolic tensor")
        value = self.value
        if value.ndim != 0 and not (what == "bool()" and value.size == 1):
            raise TypeError(f"{what} needs a scalar tensor, this one has shape {value.shape}")
        return value.reshape(()).item()

    def __bool__(self) -> bool:
        return bool(self._number("bool()"))

    def __int__(self) -> int:
        return int(self._number("int()"))

    def __float__(self) -> float:
        return float(self._number("float()"))

    def __complex__(self) -> complex:
        return complex(self._number("complex()"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only integer tensors can be an index, this one has dtype {self.dtype.name}")
        return int(self._number("an index"))

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __repr__(self) -> str:
        node = self.node
        if node.value is None and node.is_symbolic:
            name = f" {node.params[0]!r}" if node.op is SYMBOL and node.params[0] else f" = {node.op.name}(...)"
            return f"{type(self).__name__}({node.type!r}{name})"
        text = np.array2string(np.asarray(self.value), separator=", ", prefix="tensor(", threshold=200)
        return f"tensor({text}, dtype={self.dtype.name})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.ndim == 0 else format(str(self), spec)

    def __copy__(self) -> Tensor:
        return Tensor(self.node)

    def __deepcopy__(self, memo: Any) -> Tensor:
        return Tensor(self.node)

    def __reduce__(self) -> Any:
        return _from_array, (np.asarray(self.value),)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> ModuleType:
        """Return the module whose functions take the tensor: ``septet``.

        Raises
        ------
        ArgumentError
            If a version of the standard is asked for that does not exist.
        """
        if api_version not in (None, *VERSIONS):
            raise ArgumentError(
                f"version {api_version!r} of the array standard; the versions here are {', '.join(VERSIONS)}"
            )
        return sys.modules[__name__.partition(".")[0]]

    # Gradients.

    @property
    def is_tracked(self) -> bool:
        """Whether a gradient can flow through the tensor to a Variable."""
        return bool(self.node.flags & TRACKED)

    def detach(self) -> Tensor:
        """Return the same tensor, seen by gradients as plain data."""
        return Tensor(get("stop_gradient")(self.node))


def _from_array(value: np.ndarray) -> Tensor:
    """Rebuild a tensor from its pickled array."""
    from_array = get("cast")(value, dtype=value.dtype)
    return Tensor(from_array)


def traced_error(node: Node, what: str) -> TracedValueError:
    """Say which symbols a value depends on, where it was made, and what to use instead."""
    symbols = [n for n in order([node]) if n.op is SYMBOL]
    names = ", ".join(repr(n.params[0]) if n.params[0] else f"<{n.type!r}>" for n in symbols[:4]) or "a traced variable"
    made = source_text(node.source)
    text = (
        f"{what}: {node.op.name} {node.type!r} depends on {names}, which has no value while the graph is built"
        + (f"\n  made at {made}" if made else "")
        + "".join([f"\n{line}" for line in lines_about(node.layers)])
        + "\n  instead: st.where(condition, a, b) computes both sides; st.cond(condition, f, g, *args) one of them;"
        + "\n  st.scan and st.while_loop are loops; expression.eval({symbol: value}) evaluates a symbolic expression;"
        + "\n  a plain Python argument (not a tensor) is static in st.compile"
        + f"\n  [{TracedValueError.code}] {TracedValueError.command()}"
    )
    error = TracedValueError(text)
    error.locate(text)
    return error
