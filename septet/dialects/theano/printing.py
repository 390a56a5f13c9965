"""Graphs for people: `pprint` as mathematics, `debugprint` as a tree, `pydotprint` as a picture; `Print` prints values."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from copy import copy
from importlib.util import find_spec
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.compile.function import Function
from septet.dialects.theano.containers import SymbolicInput, SymbolicOutput
from septet.dialects.theano.gof.fg import FunctionGraph
from septet.dialects.theano.gof.graph import Apply, Constant, Variable, io_toposort
from septet.dialects.theano.gof.op import NativeOp, Op, Replay
from septet.dialects.theano.gof.utils import scratchpad
from septet.dialects.theano.tensor import basic, elemwise, products, shaping, subtensor
from septet.dialects.theano.tensor.convert import as_variable
from septet.dialects.theano.tensor.elemwise import FUNCTIONS
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT
from septet.optimize.simplify import simplify

# As a tree.


def _letters(number: int) -> str:
    """Return a number written with capital letters."""
    text = "" if number else "A"
    while number:
        number, rest = divmod(number, 26)
        text = chr(ord("A") + rest) + text
    return text


class _Tree:
    """Writes graphs line by line."""

    def __init__(self, file: Any, ids: str, done: dict[Any, str], print_type: bool, stop_on_name: bool) -> None:
        self.file, self.ids, self.done, self.print_type, self.stop_on_name = file, ids, done, print_type, stop_on_name
        self.names: dict[Any, str] = {}
        self.inner: list[Variable] = []

    def name(self, thing: Any) -> str:
        if thing not in self.names:
            number = len(self.names)
            text = {"CHAR": _letters(number), "int": str(number), "id": str(id(thing))}.get(self.ids)
            self.names[thing] = f"[id {text}]" if text is not None else ""
        return self.names[thing]

    def write(self, variable: Variable, depth: int, prefix: str, below: str, order: Sequence[Apply]) -> None:
        """Write a variable and what it depends on; one that was written before is only named."""
        if depth == 0:
            return
        kind = f" <{variable.type}>" if self.print_type else ""
        node = variable.owner
        if node is None:
            print(f"{prefix}{variable} {self.name(variable)}{kind}", file=self.file)
            return
        is_known = node in self.done
        label = self.name(node)
        self.done[node] = label
        index = f".{variable.index}" if len(node.outputs) > 1 else ""
        place = str(order.index(node)) if node in order else ""
        print(f"{prefix}{node.op}{index} {label}{kind} '{variable.name or ''}'   {place}", file=self.file)
        if hasattr(node.op, "inner_outputs") and variable not in self.inner:
            self.inner.append(variable)
        if is_known or (self.stop_on_name and variable.name is not None):
            return
        for number, given in enumerate(node.inputs):
            is_last = number == len(node.inputs) - 1
            self.write(given, depth - 1, below + " |", below + ("  " if is_last else " |"), order)


def debugprint(
    obj: Any, depth: int = -1, print_type: bool = False, file: Any = None, ids: str = "CHAR", stop_on_name: bool = False,
    done: Any = None, print_storage: bool = False, print_clients: bool = False, used_ids: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """Print what variables depend on, as a tree.

    Parameters
    ----------
    obj : Variable, Apply, Function, FunctionGraph, or a list of them
    depth : int
        How deep; -1 for all.
    print_type : bool
        Whether to print types.
    file : file, "str" or None
        Where to; ``"str"`` returns the text.
    ids : "CHAR", "int", "id" or ""
        How variables are named.
    stop_on_name : bool
        Whether what a named variable depends on is left out.
    """
    if not isinstance(depth, int):
        raise Exception("depth parameter must be an int")
    target = io.StringIO() if file == "str" else sys.stdout if file is None else file
    roots: list[tuple[Variable, Sequence[Apply]]] = []
    for one in obj if isinstance(obj, (list, tuple, set)) else [obj]:
        if isinstance(one, Variable):
            roots.append((one, ()))
        elif isinstance(one, Apply):
            roots += [(output, ()) for output in one.outputs]
        elif isinstance(one, (Function, FunctionGraph)):
            graph = one.maker.fgraph if isinstance(one, Function) else one
            order = graph.toposort()
            roots += [(output, order) for output in graph.outputs]
        elif isinstance(one, (SymbolicInput, SymbolicOutput)):
            roots.append((one.variable, ()))
        elif isinstance(one, (int, float, np.ndarray)):
            print(one, file=target)
        else:
            raise TypeError("debugprint cannot print an object of this type", one)
    tree = _Tree(target, ids, {} if done is None else done, print_type, stop_on_name)
    for variable, order in roots:
        tree.write(variable, depth, "", "", order)
    if tree.inner:
        print("\nInner graphs of the scan ops:", file=target)
        for variable in tree.inner:
            print("", file=target)
            tree.write(variable, 1, "", "", ())
            for output in variable.owner.op.inner_outputs:
                tree.write(output, depth, " >", " >", ())
    if file == "str":
        return target.getvalue()
    target.flush()
    return None if file is None else file


# As mathematics.


class PrinterState(scratchpad):
    """What printers share while they print: the printer of all, and what they have printed."""

    def __init__(self, props: Any = None, **more: Any) -> None:
        self.__dict__.update(dict(props or {}) | more)
        self.__dict__.setdefault("memo", {})


class _Printer:
    """Prints a result of an op from the texts of its inputs."""

    def process(self, output: Variable, pstate: Any) -> str:
        if output in pstate.memo:
            return str(pstate.memo[output])
        node = output.owner
        if node is None:
            return leaf_printer.process(output, pstate)
        found = self.text(output, node, [pstate.pprinter.process(given, pstate) for given in node.inputs])
        pstate.memo[output] = found
        return found

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        """Return the text."""
        return f"{node.op}({', '.join(inputs)})"


DefaultPrinter = _Printer


class OperatorPrinter(_Printer):
    """Prints ``(a + b)``."""

    def __init__(self, operator: str, precedence: float = 0, assoc: str = "left") -> None:
        self.operator = operator

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        return f"({self.operator}{inputs[0]})" if len(inputs) == 1 else f"({f' {self.operator} '.join(inputs)})"


class PatternPrinter(_Printer):
    """Prints by a pattern for each result: ``"|%(0)s|"``."""

    def __init__(self, *patterns: Any) -> None:
        self.patterns = [pattern if isinstance(pattern, str) else pattern[0] for pattern in patterns]

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        return self.patterns[output.index or 0] % {str(place): text for place, text in enumerate(inputs)}


class FunctionPrinter(_Printer):
    """Prints ``name(a, b)``."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        return f"{self.names[output.index or 0]}({', '.join(inputs)})"


