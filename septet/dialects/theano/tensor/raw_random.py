"""`theano.tensor.raw_random`: random numbers of NumPy's RandomState, bit for bit.

In a graph the state is a vector of words; programs see RandomState objects.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import DISCRETE, upcast
from septet.dialects.theano.gof.graph import Apply
from septet.dialects.theano.gof.op import Op
from septet.dialects.theano.gof.type import SingletonType
from septet.dialects.theano.missing import NullTypeGradError
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.convert import as_tensor_variable, constant, known_value
from septet.dialects.theano.tensor.shaping import get_vector_length, stack
from septet.dialects.theano.tensortype import TensorType

WORDS = 624
"""Words of the Mersenne Twister; behind them: its position, whether a normal number waits, and that number's two words."""


def words_of(state: np.random.RandomState) -> np.ndarray:
    """Return the state of a generator as words."""
    _, key, position, has_gauss, gauss = state.get_state(legacy=True)
    rest = np.array([position, has_gauss, *np.array([gauss]).view(np.uint32)], np.uint32)
    return np.concatenate([np.asarray(key, np.uint32), rest])


class _Drawing(threading.local):
    """The generator of a thread that draws: a new one costs as much as a thousand numbers."""

    def __init__(self) -> None:
        self.state = np.random.RandomState(0)


_drawing = _Drawing()


def state_of(words: np.ndarray, state: np.random.RandomState | None = None) -> np.random.RandomState:
    """Return a generator with the state that words say: a new one, or the one that is given."""
    state = np.random.RandomState(0) if state is None else state
    gauss = float(np.ascontiguousarray(words[WORDS + 2 :]).view(np.float64)[0])
    state.set_state(("MT19937", words[:WORDS], int(words[WORDS]), int(words[WORDS + 1]), gauss))
    return state


class RandomStateType(SingletonType):
    """The type of NumPy's RandomState."""

    is_tensor = True
    dtype = "uint32"
    shape = (WORDS + 4,)
    to_array, of_array = staticmethod(words_of), staticmethod(state_of)

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        if not self.is_valid_value(data):
            raise TypeError(f"expected a RandomState, got {data!r}")
        return data

    def is_valid_value(self, a: Any, strict: bool = True) -> bool:
        return type(a) is np.random.RandomState

    def values_eq(self, a: Any, b: Any) -> bool:  # type: ignore[override]
        return bool(np.array_equal(words_of(a)[: WORDS + 2], words_of(b)[: WORDS + 2])) and (
            not a.get_state(legacy=True)[3] or a.get_state(legacy=True)[4] == b.get_state(legacy=True)[4]
        )

    values_eq_approx = values_eq  # type: ignore[assignment]

    @staticmethod
    def may_share_memory(a: Any, b: Any) -> bool:
        return a is b

    def leaf(self, variable: Any) -> Any:
        if hasattr(variable, "data"):
            return st.asarray(words_of(variable.data))
        return st.symbol(variable.name or "", self.shape, self.dtype)

    def get_size(self, shape_info: Any) -> int:
        return 4 * (WORDS + 4)


random_state_type = RandomStateType()


