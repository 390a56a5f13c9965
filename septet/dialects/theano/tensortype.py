"""TensorType: dtype and rank of a tensor, and which of its sizes are known to be 1."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import ALL, DISCRETE, NAME_OF, tolerances, upcast
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.type import Type
from septet.graph.context import TRACKED

NAMES = ("scalar", "vector", "matrix", "3D", "4D", "5D", "6D", "7D")


class TensorType(Type):
    """The type of a tensor.

    Parameters
    ----------
    dtype : str
        ``"floatX"`` stands for the setting.
    broadcastable : sequence of bool
        For each axis, whether its size is 1; only then it broadcasts.
    name : str, optional
    """

    is_tensor = True
    filter_checks_isfinite = False
    context_name = "cpu"

    def __init__(self, dtype: Any, broadcastable: Any, name: str | None = None, sparse_grad: bool = False) -> None:
        self.dtype = NAME_OF[dtype] if isinstance(dtype, np.dtype) else str(dtype)
        if self.dtype == "floatX":
            self.dtype = config.floatX
        if self.dtype not in ALL:
            with contextlib.suppress(TypeError):
                self.dtype = str(np.dtype(dtype))
        if self.dtype not in ALL:
            raise TypeError(f"TensorType has no dtype {dtype!r}; the dtypes are {', '.join(ALL)}")
        self.broadcastable = tuple([bool(one) for one in broadcastable])
        self.name = name
        self.numpy_dtype = np.dtype(self.dtype)
        self.sparse_grad = sparse_grad

    @property
    def ndim(self) -> int:
        """The rank."""
        return len(self.broadcastable)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The sizes as far as they are known: 1 or None."""
        return tuple([1 if one else None for one in self.broadcastable])

    def clone(self, dtype: Any = None, broadcastable: Any = None) -> TensorType:
        """Return the type with another dtype or other axes of size 1."""
        return type(self)(
            self.dtype if dtype is None else dtype, self.broadcastable if broadcastable is None else broadcastable,
            name=self.name,
        )  # fmt: skip

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """Return a value as an array of this type.

        Raises
        ------
        TypeError
            If the dtype cannot hold the value without loss (and `allow_downcast` does not permit that), the rank
            differs, or a size that must be 1 is not.
        """
        array = self._as_array(data, strict, allow_downcast)
        if array.ndim != self.ndim:
            raise TypeError(
                f"Wrong number of dimensions: expected {self.ndim}, got {array.ndim} with shape {array.shape}."
            )
        if True in self.broadcastable and any(
            one and size != 1 for one, size in zip(self.broadcastable, array.shape, strict=True)
        ):
            raise TypeError("Non-unit value on shape on a broadcastable dimension.", array.shape, self.broadcastable)
        if self.filter_checks_isfinite and not np.all(np.isfinite(array)):
            raise ValueError("non-finite elements not allowed")
        return array

    def _as_array(self, data: Any, strict: bool, allow_downcast: bool | None) -> np.ndarray:
        if isinstance(data, np.ndarray) and data.dtype == self.numpy_dtype:
            return data if type(data) in (np.ndarray, np.memmap) else np.asarray(data)
        if isinstance(data, Variable):
            raise TypeError(
                "Expected an array-like object, but found a Variable: maybe you are trying to call a function on a "
                "(possibly shared) variable instead of a numeric array?"
            )
        if strict:
            if not isinstance(data, np.ndarray):
                raise TypeError(f"{self} expected a ndarray object.", data, type(data))
            raise TypeError(f"{self} expected a ndarray object with dtype = {self.numpy_dtype} (got {data.dtype}).")
        if allow_downcast:
            return np.asarray(data).astype(self.numpy_dtype)
        if isinstance(data, np.ndarray):
            if upcast(self.dtype, str(data.dtype)) == self.dtype:
                return data.astype(self.numpy_dtype)
            raise TypeError(
                f"{self} cannot store a value of dtype {data.dtype} without risking loss of precision. If you do not "
                f"mind this loss, you can: 1) explicitly cast your data to {self.dtype}, or 2) set "
                f'"allow_input_downcast=True" when calling "function".'
            )
        if allow_downcast is None and type(data) is float and self.dtype == config.floatX:
            return np.asarray(data, self.numpy_dtype)
        own = np.asarray(data)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = own.astype(self.numpy_dtype)
        if own.dtype.kind not in "OSU" and self.values_eq(own, converted, force_same_dtype=False):
            return converted
        text = str(data)
        raise TypeError(
            f"{self} cannot store accurately value {text if len(text) <= 80 else text[:75] + '(...)'}, it would be "
            f"represented as {converted}. If you do not mind this precision loss, you can: 1) explicitly convert your "
            f'data to a numpy array of dtype {self.dtype}, or 2) set "allow_input_downcast=True" when calling '
            f'"function".',
            data,
        )

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Any:
        if hasattr(other, "_as_TensorVariable"):
            other = other._as_TensorVariable()
        return super().filter_variable(other, allow_convert)

    def convert_variable(self, var: Any) -> Any:
        """Return a variable as one of this type, where the types agree but for sizes known to be 1; or None."""
        own = var.type
        if self == own:
            return var
        if type(self) is type(own) and self.dtype == own.dtype and self.ndim == own.ndim:
            if all(a == b or b for a, b in zip(self.broadcastable, own.broadcastable, strict=True)):
                from septet.dialects.theano.tensor.shaping import patternbroadcast

                return patternbroadcast(var, self.broadcastable)
        return None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and other.dtype == self.dtype and other.broadcastable == self.broadcastable

    def __hash__(self) -> int:
        return hash((type(self), self.dtype, self.broadcastable))

    @staticmethod
    def may_share_memory(a: Any, b: Any) -> bool:
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.may_share_memory(a, b)

    @staticmethod
    def values_eq(a: Any, b: Any, force_same_dtype: bool = True) -> bool:
        """Tell whether two arrays are equal; NaN equals NaN."""
        if a.shape != b.shape or (force_same_dtype and a.dtype != b.dtype):
            return False
        equal = a == b
        if np.all(equal):
            return True
        if a.dtype.kind in "fc" and b.dtype.kind in "fc":
            return bool(np.all(equal | (np.isnan(a) & np.isnan(b))))
        return False

    @staticmethod
    def values_eq_approx(
        a: Any, b: Any, allow_remove_inf: bool = False, allow_remove_nan: bool = False, rtol: Any = None,
        atol: Any = None,
    ) -> bool:  # fmt: skip
        """Tell whether two arrays are equal up to rounding; NaN and infinities stand at the same places."""
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.kind not in "fc":
            return bool(np.all(a == b))
        relative, absolute = tolerances(str(a.dtype))
        rtol, atol = relative if rtol is None else rtol, absolute if atol is None else atol
        close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        if allow_remove_inf:
            close |= np.isinf(a)
        if allow_remove_nan:
            close |= np.isnan(a)
        return bool(np.all(close))

    def value_validity_msg(self, a: Any) -> str:
        try:
            self.filter(a, strict=True)
        except (TypeError, ValueError) as error:
            return str(error)
        return "value is valid"

    def dtype_specs(self) -> tuple[type, str, str]:
        """Return the Python type of an element, and the names of its C type and of NumPy's number for it."""
        kind: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
        return kind[self.numpy_dtype.kind], f"npy_{self.dtype}", f"NPY_{self.dtype.upper()}"

    def to_scalar_type(self) -> Any:
        """Return the type of one element."""
        from septet.dialects.theano.scalar.basic import get_scalar_type

        return get_scalar_type(self.dtype)

    def value_zeros(self, shape: Any) -> np.ndarray:
        return np.zeros(shape, self.numpy_dtype)

    def get_shape_info(self, obj: Any) -> Any:
        return obj.shape

    def get_size(self, shape_info: Any) -> int:
        return int(np.prod(shape_info, dtype=np.int64)) * self.numpy_dtype.itemsize

    def __str__(self) -> str:
        if self.name:
            return self.name
        ones = self.broadcastable
        if True not in ones:
            text = NAMES[len(ones)] if len(ones) < len(NAMES) else str(ones)
        elif ones in ((True, False), (False, True)):
            text = "row" if ones[0] else "col"
        else:
            text = str(ones)
        return f"TensorType({self.dtype}, {text})"

    def __repr__(self) -> str:
        return str(self)

    # To and from tensors.

    def leaf(self, variable: Any) -> Any:
        """Return the symbol that an input of this type stands for."""
        if hasattr(variable, "data"):
            found = st.asarray(variable.data)
            if self.dtype not in DISCRETE:
                found.node.flags |= TRACKED  # gradients of constants can be asked for
            return found
        return st.symbol(variable.name or "", self.shape, self.dtype)


def type_of(tensor: Any) -> TensorType:
    """Return the type of a tensor of Septet: sizes that are known to be 1 broadcast."""
    own = tensor.node.tensor_type
    return TensorType(own.dtype, [size == 1 for size in own.shape])