class IgnorePrinter(_Printer):
    """Prints the first input."""

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        return inputs[0]


class LeafPrinter(_Printer):
    """Prints a variable's name."""

    def process(self, output: Variable, pstate: Any) -> str:
        return greek.get(output.name or "", str(output))


class DimShufflePrinter(_Printer):
    """Prints what only axes of size 1 are added to as it is, a transposed matrix as ``x.T``."""

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        order = node.op.new_order
        kept = [axis for axis in order if axis != "x"]
        if list(order) == ["x"] * (len(order) - len(kept)) + sorted(kept) and len(kept) == node.inputs[0].type.ndim:
            return inputs[0]
        if list(order) == list(reversed(range(node.inputs[0].type.ndim))):
            return f"{inputs[0]}.T"
        return f"DimShuffle{{{', '.join(map(str, order))}}}({inputs[0]})"


class SubtensorPrinter(_Printer):
    """Prints ``x[0, 1:]``."""

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        def put(item: Any) -> str:
            if isinstance(item, slice):
                parts = ["" if end is None else put(end) for end in (item.start, item.stop)]
                return ":".join(parts) + ("" if item.step is None else f":{put(item.step)}")
            if isinstance(item, subtensor.Slot):
                return inputs[item.index + 1]
            return "..." if item is Ellipsis else str(item)

        return f"{inputs[0]}[{', '.join(map(put, node.op.idx_list))}]"


class _ListPrinter(_Printer):
    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        return f"[{', '.join(inputs)}]"


