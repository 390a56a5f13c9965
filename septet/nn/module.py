"""Module: a tree of layers and variables.

A module is a plain Python object: its variables and its children are its attributes (also in lists, tuples and dicts),
and the tree is read off them whenever it is asked for. Its life has three steps: ``__init__`` keeps the configuration;
`build` makes the variables when the first input shows the sizes; `forward` computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from septet.base.errors import ArgumentError, FileFormatError, NotSupportedError, SeptetError, ShapeError
from septet.base.hooks import hook
from septet.base.text import indent
from septet.graph.context import changes, context
from septet.graph.context import layer as layer_path
from septet.nn import constraints, initializers, regularizers
from septet.nn.notes import Configuration, Mode, parameter_names
from septet.nn.parts import Parameters, as_input, check_roles, differences, types_of
from septet.nn.placeholders import PLACEHOLDERS, is_placed, place
from septet.nn.sketch import is_sketching, sketched
from septet.nn.summary import WATCHERS, Summary, summarize
from septet.tensor.tensor import Tensor
from septet.tensor.trace import note, note_change
from septet.tensor.variable import Variable, assign_all
from septet.tensor.wrap import RULES, explain_values, named_arguments


class Module:
    """The base of layers and models.

    Subclasses set attributes in ``__init__``, make variables in `build` where sizes must be seen first, and define
    `forward`. Calling the module converts arrays to tensors, builds at the first call, and runs `forward`.

    Attributes
    ----------
    is_training : bool
        Whether dropout drops and batch normalization uses the batch; set by `train` and `eval`.
    penalties, constraints : tuple of (function, roles)
        What `regularize` and `constrain` have set, for the variables of some roles here and below.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         self.dense = nn.Dense(3)
    ...     def forward(self, x):
    ...         return self.dense(self.dense(x))
    >>> Twice()(st.ones((2, 3))).shape
    (2, 3)
    """

    _is_training = True
    _name = ""
    _label = ""  # `label`, where it was asked for since the name changed
    _is_built = False
    _frozen: frozenset[Variable] | None = None  # the variables that `freeze` has fixed
    _seen: Any = None  # the types of the first inputs
    penalties: tuple[tuple[Any, tuple[str, ...]], ...] = ()
    constraints: tuple[tuple[Any, tuple[str, ...]], ...] = ()

    # What subclasses define.

    def build(self, *inputs: Any) -> None:
        """Make the variables; called once, with the first inputs. By default there is nothing to do."""

    def forward(self, *inputs: Any, **words: Any) -> Any:
        """Compute the result."""
        raise NotSupportedError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *inputs: Any, **words: Any) -> Any:
        """Apply the module to tensors or arrays; to placeholders (see `Input`) when a `Model` is put together."""
        state = context.__dict__  # of this thread; written out, since a model may call hundreds of layers in a step
        before = state["layers"]
        if PLACEHOLDERS and not before and state["trace"] is None and is_placed((*inputs, *words.values())):
            return place(self, inputs, words)
        state["layers"] = (*before, self._label or self.label)
        try:
            if state["trace"] is not None:
                note(Configuration, self)
            for value in inputs:
                if not isinstance(value, Tensor):
                    inputs = tuple([as_input(each) for each in inputs])
                    break
            if self._seen is None:
                if not self._is_built:
                    self.build(*inputs)
                    self._is_built = True
                object.__setattr__(self, "_seen", types_of(inputs))
            return self.forward(*inputs, **words) if not WATCHERS else WATCHERS[-1](self, inputs, words)
        except RULES as error:
            if not error.is_located:
                self._explain(error, inputs, words)
            raise
        finally:
            state["layers"] = before

    @contextmanager
    def entered(self, *inputs: Any) -> Iterator[None]:
        """Be in the module's path for a block, as if it were called; with inputs it makes its variables first.

        For modules that are applied in parts: what a loop needs once, and what it needs at each step.
        """
        with layer_path(self._label or self.label):
            if context.trace is not None:
                note(Configuration, self)
            if inputs and not self._is_built:
                self.build(*inputs)
                self._is_built = True
                object.__setattr__(self, "_seen", types_of(inputs))
            yield

    def _explain(self, error: SeptetError, inputs: tuple[Any, ...], words: dict[str, Any]) -> None:
        """Give an error that the module raised itself, not by an op inside, the whole report."""
        error.message = error.message.removeprefix(f"{self.label}: ")
        explain_values(error, type(self).__name__, named_arguments(type(self).forward, (self, *inputs), words))

    # Making variables.

    def variable(
        self, name: str, shape: Sequence[int], initializer: Any = "zeros", *, role: str = "weight",
        dtype: Any = np.float32,
    ) -> Variable:  # fmt: skip
        """Make a variable, named after the path of layers under way, and set it as an attribute.

        Parameters
        ----------
        name : str
        shape : sequence of int
        initializer : str or callable
        role : str
        dtype : dtype

        Raises
        ------
        ShapeError
            If the initializer returns another shape.
        """
        shape = tuple(shape)
        path = ".".join([*[label.partition(":")[0] for label in context.layers[1:]], name])
        if is_sketching():
            variable = sketched(shape, path, dtype, role)
        else:
            array = np.asarray(initializers.get(initializer)(shape, dtype))
            if array.shape != shape:
                raise ShapeError(f"{self.label}: initializer of {name!r}: expected shape {shape}, got {array.shape}")
            variable = Variable(array, path, dtype=dtype, role=role)
        setattr(self, name, variable)
        return variable

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_name":
            for key, item in _members(name, value):
                if isinstance(item, Module) and not item._name:
                    object.__setattr__(item, "_name", key)
                    object.__setattr__(item, "_label", "")
                elif isinstance(item, Variable) and not item.name:
                    item.name = key
        before = vars(self).get(name)
        object.__setattr__(self, name, value)
        if value is not before and (self._is_configuration(name, value) or self._is_configuration(name, before)):
            changes.stamp = object()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        changes.stamp = object()

    # The tree.

    def named(self, name: str) -> Self:
        """Give the module a name, under which a `Model` makes it an attribute; returns itself.

        Examples
        --------
        >>> from septet import nn
        >>> x = nn.Input(3)
        >>> nn.Model(x, nn.Dense(2).named("scores")(x)).scores
        Dense(2)
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ArgumentError(f"{type(self).__name__}: a name is an identifier, got {name!r}")
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_label", "")
        return self

    @property
    def label(self) -> str:
        """What paths show: the attribute's name in the parent and the class."""
        name = type(self).__name__
        label = f"{self._name}:{name}" if self._name else name
        object.__setattr__(self, "_label", label)
        return label

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Go through the modules directly below, with their names."""
        for key, item in self._named_members():
            if isinstance(item, Module):
                yield key, item

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Go through the module itself (named "") and all modules below, each once."""
        yield from self._walk("", set())

    def modules(self) -> Iterator[Module]:
        """Go through the module itself and all modules below, each once."""
        return (module for _, module in self.named_modules())

    def named_variables(self) -> Iterator[tuple[str, Variable]]:
        """Go through all variables with their dotted paths; a shared one comes once, by its first path."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for key, item in module._named_members():
                if isinstance(item, Variable) and id(item) not in seen:
                    seen.add(id(item))
                    yield (f"{path}.{key}" if path else key), item

    def variables(self, *roles: str) -> list[Variable]:
        """Return the variables, or those of the given roles ("weight", "bias", "statistic" ...)."""
        return [variable for _, variable in self.named_variables() if not roles or variable.role in roles]

    def named_parameters(self) -> Iterator[tuple[str, Variable]]:
        """Go through the trainable variables with their dotted paths."""
        return ((path, variable) for path, variable in self.named_variables() if variable.trainable)

    def parameters(self, *roles: str) -> Parameters:
        """Return the trainable variables, optionally of some roles; the result follows the module as it is built."""
        return Parameters(self, roles)

    def _named_members(self) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            yield from _members(name, value)

    def _walk(self, path: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield path, self
        for key, child in self.named_children():
            yield from child._walk(f"{path}.{key}" if path else key, seen)

    def configuration(self) -> Iterator[tuple[str, Any]]:
        """Go through the attributes that what a module computes depends on: its parts, and its class's parameters."""
        return ((name, value) for name, value in vars(self).items() if self._is_configuration(name, value))

    def _is_configuration(self, name: str, value: Any) -> bool:
        return (
            name in ("penalties", "constraints")
            or name in parameter_names(type(self))
            or any(True for _ in _members(name, value))
        )

    # Life.

    @property
    def is_training(self) -> bool:
        """Whether dropout drops and batch normalization uses the batch."""
        if context.trace is not None:
            note(Mode, self)
        return self._is_training

    @is_training.setter
    def is_training(self, value: bool) -> None:
        if value != self._is_training:
            object.__setattr__(self, "_is_training", bool(value))
            note_change(Mode, self)

    @property
    def is_built(self) -> bool:
        """Whether the module and all modules below have seen their first input."""
        return all(module._is_built for module in self.modules())

    def build_for(self, *inputs: Any, **words: Any) -> Module:
        """Build everything for inputs of these shapes without computing: variables exist afterwards.

        Parameters
        ----------
        *inputs : array-like
            Only dtypes and shapes matter.
        **words
            What `forward` takes besides.

        Returns
        -------
        Module
            Itself.
        """
        kept = {variable: variable.current() for variable in self.variables("state")}
        with self.evaluating(), initializers.outside_traces():
            self(*inputs, **words)
            self.reset_state()
            assign_all(kept)
        return self

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Switch the module and all below to evaluation for a block, and each back to its mode afterwards."""
        modes = [(module, module.is_training) for module in self.modules()]
        self.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.is_training = mode

    def input_types(self) -> Any:
        """Return what the module was first applied to, nested as it was, with types in place of tensors; or None."""
        return self._seen

    def train(self, mode: bool = True) -> Module:
        """Switch the module and all below to training, but for frozen ones; returns itself."""
        for module in self.modules():
            module.is_training = mode and module._frozen is None
        return self

    def eval(self) -> Module:
        """Switch the module and all below to evaluation; returns itself."""
        return self.train(False)

    def freeze(self) -> Self:
        """Keep the module and all below as they are while other modules are trained; returns itself.

        Its variables are trained no more, and `train` leaves it in evaluation mode: no dropout, and the statistics of
        normalizations stay.

        Raises
        ------
        ArgumentError
            If it has not seen an input, so that it has no variables yet.

        Examples
        --------
        >>> import septet as st
        >>> from septet import nn
        >>> body = nn.Dense(3).build_for(st.ones((1, 2))).freeze()
        >>> model = nn.Sequential(body, nn.Dense(2)).build_for(st.ones((1, 2))).train()
        >>> [path for path, _ in model.named_parameters()], body.is_training
        (['1.kernel', '1.bias'], False)
        """
        if not self.is_built:
            raise ArgumentError(
                f"{self.label}: has not seen an input, so that there is nothing to freeze yet",
                hint="call the module once, or module.build_for(example)",
            )
        for module in self.modules():
            if module._frozen is None:
                own = frozenset(v for _, v in module._named_members() if isinstance(v, Variable) and v.trainable)
                object.__setattr__(module, "_frozen", own)
                for variable in own:
                    variable.trainable = False
        self.eval()
        return self

    def unfreeze(self) -> Self:
        """Let the variables that `freeze` has fixed be trained again, and `train` switch the mode; returns itself."""
        for module in self.modules():
            for variable in module._frozen or ():
                variable.trainable = True
            object.__setattr__(module, "_frozen", None)
        return self

    def reset_state(self) -> None:
        """Forget what layers have kept from batch to batch: variables of the role "state" become zeros."""
        assign_all({variable: variable.current() * 0 for variable in self.variables("state")})

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for variable in self.parameters():
            variable.zero_grad()

    # Rules.

    def regularize(self, regularizer: Any, *roles: str) -> Self:
        """Set a penalty on the variables of some roles, here and below; returns itself.

        `nn.regularization_loss` is the sum of all penalties of a model; `fit` adds it to the loss.

        Parameters
        ----------
        regularizer : str or callable
            A name or object of `nn.regularizers`, or any function from a tensor to a scalar.
        *roles : str
            Roles of variables; "weight" if none is given.

        Examples
        --------
        >>> from septet import nn
        >>> model = nn.Sequential(nn.Dense(4), nn.Dense(2)).regularize(nn.regularizers.L2(1e-4))
        >>> model.penalties
        ((L2(l1=0.0, l2=0.0001), ('weight',)),)
        """
        self.penalties = (*self.penalties, (regularizers.get(regularizer), check_roles(roles)))
        return self

    def constrain(self, constraint: Any, *roles: str) -> Self:
        """Set a constraint of the variables of some roles, here and below; returns itself.

        `nn.apply_constraints` applies all constraints of a model; `fit` does so after each update.

        Parameters
        ----------
        constraint : str or callable
            A name or object of `nn.constraints`, or any function from a tensor to one of its shape.
        *roles : str
            Roles of variables; "weight" if none is given.
        """
        self.constraints = (*self.constraints, (constraints.get(constraint), check_roles(roles)))
        return self

    # Training.

    def fit(self, data: Any, **words: Any) -> Any:
        """Train on a data set; see `septet.train.fit`, which takes the same arguments."""
        return hook("train").fit(self, data, **words)

    def evaluate(self, data: Any, **words: Any) -> Any:
        """Return loss and metrics on a data set; see `septet.train.evaluate`."""
        return hook("train").evaluate(self, data, **words)

    def predict(self, inputs: Any, **words: Any) -> Any:
        """Return the outputs for many inputs, batch by batch; see `septet.train.predict`."""
        return hook("train").predict(self, inputs, **words)

    # State.

    def save(self, path: Any, example: Any = None, metadata: Mapping[str, Any] | None = None) -> None:
        """Write definition and weights to a file; see `septet.io.save_model`, which takes the same arguments."""
        hook("io").save_model(self, path, example, metadata)

    @staticmethod
    def load(path: Any) -> Module:
        """Make the model of a file that `save` wrote, in evaluation mode; see `septet.io.load_model`."""
        model: Module = hook("io").load_model(path)[0]
        return model

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the values of all variables by their paths, as read-only arrays."""
        return {path: variable.value for path, variable in self.named_variables()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over values by path: all of them fit, or nothing changes.

        Parameters
        ----------
        state : mapping of str to array-like
        strict : bool
            False loads what is there and fits by name; shapes must fit all the same.

        Raises
        ------
        ArgumentError
            If the module has modules that were not built yet.
        FileFormatError
            If names or shapes differ; the message lists the differences.
        """
        unbuilt = [path or type(self).__name__ for path, module in self.named_modules() if not module._is_built]
        if unbuilt:
            raise ArgumentError(
                f"load_state_dict: not seen an input yet, so that the sizes are unknown: {', '.join(unbuilt[:5])}",
                hint="call the model once, or model.build_for(example)",
            )
        own = dict(self.named_variables())
        arrays = {name: np.asarray(value) for name, value in state.items() if name in own}
        problems = differences(own, state, arrays, strict)
        if problems:
            raise FileFormatError("the state does not fit the model: " + "; ".join(problems))
        assign_all({own[name]: array for name, array in arrays.items()})

    # Text.

    def extra(self) -> str:
        """Return what `repr` shows between the parentheses: the configuration."""
        return ""

    def __repr__(self) -> str:
        children = list(self.named_children())
        head = f"{type(self).__name__}({self.extra()}"
        if not children:
            return head + ")"
        lines = [f"{name}: {child!r}" for name, child in children]
        return head + "\n" + indent("\n".join(lines), 2) + "\n)"

    def summary(self, input_shape: Any = None, dtype: Any = None) -> Summary:
        """Return a table of the modules: output shapes, parameters, memory, floating-point operations.

        Parameters
        ----------
        input_shape : tuple of int, or list of such tuples for several inputs, optional
            Of one example. By default, that of the first input that the module has seen.
        dtype : dtype, optional
            Of the inputs; the default float type if not given.

        Returns
        -------
        Summary
            `str` and `print` give plain text, its method `show` a table for terminals.

        Examples
        --------
        >>> from septet import nn
        >>> model = nn.Sequential(nn.Dense(8, "relu"), nn.Dense(2))
        >>> print(model.summary(input_shape=(4,)))
        layer  class       output  parameters  fixed  memory  FLOPs
        -----  ----------  ------  ----------  -----  ------  -----
        0      Dense       (*, 8)          40      0   192 B     88
        1      Dense       (*, 2)          18      0    80 B     34
        all    Sequential  (*, 2)          58      0   272 B    122
        """
        return summarize(self, input_shape, dtype)


def _members(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Go through the modules and variables in an attribute, which may be a list, tuple or dict of them."""
    if isinstance(value, (Module, Variable)):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _members(f"{name}.{index}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _members(f"{name}.{key}", item)
