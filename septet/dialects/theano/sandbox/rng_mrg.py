"""`theano.sandbox.rng_mrg`: the generator MRG31k3p in many streams, computed inside of the compiled program.

Element i of what is drawn comes from stream ``i % streams``: all streams take a step at a time.

Source: L'Ecuyer and Touzin, Fast combined multiple recursive generators with multipliers of the form a = ±2^q ±2^r,
Winter Simulation Conference, 2000; the jumps ahead are those of the SSJ library.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.coverage import asked
from septet.dialects.theano.dtypes import upcast
from septet.dialects.theano.gof.graph import Constant, Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.sandbox import multinomial
from septet.dialects.theano.sharing import shared
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.convert import as_tensor_variable, constant
from septet.dialects.theano.tensor.shaping import elements_of, get_vector_length, join, reshape, stack
from septet.dialects.theano.tensortype import TensorType

M1 = np.asarray(np.int32(2147483647))  # 2^31 - 1
M2 = np.asarray(np.int32(2147462579))  # 2^31 - 21069
MASK12, MASK13, MASK2, MULT2 = 511, 16777215, 65535, 21069
NORM = 4.656612873077392578125e-10  # 1 / 2^31
SCALES: dict[str, Any] = {
    "float16": np.float32(3.0458e-05),
    "float32": np.float32(4.6566126e-10),
    "float64": np.float64(NORM),
}

A1p72 = np.array([[1516919229, 758510237, 499121365], [1884998244, 1516919229, 335398200], [601897748, 1884998244, 358115744]])  # fmt: skip
A2p72 = np.array([[1228857673, 1496414766, 954677935], [1133297478, 1407477216, 1496414766], [2002613992, 1639496704, 1407477216]])  # fmt: skip
A1p134 = np.array([[1702500920, 1849582496, 1656874625], [828554832, 1702500920, 1512419905], [1143731069, 828554832, 102237247]])  # fmt: skip
A2p134 = np.array([[796789021, 1464208080, 607337906], [1241679051, 1431130166, 1464208080], [1401213391, 1178684362, 1431130166]])  # fmt: skip
UNROLLED = 16
"""Steps of all streams that are written out one by one; more run as a loop."""


def _product(a: np.ndarray, b: np.ndarray, m: Any) -> np.ndarray:
    """Return the product of matrices modulo m; elements are below 2^31, so no product of two overflows."""
    terms = (a[:, :, None] * b[None, :, :]) % int(m)
    return terms.sum(axis=1) % int(m)


def matVecModM(A: np.ndarray, s: np.ndarray, m: Any) -> np.ndarray:
    """Return a matrix times a vector, modulo m."""
    return np.asarray(np.sum((A * s) % m, 1) % m, np.int32)


def multMatVect(v: np.ndarray, A: np.ndarray, m1: Any, B: np.ndarray, m2: Any) -> np.ndarray:
    """Return both halves of a state multiplied by a matrix each."""
    return np.concatenate([matVecModM(A, v[:3].astype("int64"), m1), matVecModM(B, v[3:].astype("int64"), m2)])


def ff_2p134(rstate: np.ndarray) -> np.ndarray:
    """Return the state 2^134 steps later."""
    return multMatVect(rstate, A1p134, M1, A2p134, M2)


def ff_2p72(rstate: np.ndarray) -> np.ndarray:
    """Return the state 2^72 steps later."""
    return multMatVect(rstate, A1p72, M1, A2p72, M2)


def substreams(first: np.ndarray, count: int) -> np.ndarray:
    """Return the states of streams that begin 2^72 steps apart: each pass doubles how many are known."""
    found = np.asarray(first, "int64")[None, :]
    jumps = [(A1p72, M1), (A2p72, M2)]
    while len(found) < count:
        halves = [_product(found[:, 3 * k : 3 * k + 3], jump.T, m) for k, (jump, m) in enumerate(jumps)]
        found = np.concatenate([found, np.concatenate(halves, axis=1)])
        jumps = [(_product(jump, jump, m), m) for jump, m in jumps]
    return found[:count].astype("int32")


def _u(value: Any) -> Any:
    return st.asarray(np.uint32(value))


def _reduced(y: Any, m: Any) -> Any:
    """Return y modulo m, for y below 2 m; without a sign the difference wraps to a large number where y is below m."""
    return st.minimum(y, y - _u(m))


def _step(state: Sequence[Any]) -> list[Any]:
    """Return the next state of all streams: six vectors of uint32."""
    x11, x12, x13, x21, x22, x23 = state
    y1 = ((x12 & _u(MASK12)) << _u(22)) + (x12 >> _u(9)) + ((x13 & _u(MASK13)) << _u(7)) + (x13 >> _u(24))
    y1 = _reduced(_reduced(y1, M1) + x13, M1)
    part = [_reduced(((x & _u(MASK2)) << _u(15)) + _u(MULT2) * (x >> _u(16)), M2) for x in (x21, x23)]
    y2 = _reduced(_reduced(part[1] + x23, M2) + part[0], M2)
    return [y1, x11, x12, y2, x21, x22]


def _sample(state: Sequence[Any], dtype: str) -> Any:
    """Return the numbers between 0 and 1 that states say."""
    difference = state[0] - state[3]
    difference = st.where(state[0] <= state[3], difference + _u(M1), difference)
    if dtype == "float16":
        whole = (difference & _u(0x7FFF)) + _u(1)
    else:
        whole = difference
    scale = SCALES[dtype]
    return (whole.astype("int32").astype(scale.dtype.name) * st.asarray(scale)).astype(dtype)


def mrg_next_value(rstate: np.ndarray, new_rstate: np.ndarray, NORM: Any, mask: int, offset: int) -> Any:
    """Return the number after a state, and write the next state into `new_rstate`."""
    state = [int(part.numpy()) for part in _step([_u(one) for one in rstate])]
    new_rstate[...] = state
    difference = state[0] - state[3]
    return (((difference + int(M1) if difference <= 0 else difference) & mask) + offset) * NORM


def _too_many(streams: np.ndarray) -> np.ndarray:
    raise ValueError("rng_mrg does not support more then (2**31 -1) samples")


class DotModulo(NativeOp):
    """Two products of matrix and vector, each modulo a number, one after the other."""

    __props__ = ()

    def compute(self, *tensors: Any) -> Any:
        parts = []
        for a, s, m in (tensors[:3], tensors[3:]):
            own = m.astype("int64")
            terms = st.remainder(a.astype("int64") * s.astype("int64"), own)
            parts.append(st.remainder(st.sum(terms, axis=1), own).astype(s.dtype))
        return st.concatenate(parts)


class mrg_uniform(NativeOp):
    """The next state of all streams, and uniform numbers between 0 and 1."""

    __props__ = ("output_type", "inplace")
    inputs_with_gradient = slice(0)

    def __init__(self, output_type: Any, inplace: bool = False) -> None:
        self.output_type, self.inplace = output_type, inplace

    @classmethod
    def new(cls, rstate: Any, ndim: int | None, dtype: Any, size: Any) -> Any:
        """Return the next state and numbers of a given size."""
        sizes = as_tensor_variable(size)
        ndim = get_vector_length(sizes) if ndim is None else ndim
        return cls(TensorType(dtype, (False,) * ndim))(rstate, sizes)

    def compute(self, *tensors: Any) -> Any:
        streams, sizes = tensors[0], elements_of(tensors[1], self.output_type.ndim)
        count: Any = 1
        for size in sizes:
            count = count * size
        if isinstance(count, int) and count > int(M1):
            none = (self.output_type.dtype, (None,) * len(sizes))
            return tensors[0], st.callback(_too_many, none, tensors[0])
        width = streams.shape[0]
        state = [streams[:, place].astype("uint32") for place in range(6)]
        if isinstance(count, int) and isinstance(width, int) and -(-count // width) <= UNROLLED:
            numbers, state = self._unrolled(state, count, width)
        else:
            numbers, state = self._looped(state, count, width)
        return st.stack([part.astype("int32") for part in state], axis=1), st.reshape(numbers, tuple(sizes))

    def _unrolled(self, state: list[Any], count: int, width: int) -> tuple[Any, list[Any]]:
        parts = []
        for done in range(0, count, width):
            before, state = state, _step(state)
            parts.append(_sample(state, self.output_type.dtype))
            left = count - done
            if left < width:  # only the first streams are asked for
                parts[-1] = parts[-1][:left]
                state = [st.concatenate([new[:left], old[left:]]) for new, old in zip(state, before, strict=True)]
        return (st.concatenate(parts) if parts else st.zeros((0,), dtype=self.output_type.dtype)), state

    def _looped(self, state: list[Any], count: Any, width: Any) -> tuple[Any, list[Any]]:
        place = st.arange(width).astype("int64")

        def step(carry: Any, turn: Any) -> Any:
            new = _step(carry)
            is_asked = turn * width + place < count
            kept = tuple(st.where(is_asked, a, b) for a, b in zip(new, carry, strict=True))
            return kept, _sample(new, self.output_type.dtype)

        turns = st.arange((count + width - 1) // width).astype("int64")
        last, numbers = st.scan(step, tuple(state), turns)
        return st.reshape(numbers, (-1,))[:count], list(last)

    def __str__(self) -> str:
        return f"mrg_uniform{{{self.output_type},{'inplace' if self.inplace else 'no_inplace'}}}"


mrg_uniform_base = mrg_uniform


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer))


def guess_n_streams(size: Any, warn: bool = False) -> int:
    """Return how many streams suit a size: a sixth of the elements, 15360 at most and where the size is not known."""
    if isinstance(size, (tuple, list)) and all(map(_is_int, size)):
        count = int(np.prod([int(one) for one in size], dtype=object)) if size else 1
        return min(count // 6 if count > 6 else count, 60 * 256)
    if warn:
        warnings.warn(f"MRG_RandomStreams Can't determine #streams from size ({size}), guessing 60*256", stacklevel=3)
    return 60 * 256


class MRG_RandomStreams:
    """Streams of random numbers, each with a state of its own, which every call of a function moves on.

    Parameters
    ----------
    seed : int or list of six int
        The first three below `M1`, the others below `M2`, neither half all 0.
    """

    def __init__(self, seed: Any = 12345, use_cuda: Any = None) -> None:
        self.state_updates: list[Any] = []
        self.default_instance_seed = seed
        self.set_rstate(seed)

    def updates(self) -> list[Any]:
        """Return what was drawn: state, next state, size, streams."""
        return list(self.state_updates)

    def set_rstate(self, seed: Any) -> None:
        """Set the state that the next streams begin with."""
        if _is_int(seed):
            if seed == 0:
                raise ValueError("seed should not be 0", seed)
            if seed >= M2:
                raise ValueError(f"seed should be less than {M2}", seed)
            seed = [seed] * 6
        if len(seed) != 6:
            raise TypeError("seed should be 1 integer or 6 integers")
        for name, half, m in (("first", seed[:3], M1), ("last", seed[3:], M2)):
            if not any(half):
                raise ValueError(f"The {name} 3 values of seed should not be all 0", seed)
            if any(one >= m for one in half):
                raise ValueError(f"The {name} 3 values of seed should be less than {m}", seed)
        self.rstate = np.asarray(seed, dtype="int32")

    def seed(self, seed: Any = None) -> None:
        """Set all streams anew; by default with the first seed."""
        self.set_rstate(self.default_instance_seed if seed is None else seed)
        for state, _, size, nstreams in self.state_updates:
            count = self.n_streams(size) if nstreams is None else nstreams
            state.set_value(self.get_substream_rstates(count, "float32"), borrow=True)

    def inc_rstate(self) -> None:
        """Move the state that the next streams begin with 2^134 steps on."""
        self.rstate = ff_2p134(self.rstate)

    def get_substream_rstates(self, n_streams: int, dtype: str, inc_rstate: bool = True) -> np.ndarray:
        """Return the states of some streams, 2^72 steps apart."""
        if not isinstance(dtype, str) or not 0 < n_streams < 2**72:
            raise AssertionError(f"get_substream_rstates takes a positive number of streams, got {n_streams}")
        found = substreams(self.rstate, int(n_streams))
        if inc_rstate:
            self.inc_rstate()
        return found

    def n_streams(self, size: Any) -> int:
        """Return how many streams suit a size."""
        return guess_n_streams(size)

    def pretty_return(self, node_rstate: Any, new_rstate: Any, sample: Any, size: Any, nstreams: Any) -> Any:
        """Return numbers that know their state, which every call of a function updates."""
        sample.rstate, sample.update = node_rstate, (node_rstate, new_rstate)
        self.state_updates.append((node_rstate, new_rstate, size, nstreams))
        node_rstate.default_update = new_rstate
        return sample

    def uniform(
        self, size: Any, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return uniform numbers between two bounds, both excluded.

        Parameters
        ----------
        size : tuple of ints and scalar variables, or vector of integers
        low, high : number or variable
        ndim : int, optional
            Of the result, where the size does not say it.
        dtype : str, optional
            By default that of the bounds, at least `floatX`.
        nstreams : int, optional
        """
        kwargs.pop("target", None)
        if kwargs:
            raise TypeError(f"uniform() got unexpected keyword arguments {list(kwargs)}")
        low, high = as_tensor_variable(low), as_tensor_variable(high)
        if dtype is None:
            dtype = upcast(str(config.floatX), low.dtype, high.dtype)
        dtype = str(config.floatX) if dtype == "floatX" else dtype
        low, high = [undefined_grad(basic.cast(one, dtype)) for one in (low, high)]
        if isinstance(size, tuple):
            if not all(_is_int(one) or isinstance(one, Variable) for one in size):
                raise AssertionError("size must be a tuple of int or a Theano variable")
            if any(_is_int(one) and one <= 0 for one in size):
                raise ValueError("The specified size contains a dimension with value <= 0", size)
        elif not (isinstance(size, Variable) and size.type.ndim == 1):
            raise TypeError(
                f"size must be a tuple of int or a Theano Variable with 1 dimension, got {size} of type {type(size)}"
            )
        streams = shared(self.get_substream_rstates(self.n_streams(size) if nstreams is None else nstreams, dtype))
        new, numbers = mrg_uniform.new(streams, ndim, dtype, size)
        numbers = self.pretty_return(streams, new, numbers, size=size, nstreams=nstreams)
        streams.tag.is_rng = True
        found = numbers if _is_number(low, 0) and _is_number(high, 1) else numbers * (high - low) + low
        if found.type.broadcastable != numbers.type.broadcastable:
            raise NotImplementedError(
                "Increase the size to match the broadcasting pattern of `low` and `high` arguments"
            )
        return found

    def binomial(
        self, size: Any = None, n: int = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
        nstreams: int | None = None, prob: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return 1 with probability p, otherwise 0."""
        p = p if prob is None else prob
        if n != 1:
            raise NotImplementedError("MRG_RandomStreams.binomial with n > 1")
        return basic.cast(
            self.uniform(size=size, nstreams=nstreams, ndim=ndim, **kwargs) < undefined_grad(as_tensor_variable(p)),
            dtype,
        )

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: Any = None, dtype: Any = "int64",
        nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return how often each outcome is drawn in n trials, for each row of the matrix `pvals`."""
        for name, given in (("a size", size), ("an ndim", ndim)):
            if given is not None:
                raise ValueError(f"Provided {name} argument to MRG_RandomStreams.multinomial, which does not use it.")
        pvals = self._rows("multinomial", "pvals", pvals)
        numbers = self.uniform(size=pvals[:, 0].shape * n, ndim=1, nstreams=nstreams, **kwargs)
        return multinomial.MultinomialFromUniform(dtype)(pvals, numbers, as_tensor_variable(n))

    def choice(
        self, size: Any = 1, a: Any = None, replace: bool = True, p: Any = None, ndim: Any = None, dtype: Any = "int64",
        nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return which `size` outcomes are drawn without putting them back, for each row of the matrix `p`."""
        if replace:
            raise NotImplementedError("MRG_RandomStreams.choice only works without replacement for now.")
        if a is not None:
            raise TypeError(
                "For now, a has to be None in MRG_RandomStreams.choice; values are between 0 and p.shape[1]-1"
            )
        if ndim is not None:
            raise ValueError("ndim argument to MRG_RandomStreams.choice is not used.")
        p = self._rows("choice", "p", p)
        numbers = self.uniform(size=p[:, 0].shape * size, ndim=1, nstreams=nstreams, **kwargs)
        return multinomial.ChoiceFromUniform(odtype=dtype)(p, numbers, as_tensor_variable(size))

    def _rows(self, method: str, name: str, value: Any) -> Any:
        if value is None:
            raise TypeError(f"MRG_RandomStreams.{method}: {name} has to be specified")
        value = as_tensor_variable(value)
        if value.ndim != 2:
            raise NotImplementedError(f"MRG_RandomStreams.{method} is only implemented for {name}.ndim = 2")
        return undefined_grad(value)

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: Any = None, dtype: Any = "int64", nstreams: Any = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return `choice`, by its old name."""
        warnings.warn(
            "MRG_RandomStreams.multinomial_wo_replacement() is deprecated; use choice() instead.", stacklevel=2
        )
        if size is not None:
            raise AssertionError("multinomial_wo_replacement does not use size")
        return self.choice(n, None, False, pvals, ndim, dtype, nstreams, **kwargs)

    def normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: int | None = None, truncate: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return normal numbers by the transformation of Box and Muller.

        Parameters
        ----------
        size : int, tuple of ints and scalar variables, or vector of integers
        avg, std : number or variable
        ndim : int, optional
        dtype : str, optional
            By default that of `avg` and `std`, at least `floatX`.
        truncate : bool
            Whether numbers further away than two standard deviations are drawn anew.
        """
        size = _check_size(size)
        avg, std = undefined_grad(as_tensor_variable(avg)), undefined_grad(as_tensor_variable(std))
        if dtype is None:
            dtype = upcast(str(config.floatX), avg.dtype, std.dtype)
        avg, std = basic.cast(avg, dtype), basic.cast(std, dtype)
        count = int(np.prod(size.data)) if isinstance(size, Constant) else basic.prod(size, dtype="int64")
        even = count + count % 2
        # Theano's size is symbolic here, whatever was given: so many streams as for one that is not known
        numbers = self.uniform((as_tensor_variable(even),), ndim=1, dtype=dtype, nstreams=nstreams, **kwargs)
        radius = basic.sqrt(-2.0 * basic.log(numbers[: even // 2]))
        angle = np.array(2.0 * np.pi, dtype=dtype) * numbers[even // 2 :]
        waves = basic.cos(angle), basic.sin(angle)
        parts = [radius * wave for wave in waves]
        if truncate:
            parts = self._redrawn(parts, waves, dtype, nstreams, kwargs)
        found = reshape(join(0, *parts)[:count], size, ndim=ndim)
        return found * std + avg

    def _redrawn(self, parts: Any, waves: Any, dtype: Any, nstreams: Any, kwargs: Any) -> list[Any]:
        """Return the numbers within two standard deviations, and others in the place of the rest."""
        is_outside = [(part < -2.0) | (part > 2.0) for part in parts]
        inside = [part[basic.nonzero(~out)] for part, out in zip(parts, is_outside, strict=True)]
        outside = [basic.nonzero(out)[0] for out in is_outside]
        least = constant(1.0 / np.e**2, dtype=dtype)
        total = outside[0].size + outside[1].size
        numbers = self.uniform((total,), low=least, high=1.0, ndim=1, dtype=dtype, nstreams=nstreams, **kwargs)
        radius = basic.sqrt(-2.0 * basic.log(numbers))
        new = radius[: outside[0].size] * waves[0][outside[0]], radius[outside[0].size :] * waves[1][outside[1]]
        return [inside[0], new[0], inside[1], new[1]]

    def truncated_normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Return normal numbers within two standard deviations, with the standard deviation that is asked for."""
        std = std / constant(0.87962566103423978)  # that of a standard normal cut off at -2 and 2
        return self.normal(size, avg, std, ndim, dtype, nstreams, truncate=True, **kwargs)


def _is_number(x: Any, value: float) -> bool:
    return isinstance(x, Constant) and x.data.ndim == 0 and float(x.data) == value


def _check_size(size: Any) -> Any:
    """Return a size as a vector variable.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(size, Variable):
        if size.type.ndim == 0:
            return stack([size])
        if size.type.ndim != 1:
            raise ValueError("Theano variable must have 1 dimension to be a valid size.", size)
        return size
    if _is_int(size):
        size = (size,)
    if not isinstance(size, (tuple, list)):
        raise ValueError("Size must be a int, tuple, list or Theano variable.", size)
    for one in size:
        if isinstance(one, Variable):
            if one.type.ndim != 0:
                raise ValueError("Non-scalar Theano variable in size", size, one)
        elif not _is_int(one):
            raise ValueError("Only Theano variables and integers are allowed in a size-tuple.", size, one)
        elif one <= 0:
            raise ValueError("Non-positive dimensions not allowed in size.", size, one)
    return as_tensor_variable(list(size) if size else np.zeros(0, "int64"), ndim=1)


class _Parameter(NativeOp):
    """The input, as if nothing that is drawn depended on it: asking for its gradient is an error."""

    __props__ = ()
    inputs_with_gradient = slice(0)
    is_undefined = True

    def compute(self, *tensors: Any) -> Any:
        return st.stop_gradient(tensors[0])


def undefined_grad(x: Any) -> Any:
    """Return a parameter of a distribution, which has no gradient."""
    return x if isinstance(x, Constant) else _Parameter()(x)


__getattr__ = asked(__name__)