class FormulaPrinter(_Printer):
    """Prints what a gradient computes, simplified, as long as that is a short formula."""

    SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
    SILENT = frozenset({"broadcast_to", "ensure_shape", "reshape", "expand_dims"})
    """Ops that only say how their first input broadcasts."""
    LONGEST, WIDEST = 24, 1000
    """How many steps, and how many letters."""

    def text(self, output: Variable, node: Apply, inputs: list[str]) -> str:
        symbols = [tensor.node for tensor in node.op.symbols]
        graph = simplify(Graph(symbols, [node.op.results[output.index].node])).graph
        if len(graph) - len(symbols) > self.LONGEST:
            return super().text(output, node, inputs)
        texts = dict(zip(graph.inputs, inputs, strict=True))
        for each in graph.nodes:
            if each not in texts:
                texts[each] = self._of(each, [texts[source] for source in each.inputs])
                if len(texts[each]) > self.WIDEST:
                    return super().text(output, node, inputs)
        return texts[graph.outputs[0]]

    def _of(self, node: Any, inputs: list[str]) -> str:
        name = node.op.name
        if node.op is CONSTANT:
            return str(as_variable(np.asarray(node.value)))
        if name == "cast":
            return inputs[0] if node.dtype == node.inputs[0].dtype else f"{node.dtype}({inputs[0]})"
        if name == "negative":
            return f"(-{inputs[0]})"
        if name == "size_of":
            return f"Shape_i{{{node.param('axis')}}}({inputs[0]})"
        if name == "dot_general" and all(source.ndim < 3 for source in node.inputs):
            ((row,), (column,)), (a, b) = node.param("contracting"), node.inputs
            left, right = ["", ".T"][a.ndim == 2 and row == 0], ["", ".T"][b.ndim == 2 and column == 1]
            return f"({inputs[0]}{left} {special['middle_dot']} {inputs[1]}{right})"
        if name in self.SIGNS:
            return f"({f' {self.SIGNS[name]} '.join(inputs)})"
        return inputs[0] if name in self.SILENT else f"{name}({', '.join(inputs)})"


leaf_printer = LeafPrinter()
default_printer = DefaultPrinter()
special = {"middle_dot": "\\dot", "big_sigma": "\\Sigma"}
greek = {name: f"\\{name}" for name in ("alpha", "beta", "gamma", "delta", "epsilon")}


class PPrinter:
    """Prints variables as mathematics; `assign` says how an op is printed."""

    def __init__(self) -> None:
        self.printers: list[tuple[Callable[..., bool], Any]] = []
        self.printers_dict: dict[Any, Any] = {}

    def assign(self, condition: Any, printer: Any) -> None:
        """Have a printer print an op, a class of ops, or what ``condition(pstate, variable)`` holds for."""
        if isinstance(condition, (Op, type)):
            self.printers_dict[condition] = printer
        else:
            self.printers.insert(0, (condition, printer))

    def process(self, r: Any, pstate: Any = None) -> str:
        """Return a variable as text."""
        if pstate is None or isinstance(pstate, dict):
            pstate = PrinterState(pstate, pprinter=self)
        r = as_variable(r)
        for condition, printer in self.printers:
            if condition(pstate, r):
                return str(printer.process(r, pstate))
        if r.owner is not None:
            for key in (r.owner.op, *type(r.owner.op).__mro__):
                if key in self.printers_dict:
                    return str(self.printers_dict[key].process(r, pstate))
        return default_printer.process(r, pstate)

    def clone(self) -> PPrinter:
        found = copy(self)
        found.printers, found.printers_dict = list(self.printers), dict(self.printers_dict)
        return found

    def clone_assign(self, condition: Any, printer: Any) -> PPrinter:
        found = self.clone()
        found.assign(condition, printer)
        return found

    def process_graph(self, inputs: Any, outputs: Any, updates: Any = None, display_inputs: bool = False) -> str:
        """Return a graph as lines, one for each named variable and output."""
        inputs, outputs = [list(v) if isinstance(v, (list, tuple)) else [v] for v in (inputs, outputs)]
        updates = dict(updates or {})
        lines = [f"inputs: {', '.join(map(str, [*inputs, *updates]))}"] if display_inputs else []
        current: list[Any] = [None]
        printer = self.clone_assign(lambda pstate, r: r.name is not None and r is not current[0], leaf_printer)
        targets = {new: old for old, new in updates.items()}
        last = []
        for node in io_toposort([*inputs, *updates], [*outputs, *updates.values()]):
            for output in node.outputs:
                if output in targets:
                    last.append(f"{targets[output]} <- {printer.process(output)}")
                if output.name is None and output not in outputs:
                    continue
                current[0] = output
                text = printer.process(output)
                if output in outputs:
                    last.append(
                        f"return {text}"
                        if len(outputs) == 1
                        else f"{output.name or f'out[{outputs.index(output)}]'} = {text}"
                    )
                else:
                    lines.append(f"{output.name} = {text}")
        return "\n".join(lines + last)

    def __call__(self, *args: Any) -> str:
        if len(args) > 2 or (len(args) == 2 and not isinstance(args[1], (PrinterState, dict))):
            return self.process_graph(*args)
        return self.process(*args)


