"""Module: a tree of layers with variables, a mode, and a name for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, FileFormatError, ShapeError
from septet.base.text import count_text, shape_text, table
from septet.graph.context import layer
from septet.graph.op import as_node
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class Module:
    """The base of layers and models: set variables and modules as attributes, and write `forward`.

    A layer that infers its input's sizes creates its variables in `build`, which is called with the inputs at first use.

    Attributes
    ----------
    is_training : bool
        The mode: dropout drops and batch normalization uses the batch only in training.
    is_built : bool
    """

    def __init__(self) -> None:
        self.is_training = True
        self.is_built = False

    def build(self, *inputs: Tensor) -> None:
        """Create the variables whose sizes depend on the inputs; called once."""

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *inputs: Any) -> Any:
        """Build at first use, then compute; errors inside show the path of layers."""
        values = [Tensor(v.node) if isinstance(v, Variable) else _as_tensor(v) for v in inputs]
        with layer(self._label()):
            if not self.is_built:
                self.build(*values)
                self.is_built = True
                self._name_variables()
            return self.forward(*values)

    def _label(self) -> str:
        return self.__dict__.get("_name") or type(self).__name__.lower()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if isinstance(value, Module) and not value.__dict__.get("_name"):
            object.__setattr__(value, "_name", name)
        elif isinstance(value, Variable) and not value.name:
            value.name = name

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct sub-modules by name, those in lists and dicts included."""
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, (list, tuple)):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(value) if isinstance(item, Module))
            elif isinstance(value, dict):
                yield from ((f"{name}.{key}", item) for key, item in value.items() if isinstance(item, Module))

    def modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it with their paths."""
        yield prefix, self
        for name, child in self.children():
            yield from child.modules(f"{prefix}.{name}" if prefix else name)

    def named_variables(self) -> Iterator[tuple[str, Variable]]:
        """Yield all variables by path, each once."""
        seen: set[int] = set()
        for path, module in self.modules():
            for name, value in module.__dict__.items():
                if isinstance(value, Variable) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def variables(self, *roles: str) -> list[Variable]:
        """Return the variables, or those with one of the given roles."""
        return [v for _, v in self.named_variables() if not roles or v.role in roles]

    def named_parameters(self) -> Iterator[tuple[str, Variable]]:
        """Yield the trainable variables by path."""
        return ((name, v) for name, v in self.named_variables() if v.trainable)

    def parameters(self) -> list[Variable]:
        """Return the trainable variables.

        Raises
        ------
        ArgumentError
            If the module has layers that are not built yet: their parameters do not exist.
        """
        waiting = [path or type(m).__name__ for path, m in self.modules() if not m.is_built and m.needs_build()]
        if waiting:
            raise ArgumentError(
                f"the parameters of {', '.join(waiting)} do not exist yet: sizes are inferred at first use",
                hint="call the model once on a batch (or model.build_on(batch)), or pass the model itself to the optimizer",
            )
        return [v for _, v in self.named_parameters()]

    def needs_build(self) -> bool:
        """Tell whether the module creates variables at first use."""
        return type(self).build is not Module.build

    def build_on(self, *inputs: Any) -> Module:
        """Build all layers by applying the module once, without leaving traces in statistics or random states."""
        mode = self.is_training
        self.eval()
        try:
            self(*inputs)
        finally:
            self.train(mode)
        return self

    def _name_variables(self) -> None:
        for name, value in self.__dict__.items():
            if isinstance(value, Variable) and value.name in ("", name):
                value.name = f"{self._label()}.{name}"

    def train(self, is_training: bool = True) -> Module:
        """Switch this module and all below it to training mode (or, with False, to evaluation)."""
        for _, module in self.modules():
            object.__setattr__(module, "is_training", is_training)
        return self

    def eval(self) -> Module:
        """Switch to evaluation mode."""
        return self.train(False)

    def apply(self, visit: Callable[[Module], Any]) -> Module:
        """Call a function on this module and all below it."""
        for _, module in self.modules():
            visit(module)
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the values of all variables by path."""
        return {name: np.array(v.current()) for name, v in self.named_variables()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Give the variables the values of a `state_dict`; nothing changes unless everything fits.

        Raises
        ------
        FileFormatError
            If names are missing or unexpected (unless `strict` is False).
        ShapeError
            If a shape differs.
        """
        own = dict(self.named_variables())
        missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if strict and (missing or unexpected):
            parts = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unexpected: {', '.join(unexpected)}"] * bool(unexpected)
            raise FileFormatError(f"the weights do not fit the model ({'; '.join(parts)})")
        values = {}
        for name in own.keys() & state.keys():
            type_, value = own[name].variable_type, np.asarray(state[name])
            if value.shape != type_.shape:
                raise ShapeError(f"weight {name!r} has shape {value.shape}, the model's {type_.shape}")
            values[name] = value.astype(type_.dtype)
        for name, value in values.items():
            own[name].store(np.array(value))

    def summary(self) -> str:
        """Return a table of the layers: path, kind, shapes of variables, number of parameters."""
        rows = []
        for path, module in self.modules():
            own = {n: v for n, v in module.__dict__.items() if isinstance(v, Variable)}
            if own:
                shapes = ", ".join(f"{n}{shape_text(v.variable_type.shape)}" for n, v in own.items())
                rows.append([path, type(module).__name__, shapes, str(sum(v.size or 0 for v in own.values()))])
        total = sum(v.size or 0 for v in self.variables())
        text = table(rows, ["layer", "kind", "variables", "numbers"], "lllr")
        return f"{text}\ntotal: {total} ({count_text(total)})"

    def __repr__(self) -> str:
        lines = [type(self).__name__ + self._arguments()]
        for name, child in self.children():
            first, *rest = repr(child).split("\n")
            lines += [f"  {name}: {first}", *[f"  {line}" for line in rest]]
        return "\n".join(lines)

    def _arguments(self) -> str:
        shown = [
            f"{k}={v!r}" for k, v in self.__dict__.items()
            if not k.startswith(("_", "is_")) and isinstance(v, (int, float, str, tuple)) and not isinstance(v, bool)
        ]  # fmt: skip
        return f"({', '.join(shown)})"


def _as_tensor(value: Any) -> Any:
    """Take arrays as tensors; leave everything else."""
    return Tensor(as_node(value)) if isinstance(value, np.ndarray) else value

