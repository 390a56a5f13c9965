"""Modes: how a function computes.

Every mode computes the same. FAST_RUN and FAST_COMPILE and their relatives run the compiled program; `DebugMode` and
modes that look at each op call Python op by op.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.gof.link import wrapped

predefined_linkers: dict[str, Any] = dict.fromkeys(
    ("py", "c", "c|py", "c|py_nogc", "vm", "cvm", "vm_nogc", "cvm_nogc", "c&py"), "cvm"
)
predefined_optimizers: dict[str, Any] = dict.fromkeys(
    ("None", "fast_run", "fast_compile", "fast_run_stable", "o1", "o2", "o3", "o4", "merge", "unsafe", "stabilize"),
    "fast_run",
)


def _check_name(kind: str, name: Any, known: Iterable[str]) -> None:
    """Refuse a name that nothing has, and say which there are."""
    if isinstance(name, str) and name not in known:
        raise KeyError(f"there is no {kind} {name!r}; there are {', '.join(known)}")


class Mode:
    """How a function computes.

    Parameters
    ----------
    linker : str or object
        Kept; all compute the same.
    optimizer : str or object
        ``None`` and ``"None"`` compute the graph as it was written; others optimize it.
    """

    optimizer: Any

    def __init__(self, linker: Any = None, optimizer: Any = "default") -> None:
        _check_name("linker", linker, predefined_linkers)
        _check_name("optimizer", optimizer, (*predefined_optimizers, "default"))
        self.linker = config.linker if linker is None else linker
        self.provided_linker = self.linker
        self.provided_optimizer = self.optimizer = config.optimizer if optimizer == "default" else optimizer

    def including(self, *tags: str) -> Mode:
        """Return the mode; what optimizes is decided by Septet's pipeline."""
        return self

    excluding = requiring = including

    def register(self, *optimizations: Any) -> Mode:
        return self

    def clone(self, link_kwargs: Any = None, optimizer: Any = "", **words: Any) -> Mode:
        return Mode(self.linker, self.optimizer if optimizer == "" else optimizer)

    @property
    def level(self) -> str:
        """Septet's level of optimization."""
        return "none" if self.optimizer in (None, "None") else "full"

    @property
    def is_op_by_op(self) -> bool:
        """Whether the mode looks at each op."""
        return hasattr(self.linker, "wrappers")

    def around(self, number: int, node: Any, compute: Callable[[], list[Any]], inputs: list[Any]) -> list[Any]:
        """Compute one application, the `number`-th, in modes that look at each op."""
        return wrapped(self.linker, number, node, compute, inputs)

    def __str__(self) -> str:
        return f"Mode(linker = {self.linker}, optimizer = {self.optimizer})"


predefined_modes: dict[str, Mode] = {
    "FAST_RUN": Mode("cvm", "fast_run"),
    "FAST_COMPILE": Mode("py", "fast_compile"),
    "JAX": Mode("cvm", "fast_run"),
    "Mode": Mode(),
    "FAST_RUN_NOGC": Mode("cvm_nogc", "fast_run"),
    "None": Mode("py", None),
}
predefined_modes |= {name: predefined_modes["FAST_RUN"] for name in ("ProfileMode", "PROFILE_MODE", "PYMODE", "VM")}
FAST_RUN, FAST_COMPILE = predefined_modes["FAST_RUN"], predefined_modes["FAST_COMPILE"]
instantiated_default_mode: Mode | None = None


def get_mode(orig_string: Any) -> Mode:
    """Return a mode by its name, a mode as it is, and that of the settings for None."""
    found = config.mode if orig_string is None else orig_string
    if isinstance(found, (list, tuple)):
        raise Exception("We do not support the passing of multiple modes")
    if isinstance(found, Mode):
        return found
    names = ", ".join((*predefined_modes, "DebugMode", "NanGuardMode"))
    if not isinstance(found, str):
        raise TypeError(f"a mode is a Mode or one of the names {names}; got {found!r}")
    if found == "DebugMode":
        from septet.dialects.theano.compile.debugmode import DebugMode

        return DebugMode()
    if found == "NanGuardMode":
        from septet.dialects.theano.compile.nanguardmode import NanGuardMode

        return NanGuardMode(
            config.NanGuardMode.nan_is_error, config.NanGuardMode.inf_is_error, config.NanGuardMode.big_is_error
        )
    if found not in predefined_modes:
        raise Exception(f"No predefined mode exist for string: {found}. There are {names}")
    return predefined_modes[found]


def get_default_mode() -> Mode:
    """Return the mode of the settings."""
    return get_mode(None)


def register_mode(name: str, mode: Mode) -> None:
    """Give a mode a name."""
    if name in predefined_modes:
        raise ValueError(f"Mode name already taken: {name}")
    predefined_modes[name] = mode


def register_linker(name: str, linker: Any) -> None:
    """Give a linker a name."""
    if name in predefined_linkers:
        raise ValueError(f"Linker name already taken: {name}")
    predefined_linkers[name] = linker


def register_optimizer(name: str, opt: Any) -> None:
    """Give an optimizer a name."""
    if name in predefined_optimizers:
        raise ValueError(f"Optimizer name already taken: {name}")
    predefined_optimizers[name] = opt


__all__ = [
    "Mode", "get_default_mode", "get_mode", "predefined_linkers", "predefined_modes", "predefined_optimizers",
    "register_linker", "register_mode", "register_optimizer",
]  # fmt: skip