pprint = pp = PPrinter()
for _name, _op in FUNCTIONS.items():
    pprint.assign(_op, FunctionPrinter(_name.removeprefix("convert_to_") if _name != "second" else "fill"))
for _name, _sign in {
    "add": "+", "mul": "*", "sub": "-", "neg": "-", "true_div": "/", "int_div": "//", "pow": "**", "mod": "%",
}.items():  # fmt: skip
    pprint.assign(FUNCTIONS[_name], OperatorPrinter(_sign))
pprint.assign(FUNCTIONS["abs_"], PatternPrinter("|%(0)s|"))
pprint.assign(basic.tensor_copy, IgnorePrinter())
pprint.assign(basic.alloc, FunctionPrinter("alloc"))
pprint.assign(basic.Sum(), FunctionPrinter("sum"))
pprint.assign(shaping.Join, FunctionPrinter("join"))
pprint.assign(shaping.MakeVector, _ListPrinter())
pprint.assign(products._dot, OperatorPrinter(special["middle_dot"]))
pprint.assign(elemwise.DimShuffle, DimShufflePrinter())
pprint.assign(subtensor.Subtensor, SubtensorPrinter())
pprint.assign(Replay, FormulaPrinter())


# Values.


def _print_fn(op: Any, xin: Any) -> None:
    for attribute in op.attrs:
        value = getattr(xin, attribute)
        print(op.message, attribute, "=", value() if callable(value) else value)


class Print(NativeOp):
    """The input, printed whenever it is computed.

    Parameters
    ----------
    message : str
        Printed in front.
    attrs : sequence of str
        Attributes of the array, or methods to call: what is printed.
    global_fn : callable, optional
        ``global_fn(op, array)`` does the printing.
    """

    __props__ = ("message", "attrs", "global_fn")
    view_map = {0: [0]}

    def __init__(self, message: str = "", attrs: Sequence[str] = ("__str__",), global_fn: Any = _print_fn) -> None:
        self.message = message
        self.attrs = tuple(attrs)
        self.global_fn = global_fn

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors

        def show(array: np.ndarray) -> np.ndarray:
            self.global_fn(self, array)
            return array

        return st.callback(show, (x.dtype.name, x.type.shape), x, gradient=lambda g, x: g)


# As a picture.

default_colorCodes = {
    "Scan": "yellow", "Shape": "brown", "IfElse": "magenta", "Elemwise": "#FFAABB", "Subtensor": "#FFAAFF",
    "Alloc": "#FFAA22", "Output": "blue",
}  # fmt: skip
pydot_imported = find_spec("graphviz") is not None
pydot_imported_msg = "" if pydot_imported else "pydotprint needs graphviz: pip install 'septet[view]'"


def pydotprint(
    fct: Any, outfile: Any = None, compact: bool = True, format: str = "png", with_ids: bool = False,
    high_contrast: bool = True, cond_highlight: Any = None, colorCodes: Any = None, max_label_size: int = 70,
    scan_graphs: bool = False, var_with_name_simple: bool = False, print_output_file: bool = True,
    return_image: bool = False,
) -> Any:  # fmt: skip
    """Draw a graph: ops as ellipses, variables as boxes.

    Parameters
    ----------
    fct : Function, FunctionGraph, Variable, Apply, or list of Variable
    outfile : str, optional
        Where to; the extension follows from `format`.
    compact : bool
        Whether variables without names, between two ops, are edges only.
    format : str
        "png", "svg", "pdf", "dot" ...
    return_image : bool
        Whether to return the picture as bytes instead.

    Raises
    ------
    ImportError
        Without the package graphviz (``pip install septet[view]``) and its program ``dot``.
    """
    from septet.view.dot import render

    if isinstance(fct, Function):
        graph = fct.maker.fgraph
        outputs, nodes = graph.outputs, graph.toposort()
    elif isinstance(fct, FunctionGraph):
        outputs, nodes = fct.outputs, fct.toposort()
    else:
        outputs = fct.outputs if isinstance(fct, Apply) else list(fct) if isinstance(fct, (list, tuple)) else [fct]
        nodes = io_toposort([], outputs)
    source = _dot(nodes, outputs, compact, with_ids, {**default_colorCodes, **(colorCodes or {})}, max_label_size)
    picture = source.encode() if format == "dot" else render(source, format)
    if return_image:
        return picture
    path = outfile or os.path.join(os.getcwd(), f"theano.pydotprint.{format}")
    if not path.endswith(f".{format}"):
        path += f".{format}"
    with open(path, "wb") as file:
        file.write(picture)
    if print_output_file:
        print("The output file is available at", path)
    return None