class RandomFunction(Op):
    """Numbers drawn from a RandomState, and the state after that.

    Parameters
    ----------
    fn : str or callable
        A method of RandomState by its name, or a function of (state, arguments ..., size).
    outtype : TensorType
    inplace : bool
        Whether `perform` may use up the state that it is given.
    ndim_added : int
        How many axes the result has beside those of the size.
    """

    __props__ = ("fn", "outtype", "inplace", "ndim_added")
    inputs_with_gradient = slice(0)

    def __init__(self, fn: Any, outtype: Any, inplace: bool = False, ndim_added: int = 0) -> None:
        self.fn, self.outtype, self.inplace, self.ndim_added = fn, outtype, inplace, ndim_added
        if inplace:
            self.destroy_map = {0: [0]}

    @property
    def exec_fn(self) -> Any:
        """What draws."""
        return getattr(np.random.RandomState, self.fn) if isinstance(self.fn, str) else self.fn

    def __str__(self) -> str:
        return f"RandomFunction{{{self.exec_fn.__name__}}}"

    def make_node(self, *inputs: Any) -> Apply:
        r, shape, *args = inputs
        shape = (
            constant([], dtype="int64") if isinstance(shape, tuple) and not shape else as_tensor_variable(shape, ndim=1)
        )
        if shape.type.dtype not in ("int64", "int32"):
            raise AssertionError(f"a shape is a vector of int64 or int32, got {shape.type}")
        if not isinstance(r.type, RandomStateType):
            print("WARNING: RandomState instances should be in RandomStateType", file=sys.stderr)
        return Apply(self, [r, shape, *[as_tensor_variable(one) for one in args]], [r.type(), self.outtype()])

    def lowered(self, node: Apply) -> list[Any]:
        drawn = node.outputs[1].type
        known = known_value(node.inputs[1])
        sizes: list[Any] = list(drawn.shape)
        wanted = node.inputs[1].tensor
        if known is not None and len(known):
            sizes[: len(known)] = [int(one) for one in known]
        elif wanted.type.shape == (len(sizes) - self.ndim_added,):
            sizes[: wanted.type.shape[0]] = [wanted[place] for place in range(wanted.type.shape[0])]

        def run(words: np.ndarray, *rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            state = state_of(words, _drawing.state)
            return self._drawn(state, *rest), words_of(state)

        types = [(drawn.dtype, tuple(sizes)), ("uint32", random_state_type.shape)]
        numbers, words = st.callback(run, types, *[v.tensor for v in node.inputs], gradient=self._no_gradient)
        return [words, numbers]

    def _no_gradient(self, g: Any, *args: Any) -> Any:
        raise NullTypeGradError("No gradient defined through raw random numbers op")

    def _drawn(self, state: np.random.RandomState, shape: np.ndarray, *args: np.ndarray) -> np.ndarray:
        size = tuple(int(one) for one in shape) if len(shape) else None
        rank = self.outtype.ndim
        if size is not None and rank != len(size) + self.ndim_added:
            raise ValueError(
                f"Shape mismatch: self.outtype.ndim ({rank}) != len(shape) ({len(size)}) + self.ndim_added ({self.ndim_added})"
            )
        found = np.asarray(self.exec_fn(state, *args, size)).astype(self.outtype.dtype, copy=False)
        if size is None and found.ndim == 0:
            found = found.reshape([1] * rank)
        if found.ndim != rank:
            raise ValueError(
                f'Shape mismatch: "out" should have dimension {rank}, but the value produced by "perform" has dimension {found.ndim}'
            )
        if size is not None and found.shape[: found.ndim - self.ndim_added] != size:
            raise ValueError(
                f'Shape mismatch: "out" should have shape {size}, but the value produced has {found.shape}'
            )
        return found

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        state = inputs[0] if self.inplace else state_of(words_of(inputs[0]))
        output_storage[1][0] = self._drawn(state, *inputs[1:])
        output_storage[0][0] = state

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Any:
        return [None, None]


def _size_of(place: int, size: Any, ndim: int, args: Sequence[Any]) -> tuple[Any, bool]:
    """Return one size of what is drawn, and whether it is known to be 1; -1 takes it from the arguments."""
    if hasattr(size, "type"):
        return size, False
    if size >= 0:
        return as_tensor_variable(size), size == 1
    if size != -1:
        raise ValueError("negative shape", size)
    reaching = [one for one in args if place >= ndim - one.ndim]
    if not reaching:
        raise ValueError("Auto-shape of -1 must overlap with the shape of one of the broadcastable inputs")
    for one in reaching:
        axis = place + one.ndim - ndim
        if not one.broadcastable[axis]:
            return one.shape[axis], False
    return as_tensor_variable(1), True


def _infer_ndim_bcast(ndim: int | None, shape: Any, *args: Any) -> tuple[int, Any, tuple[bool, ...]]:
    """Return the rank of what is drawn, its shape as a vector, and which sizes are known to be 1."""
    least = max([one.ndim for one in args], default=0)
    if isinstance(shape, (tuple, list)):
        ndim = len(shape) if ndim is None else ndim
        if ndim != len(shape):
            raise ValueError(f"ndim should be equal to len(shape), but ndim = {ndim}, shape = {shape}")
        parts = [_size_of(place, size, ndim, args) for place, size in enumerate(shape)]
        ones = [one for _, one in parts]
        sizes = stack([size for size, _ in parts]) if parts else constant([], dtype="int64")
    elif shape is None:
        if not args:
            raise TypeError("_infer_ndim_bcast cannot infer shape without either shape or args")
        template = reduce(lambda a, b: a + b, args)
        sizes, ones, ndim = template.shape, list(template.broadcastable), template.ndim
    else:
        sizes = as_tensor_variable(shape)
        if sizes.ndim != 1:
            raise TypeError(f"shape must be a vector or list of scalar, got '{sizes}'")
        ndim = get_vector_length(sizes) if ndim is None else ndim
        ones = [False] * ndim
    if sizes.dtype not in DISCRETE:
        raise TypeError("shape must be an integer vector or list", sizes.dtype)
    if least > ndim:
        raise ValueError("ndim should be at least as big as required by args value", (ndim, least), args)
    return ndim, basic.cast(sizes, "int64"), tuple(ones)


# What is drawn number by number, because NumPy has it for single numbers only.


def random_integers_helper(random_state: Any, low: Any, high: Any, size: Any) -> np.ndarray:
    """Draw an integer between each pair of bounds, both included."""
    shape = np.broadcast_shapes(low.shape, high.shape) if size is None else tuple(size)
    low, high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    out = np.empty(shape)
    for place in np.ndindex(*shape):
        out[place] = random_state.randint(low=low[place], high=high[place] + 1)
    return out


def choice_helper(random_state: Any, a: Any, replace: Any, p: Any, size: Any) -> Any:
    """Choose among the elements of a vector, or the integers below a number."""
    if a.ndim > 1:
        raise ValueError(f"a.ndim ({a.ndim}) must be 0 or 1")
    if p.ndim != 1:
        raise ValueError(f"p.ndim ({p.ndim}) must be 1")
    return random_state.choice(a if a.ndim else int(a), size, bool(replace), p if p.size else None)


def permutation_helper(random_state: Any, n: Any, shape: Any) -> np.ndarray:
    """Draw permutations of the integers below a number."""
    shape = () if shape is None else tuple(shape)
    out = np.empty((*shape, int(n)), int)
    for place in np.ndindex(*shape):
        out[place] = random_state.permutation(int(n))
    return out


def multinomial_helper(random_state: Any, n: Any, pvals: Any, size: Any) -> np.ndarray:
    """Draw counts for each row of probabilities."""
    shape = np.broadcast_shapes(n.shape, pvals.shape[:-1]) if size is None else tuple(size)
    for name, rank in (("n.ndim", n.ndim), ("pvals.ndim-1", pvals.ndim - 1)):
        if rank > len(shape):
            raise ValueError(f"{name} ({rank}) should not be larger than len(size) ({len(shape)})", n, pvals, size)
    n, pvals = np.broadcast_to(n, shape), np.broadcast_to(pvals, (*shape, pvals.shape[-1]))
    out = np.empty(pvals.shape)
    for place in np.ndindex(*shape):
        row = pvals[place]
        if 1.0 < row.sum() < 1.0 + 1e-5 or row[-1] < 5e-5:  # what rounding adds would be refused
            row = row * (1.0 - 5e-5)
        out[place] = random_state.multinomial(n=n[place], pvals=row.astype("float64"))
    return out


def _draw(fn: Any, random_state: Any, size: Any, args: Sequence[Any], ndim: Any, dtype: Any, sized_by: Sequence[Any] | None = None) -> Any:  # fmt: skip
    args = [as_tensor_variable(one) for one in args]
    if dtype is None:
        dtype = upcast(str(config.floatX), *[one.dtype for one in args])
    ndim, sizes, ones = _infer_ndim_bcast(ndim, size, *(args if sized_by is None else sized_by))
    return RandomFunction(fn, TensorType(dtype, ones))(random_state, sizes, *args)


def uniform(
    random_state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: Any = None, dtype: Any = None
) -> Any:
    """Draw uniform numbers between two bounds; return the next state and them."""
    return _draw("uniform", random_state, size, [low, high], ndim, dtype)


def normal(
    random_state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: Any = None, dtype: Any = None
) -> Any:
    """Draw normal numbers; return the next state and them."""
    return _draw("normal", random_state, size, [avg, std], ndim, dtype)


def binomial(
    random_state: Any, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: Any = None, dtype: Any = "int64",
    prob: Any = None,
) -> Any:  # fmt: skip
    """Draw how many of n trials succeed; return the next state and the numbers."""
    return _draw("binomial", random_state, size, [n, p if prob is None else prob], ndim, dtype)


def random_integers(
    random_state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: Any = None, dtype: Any = "int64"
) -> Any:
    """Draw integers between two bounds, both included; return the next state and them."""
    return _draw(random_integers_helper, random_state, size, [low, high], ndim, dtype)


def choice(
    random_state: Any, size: Any = None, a: Any = 2, replace: Any = True, p: Any = None, ndim: Any = None,
    dtype: Any = "int64",
) -> Any:  # fmt: skip
    """Draw elements of a vector, or integers below a number; return the next state and them."""
    replace = constant(replace, dtype="int8") if isinstance(replace, bool) else replace
    if p is None or (isinstance(p, (int, float, list, tuple)) and not p):  # Theano takes 0 and [] for none, too
        p = constant([], dtype="float64")
    return _draw(choice_helper, random_state, size, [a, replace, p], ndim, dtype, ())


def poisson(random_state: Any, size: Any = None, lam: Any = 1.0, ndim: Any = None, dtype: Any = "int64") -> Any:
    """Draw numbers of a Poisson distribution; return the next state and them."""
    return _draw("poisson", random_state, size, [lam], ndim, dtype, ())


def permutation(random_state: Any, size: Any = None, n: Any = 1, ndim: Any = None, dtype: Any = "int64") -> Any:
    """Draw permutations of the integers below n; return the next state and them."""
    ones: tuple[bool, ...] = ()
    if size is None or (isinstance(size, tuple) and not size):
        if ndim not in (None, 1):
            raise TypeError("You asked for just one permutation but asked for more then 1 dimensions.")
        size = constant([], dtype="int64")
    else:
        _, size, ones = _infer_ndim_bcast(ndim, size)
    return RandomFunction(permutation_helper, TensorType(dtype, (*ones, False)), ndim_added=1)(random_state, size, n)


def multinomial(
    random_state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: Any = None, dtype: Any = "int64"
) -> Any:
    """Draw how often n trials fall on each of some outcomes; return the next state and the counts."""
    n, pvals = as_tensor_variable(n), as_tensor_variable(pvals)
    _, size, ones = _infer_ndim_bcast(ndim, size, n, pvals[..., 0])
    outtype = TensorType(dtype, (*ones, pvals.type.broadcastable[-1]))
    return RandomFunction(multinomial_helper, outtype, ndim_added=1)(random_state, size, n, pvals)


def _from_stream(distribution: Callable[..., Any]) -> Callable[..., Any]:
    """Return a distribution as a method of streams, which know the state."""

    @wraps(distribution)
    def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.gen(distribution, *args, **kwargs)

    draw.__doc__ = (distribution.__doc__ or "").replace("; return the next state and", "; return")
    return draw


class RandomStreamsBase:
    """What streams of random numbers have in common: a method for each distribution, which draws by `gen`."""

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what a distribution draws from a new stream."""
        raise NotImplementedError

    uniform, normal, binomial, poisson = map(_from_stream, (uniform, normal, binomial, poisson))
    random_integers, choice = map(_from_stream, (random_integers, choice))
    permutation, multinomial = map(_from_stream, (permutation, multinomial))

    def shuffle_row_elements(self, input: Any) -> Any:
        """Return a tensor with the elements of each row (its last axis) in random order, which is ``.permutation``."""
        order = self.permutation(size=input.shape[:-1], n=input.shape[-1], ndim=input.ndim - 1)
        shuffled = basic.permute_row_elements(input, order)
        shuffled.permutation = order
        return shuffled
