"""The exceptions that users meet. Each class's docstring is its page: cause, example, fix.

A rule (shape, dtype, argument) raises one of these with a short message. The recorder adds, once, the whole story: the
op, every argument with its dtype, shape and origin, a marker under the axis at fault, the layer path and the user's
line.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np


class SeptetError(Exception):
    """The base of every exception that Septet raises on purpose.

    Catch it to catch them all. Each subclass also derives from the built-in exception that Python programmers expect
    (``ShapeError`` is a ``ValueError``, ``DTypeError`` a ``TypeError`` ...).

    Parameters
    ----------
    message : str
        What rule was broken, with the values that broke it.
    marks : iterable of (int, int)
        Pairs (argument position, axis) that the report marks.
    hint : str, optional
        What to do instead.
    """

    code = "S000"

    def __init__(self, message: str = "", *, marks: Iterable[tuple[int, int]] = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.marks = tuple(marks)
        self.hint = hint
        self.is_located = False
        self.details: tuple[str, ...] = ()  # lines that the report shows below the arguments
        self.inputs: tuple[Any, ...] | None = None  # the inputs of the op whose rule raised it

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else ""
        if self.is_located or not text:
            return text
        lines = [text]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        if f"[{self.code}]" not in text:
            lines.append(f"  [{self.code}] {self.command()}")
        return "\n".join(lines)

    def locate(self, report: str) -> SeptetError:
        """Replace the short message by the whole report and return the exception itself."""
        self.args = (report,)
        self.is_located = True
        return self

    @classmethod
    def command(cls) -> str:
        """Return the command that prints what `explanation` returns, as messages name it."""
        return f"septet errors {cls.code}"

    @classmethod
    def explanation(cls) -> str:
        """Return what this class of errors means: cause, example and fix, as its docstring tells them."""
        text = inspect.cleandoc(cls.__doc__ or "")
        return re.sub(r"\nParameters\n-+\n.*", "", text, flags=re.DOTALL).strip()  # how it is raised helps nobody here


class ShapeError(SeptetError, ValueError):
    """Shapes do not fit together.

    Cause
        An op was given tensors whose sizes break its shape rule: two sizes that neither agree nor are 1, a matrix
        product whose inner sizes differ, a reshape that changes the number of elements.

    Example
        ``st.zeros((3, 4)) + st.zeros((5,))``: size 4 against size 5 on the last axis.

    Fix
        Read the marked axes in the message. ``reshape``, ``expand_dims`` or ``transpose`` bring an axis where it
        belongs; sizes are never guessed and losses never broadcast.
    """

    code = "S101"


class DTypeError(SeptetError, TypeError):
    """Element types do not fit the op.

    Cause
        The op is not defined for this dtype (a bit operation on floats, a square root of booleans), or two dtypes have
        no common type.

    Example
        ``st.bitwise_and(st.ones(3), 1)``: a float has no bit operations.

    Fix
        Convert explicitly with ``x.astype(dtype)``.
    """

    code = "S102"


class ArgumentError(SeptetError, ValueError):
    """A parameter has a value that the function cannot use.

    Cause
        A negative size, an unknown name of a mode, a missing or contradictory argument.

    Example
        ``st.reshape(st.zeros((3, 4)), (-1, -1))``: one size at most can be left to be found.

    Fix
        The message names the parameter, the value received and the values allowed.
    """

    code = "S103"


class CallError(ArgumentError, TypeError):
    """A function is called with arguments that it does not have, or without those that it needs.

    Cause
        A function made by ``st.function`` or ``st.compile`` got too many arguments, a name that none of its inputs has,
        an input twice, or lacks one.

    Example
        ``st.compile(st.exp)()``: the argument x is missing.

    Fix
        The message lists what the function takes, and what it got.
    """

    code = "S105"


class AxisError(ArgumentError, IndexError):
    """A tensor has no such axis.

    Cause
        An axis at or beyond the rank of the tensor, or below minus the rank. As in NumPy, this is a `ValueError` and an
        `IndexError` at once.

    Example
        ``st.sum(st.zeros((3, 4)), axis=2)``: there are axes 0 and 1 only, or -2 and -1.

    Fix
        The message names the rank and the axes allowed.
    """

    code = "S106"


class IndexOutOfRangeError(SeptetError, IndexError):
    """An index lies outside the axis that it selects from.

    Cause
        An integer index (alone, in an array of indices, in ``take``, ``gather``, an embedding or a label of a loss) is
        at least the size of the axis, or below minus the size. Septet never clamps and never wraps silently.

    Example
        ``nn.Embedding(10, 4)(st.tensor([10]))``: rows 0 to 9 exist.

    Fix
        Check the vocabulary or the number of classes; the message names the first offending index and its position.
    """

    code = "S104"


class TracedValueError(SeptetError, TypeError):
    """Python asked for the value of a tensor that has none yet.

    Cause
        Inside ``st.compile``, ``st.function`` or a transform, arguments are symbols: ``if x > 0``, ``float(x)``,
        ``x.numpy()``, ``for i in range(n)`` need a number that does not exist before the compiled function runs.

    Example
        ``@st.compile`` on ``def f(x): return x if x.sum() > 0 else -x``.

    Fix
        Use ``st.where`` (both sides computed), ``st.cond`` (one side), ``st.scan`` or ``st.while_loop`` (loops); or
        compute the value outside; or pass it as a static Python argument. A symbolic expression is evaluated with
        ``expression.eval({symbol: value})``.
    """

    code = "S201"


class GraphError(SeptetError, ValueError):
    """A graph is not what the caller says it is.

    Cause
        An input of ``st.function`` is missing or not used, an update has another type than its variable, a graph text
        or file is damaged, or a pass made an illegal graph (which is a defect of Septet).

    Fix
        The message names the node and where it was made.
    """

    code = "S202"


class GradientError(SeptetError, ValueError):
    """A gradient was asked for that does not exist.

    Cause
        The cost is not a real scalar, it does not depend on the variable, the path between them holds an op without a
        derivative (``argmax``, integer casts), or nothing on the path is tracked (``no_grad``, ``detach``, plain data).
        Or it was taken before, and the variables have changed since: their new values took the place of the old ones.

    Fix
        Reduce the cost (``.sum()``, ``.mean()``); make the leaf a ``st.Variable``; use ``allow_unused=True`` where a
        zero gradient is meant; use ``st.custom_gradient`` to give an op the derivative that you want. Take all
        gradients of a loss before the optimizer's step.
    """

    code = "S301"


class LinearAlgebraError(SeptetError, np.linalg.LinAlgError):
    """A matrix lacks the property that a decomposition or solver needs.

    Cause
        A singular matrix in ``solve`` or ``inv``, one that is not positive definite in ``cholesky``, an eigenvalue
        iteration that did not converge.

    Fix
        Add a small multiple of the identity, or use ``svd`` or ``eigh`` and handle small values explicitly.
    """

    code = "S401"


class NotSupportedError(SeptetError, NotImplementedError):
    """Something that is not supported, said clearly.

    Cause
        The combination asked for has no implementation. Nothing was computed by another route instead.

    Fix
        The message names what is supported.
    """

    code = "S501"


class DataError(SeptetError, ValueError):
    """A data file or a data set is malformed.

    Cause
        A truncated or foreign file, sizes in a header that the file does not hold, arrays of different lengths.

    Fix
        The message names the file and the byte offset, what was expected and what was found.
    """

    code = "S601"


class MissingDataError(SeptetError, FileNotFoundError):
    """A data set is not on this machine.

    Cause
        None of the folders searched holds the files.

    Fix
        The message lists the files, the folders, and how to get them.
    """

    code = "S602"


class FileFormatError(SeptetError, ValueError):
    """A weights or model file cannot be read.

    Cause
        The file is truncated, is not in the format that its name says, or holds tensors other than those of the model.
        Nothing was loaded: a model is changed only when the whole file fits.

    Fix
        The message names the file and the difference; ``strict=False`` where it is offered loads the part that fits.
    """

    code = "S603"


class WorkerError(SeptetError, RuntimeError):
    """A worker that makes samples has died, or answers no more.

    Cause
        A process was killed (often because memory ran out) or crashed in a library; a function hangs: a file on a
        network that does not answer, a lock that is never released. Errors that a function raises come as they are,
        with a note that names the sample.

    Example
        ``stream.parallel(2, processes=True, timeout=5)``, and one of the processes is stopped.

    Fix
        The message names the sample, and what the worker was doing where that can be found out. Make that sample alone,
        ``dataset[index]``, to see what happens; give a longer ``timeout`` where samples take that long.
    """

    code = "S604"


class SettingError(SeptetError, ValueError):
    """A setting has a name or a value that does not exist.

    Cause
        A misspelled name in ``st.config`` or a ``SEPTET_...`` environment variable, or a value that is not allowed.

    Fix
        The message names the setting, the value, where it came from and what is allowed.
    """

    code = "S701"


class NonFiniteError(SeptetError, ArithmeticError):
    """A value became NaN or infinite while it was checked.

    Cause
        ``check`` (or the setting ``check_nan``) found the first op whose result is not finite although its inputs are.

    Fix
        The message names the op, its line and its layer: look for a division by zero, a logarithm of zero, an overflow.
    """

    code = "S702"


class UserFunctionError(SeptetError, RuntimeError):
    """A Python function of the user failed inside a graph.

    Cause
        A host callback or a check raised, or returned another shape or dtype than it declared.

    Fix
        The original exception is chained below the message.
    """

    code = "S703"


class CompilerError(SeptetError, RuntimeError):
    """The code generator refused what Septet gave it.

    Cause
        A defect of Septet: the text of a kernel that LLVM does not accept, or a processor for which it makes no code.

    Fix
        Please report it with the message. The setting ``backend`` with the value ``reference`` works around it.
    """

    code = "S801"


class LibraryError(SeptetError, ImportError):
    """A library that compiled code needs cannot be loaded.

    Cause
        A package that Septet depends on (llvmlite, scipy-openblas32, onednn-cpu-gomp) or a library of the system
        (libgomp) is missing, incomplete, of another version, or made for another processor. ``st.compile``,
        ``st.function`` and ``fit`` raise the error. Define-by-run code goes on with NumPy, op by op, and where oneDNN
        is missing our own kernels compute: both say so in a warning.

    Fix
        The message names the library, every place that was tried with what was wrong there, and the command that
        installs it. ``septet doctor`` shows all libraries. The setting ``backend`` with the value ``reference`` needs
        none of them.
    """

    code = "S802"

    def warn(self, consequence: str) -> None:
        """Warn instead of raising, once for each library and consequence: what happens without it."""
        text = f"{self.message}\n  {consequence}" + (f"\n  hint: {self.hint}" if self.hint else "")
        if text not in _warned:
            _warned.add(text)
            warnings.warn(text, RuntimeWarning, stacklevel=2)


_warned: set[str] = set()


def all_errors() -> list[type[SeptetError]]:
    """Return every public exception class, ordered by code."""
    found: list[type[SeptetError]] = []
    pending: list[type[SeptetError]] = [SeptetError]
    while pending:
        cls = pending.pop()
        found.append(cls)
        pending.extend(cls.__subclasses__())
    return sorted(set(found), key=lambda cls: cls.code)