def _dot(nodes: Sequence[Apply], outputs: Any, compact: bool, with_ids: bool, colors: Any, longest: int) -> str:
    """Return a graph in the language of graphviz."""
    names: dict[Any, str] = {}
    lines = ["digraph {", "  node [style=filled, fillcolor=white];"]

    def name(thing: Any, label: str, shape: str, color: str) -> str:
        if thing not in names:
            names[thing] = f"n{len(names)}"
            text = label if len(label) <= longest else label[: longest - 3] + "..."
            text = (f"{text} id={len(names) - 1}" if with_ids else text).replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'  {names[thing]} [label="{text}", shape={shape}, fillcolor="{color}"];')
        return names[thing]

    def of_variable(v: Variable) -> str:
        color = (
            "cyan" if isinstance(v, Constant) else "blue" if v in outputs else "green" if v.owner is None else "white"
        )
        return name(v, f"{v if v.owner is None else v.name or ''} {v.type}".strip(), "box", color)

    for node in nodes:
        color = next((own for key, own in colors.items() if key in type(node.op).__name__), "white")
        own = name(node, str(node.op), "ellipse", color)
        for place, given in enumerate(node.inputs):
            is_edge = compact and given.owner is not None and given.name is None and given not in outputs
            start = names[given.owner] if is_edge and given.owner in names else of_variable(given)
            label = f"{place} {given.type}" if len(node.inputs) > 1 else str(given.type)
            lines.append(f'  {start} -> {own} [label="{label}"];')
        for output in node.outputs:
            if not compact or output in outputs or output.name is not None:
                lines.append(f"  {own} -> {of_variable(output)};")
    return "\n".join([*lines, "}"])


# For tests and messages.


def min_informative_str(obj: Any, indent_level: int = 0, _prev_obs: Any = None, _tag_generator: Any = None) -> str:
    """Return what a variable depends on as lines, down to what has a name; the same for equal graphs."""
    seen: dict[int, str] = {} if _prev_obs is None else _prev_obs
    indent = " " * indent_level
    if id(obj) in seen:
        return f"{indent}<{seen[id(obj)]}>"
    seen[id(obj)] = tag = _letters(len(seen))
    name, owner = getattr(obj, "name", None), getattr(obj, "owner", None)
    lines = [f"{indent}{tag}. {name if name is not None else obj if owner is None else owner.op}"]
    if owner is not None and name is None:
        lines += [min_informative_str(given, indent_level + 1, seen) for given in owner.inputs]
    return "\n".join(lines)


def var_descriptor(obj: Any, _prev_obs: Any = None, _tag_generator: Any = None) -> str:
    """Return how a variable is computed as one line that is the same for equal graphs."""
    seen: dict[int, str] = {} if _prev_obs is None else _prev_obs
    if id(obj) in seen:
        return f"<{seen[id(obj)]}>"
    seen[id(obj)] = tag = _letters(len(seen))
    if isinstance(obj, np.ndarray):
        return f"{tag}=<ndarray:{hex_digest(obj)}>"
    owner = getattr(obj, "owner", None)
    if owner is None:
        return f"{tag}={getattr(obj, 'name', None) or obj}"
    return f"{tag}={owner.op}({','.join(var_descriptor(given, seen) for given in owner.inputs)})"


def position_independent_str(obj: Any) -> str:
    """Return a variable as text that does not depend on memory addresses."""
    if not isinstance(obj, Variable):
        raise NotImplementedError("position_independent_str takes variables")
    return f"theano_var{{type={obj.type}}}"


def hex_digest(x: np.ndarray) -> str:
    """Return a short name for the values of an array."""
    strides, shape = (",".join(map(str, own)) for own in (x.strides, x.shape))
    return f"{hashlib.sha256(x.tobytes()).hexdigest()}|strides=[{strides}]|shape=[{shape}]"
