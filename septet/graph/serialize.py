"""Graphs in files: a versioned format without pickle, which runs no code when it is read.

A file is a zip archive of ``graph.json`` and one ``.npy`` file for each larger constant and each variable's value.
``graph.json`` holds the name and the version of the format, and the nodes in order: op by name, inputs by number,
parameters as tagged JSON. A reader refuses a newer version; fields are added, never given another meaning.

Tags: a JSON object with one key, ``{"t": [...]}`` a tuple, ``{"f": "0x1.8p+1"}`` a float (hexadecimal),
``{"c": [re, im]}`` complex, ``{"d": "float32"}`` a dtype, ``{"s": [a, b, c]}`` a slice, ``{"e": 0}`` an ellipsis,
``{"type": [dtype, shape]}`` a tensor type, ``{"g": {...}}`` a sub-graph. Integers, strings, true, false and null are
themselves.
"""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, FileFormatError, GraphError, NotSupportedError, SeptetError
from septet.base.files import open_atomic
from septet.base.text import listing, type_text
from septet.graph.assemble import apart, apply
from septet.graph.context import SYMBOLIC, TRACKED
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node, constant, symbol
from septet.graph.op import get
from septet.graph.types import TensorType, tensor_type
from septet.graph.verify import verify

FORMAT = "septet graph"
VERSION = 1
INLINE = 256  # bytes of a constant that go into the JSON itself
_DATE = (2000, 1, 1, 0, 0, 0)  # the same graph gives the same file

MakeVariable = Callable[[str, np.ndarray, Mapping[str, Any]], Any]


def save_graph(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph to a file, whole or not at all.

    Parameters
    ----------
    graph : Graph
        With its constants, and the present values of its variables.
    path : str or os.PathLike

    Raises
    ------
    NotSupportedError
        If a node calls a Python function, which a file cannot hold.
    """
    content = graph_bytes(graph)
    with open_atomic(path) as file:
        file.write(content)


def graph_bytes(graph: Graph) -> bytes:
    """Return what `save_graph` writes."""
    writer = _Writer()
    record = {"format": FORMAT, "version": VERSION, "graph": writer.graph(graph), "variables": writer.variable_rows()}
    text = json.dumps(record, separators=(",", ":"), allow_nan=False)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("graph.json", _DATE), text, zipfile.ZIP_DEFLATED)
        for name, array in writer.arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, _plain(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name, _DATE), buffer.getvalue(), zipfile.ZIP_STORED)
    return content.getvalue()


def load_graph(
    path: str | os.PathLike[str] | IO[bytes], variables: Mapping[str, Any] | MakeVariable | None = None
) -> Graph:
    """Read a graph from a file.

    Parameters
    ----------
    path : str, os.PathLike or binary file
    variables : dict of str to Variable, or callable, optional
        The variables of the graph by name; or ``make(name, value, fields) -> Variable``, which is called with the value
        that was saved and a dict with ``role`` and ``trainable``. Needed only if the graph has variables.

    Returns
    -------
    Graph

    Raises
    ------
    FileFormatError
        If the file is not one of these, is damaged, or was written by a newer version.
    ArgumentError
        If a variable is missing or has another type.
    """
    if not isinstance(path, str | os.PathLike):
        return _load(path, "the content", variables)
    with open(path, "rb") as file:
        return _load(file, os.fspath(path), variables)


def _load(file: IO[bytes], shown: str, variables: Mapping[str, Any] | MakeVariable | None) -> Graph:
    try:
        with zipfile.ZipFile(file) as archive:
            return _Reader(shown, archive, variables).read()
    except SeptetError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        what = "is not a graph file, or it is damaged or truncated"
        raise FileFormatError(f"{shown} {what}: {error}") from None


def _plain(array: np.ndarray) -> np.ndarray:
    """Return an array in a dtype that .npy files know: bfloat16 as its bits."""
    return array.view(np.uint16) if array.dtype == dtypes.bfloat16 else array


def _typed(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Undo `_plain`."""
    return array.view(dtypes.bfloat16) if dtype == dtypes.bfloat16 and array.dtype == np.uint16 else array


def _type_row(type_: TensorType) -> list[Any]:
    return [type_.dtype.name, list(type_.shape)]


class _Writer:
    """Turns a graph into JSON and arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.places: dict[int, str] = {}
        self.variables: dict[str, Any] = {}
        self.names: dict[int, str] = {}

    def graph(self, graph: Graph) -> dict[str, Any]:
        """Return a graph as JSON."""
        numbers: dict[Node, int] = {node: index for index, node in enumerate(graph.inputs)}
        inputs = [
            {"name": node.params[0], "type": _type_row(node.tensor_type), "tracked": bool(node.flags & TRACKED)}
            for node in graph.inputs
        ]
        rows = []
        for node in graph.nodes:
            if node not in numbers:
                rows.append(self.node(node, numbers))
                numbers[node] = len(numbers)
        return {
            "name": graph.name, "inputs": inputs, "nodes": rows, "outputs": [numbers[node] for node in graph.outputs],
            "updates": [[self.variable(variable), numbers[node]] for variable, node in graph.updates],
            "effects": [numbers[node] for node in graph.effects],
        }  # fmt: skip

    def node(self, node: Node, numbers: Mapping[Node, int]) -> dict[str, Any]:
        """Return a node as JSON."""
        row: dict[str, Any] = {"op": node.op.name}
        if node.op is CONSTANT:
            row |= self.constant(node)
        elif node.op is VARIABLE:
            row["variable"] = self.variable(node.params[0])
        elif node.op is SYMBOL:
            raise GraphError(
                f"the graph depends on the symbol {node.params[0]!r}, which is not among its inputs",
                hint="a file holds graphs that can run: make it an input",
            )
        else:
            row["inputs"] = [numbers[source] for source in node.inputs]
            if node.params:
                row["params"] = {
                    name: self.param(value, node) for name, value in zip(node.op.param_names, node.params, strict=True)
                }
        row["tracked"] = bool(node.flags & TRACKED)
        return row

    def constant(self, node: Node) -> dict[str, Any]:
        """Return a constant: its bytes, or the name of its file."""
        value = node.value
        if not isinstance(value, np.ndarray):
            raise NotSupportedError(f"a constant with several values cannot be saved: {node!r}")
        row: dict[str, Any] = {"type": _type_row(node.tensor_type)}
        if value.nbytes <= INLINE:
            little = value.astype(value.dtype.newbyteorder("<")) if value.dtype != dtypes.bfloat16 else value
            return row | {"bytes": base64.b64encode(little.tobytes()).decode("ascii")}
        name = self.places.get(id(value))
        if name is None:
            name = self.places[id(value)] = f"constants/{len(self.places)}.npy"
            self.arrays[name] = value
        return row | {"file": name}

    def variable(self, variable: Any) -> str:
        """Return a variable's name in this file."""
        known = self.names.get(id(variable))
        if known is not None:
            return known
        base = name = variable.name or "variable"
        count = 1
        while name in self.variables:
            count += 1
            name = f"{base}_{count}"
        self.names[id(variable)] = name
        self.variables[name] = variable
        self.arrays[f"variables/{len(self.variables) - 1}.npy"] = variable.current()
        return name

    def variable_rows(self) -> list[dict[str, Any]]:
        """Return what is known about the variables."""
        return [
            {"name": name, "type": _type_row(own.variable_type), "role": own.role, "trainable": bool(own.trainable),
             "file": f"variables/{index}.npy"}
            for index, (name, own) in enumerate(self.variables.items())
        ]  # fmt: skip

    def param(self, value: Any, node: Node) -> Any:
        """Return a parameter as tagged JSON."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return {"f": value.hex()}
        if kind is complex:
            return {"c": [value.real.hex(), value.imag.hex()]}
        if kind is tuple:
            return {"t": [self.param(part, node) for part in value]}
        if isinstance(value, np.dtype):
            return {"d": value.name}
        if isinstance(value, Graph):
            return {"g": self.graph(value)}
        if isinstance(value, TensorType):
            return {"type": _type_row(value)}
        if kind is slice:
            return {"s": [self.param(part, node) for part in (value.start, value.stop, value.step)]}
        if value is Ellipsis:
            return {"e": 0}
        name = getattr(value, "__qualname__", kind.__name__)
        raise NotSupportedError(
            f"the parameter {name!r} of {node!r} is a Python object, which a file cannot hold",
            hint="a file holds no code: leave out callbacks and functions of the user",
        )


class _Reader:
    """Turns JSON and arrays into a graph."""

    def __init__(self, path: str, archive: zipfile.ZipFile, variables: Any) -> None:
        self.path = path
        self.archive = archive
        self.given = variables
        self.variables: dict[str, Any] = {}

    def wrong(self, what: str) -> FileFormatError:
        """Return the error about a damaged file."""
        return FileFormatError(f"{self.path}: {what}")

    def read(self) -> Graph:
        """Read the file."""
        try:
            record = json.loads(self.archive.read("graph.json"))
        except KeyError:
            raise self.wrong("a zip archive, but without graph.json: not a graph file") from None
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"graph.json is damaged: {error}") from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise self.wrong(f"graph.json is not that of a {FORMAT} file")
        version = record.get("version")
        if type(version) is not int or version < 1:
            raise self.wrong(f"the version of the format is {version!r}")
        if version > VERSION:
            raise self.wrong(f"written in version {version} of the format; this Septet reads up to version {VERSION}")
        try:
            for row in record["variables"]:
                self.variable(row)
            return self.legal(record["graph"])
        except SeptetError:
            raise
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self.wrong(f"graph.json is damaged: {type(error).__name__} {error}") from error

    def legal(self, record: Mapping[str, Any]) -> Graph:
        """Read the graph and verify it."""
        try:
            with apart():
                graph = self.graph(record)
            verify(graph, "closed")
        except FileFormatError:
            raise
        except SeptetError as error:
            raise self.wrong(f"an illegal graph: {error.message}") from error
        return graph

    def variable(self, row: Mapping[str, Any]) -> None:
        """Find or make a variable."""
        name, type_ = row["name"], self.type(row["type"])
        if self.given is None or (isinstance(self.given, Mapping) and name not in self.given):
            given = listing(map(repr, self.given or ())) or "none"
            raise ArgumentError(
                f"{self.path}: the graph has the variable {name!r} ({type_!r}), which was not given; given: {given}",
                hint="load_graph(path, variables={name: variable}), or a function that makes variables",
            )
        if isinstance(self.given, Mapping):
            own = self.given[name]
        else:
            own = self.given(name, self.array(row["file"], type_), {k: row[k] for k in ("role", "trainable")})
        if own.variable_type is not type_:
            raise ArgumentError(f"{self.path}: variable {name!r} is {type_!r}, the one given {own.variable_type!r}")
        self.variables[name] = own

    def type(self, row: Any) -> TensorType:
        """Read a type."""
        name, shape = row
        if name not in dtypes.BY_NAME:
            raise self.wrong(f"there is no dtype {name!r}")
        sizes = tuple(shape)
        if not all(size is None or (type(size) is int and size >= 0) for size in sizes):
            raise self.wrong(f"{shape!r} is not a shape")
        return tensor_type(dtypes.BY_NAME[name], sizes)

    def array(self, name: str, type_: TensorType) -> np.ndarray:
        """Read an array."""
        try:
            data = self.archive.read(name)
            array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except KeyError:
            raise self.wrong(f"the file {name!r} is missing in it") from None
        except (ValueError, EOFError, OSError) as error:
            raise self.wrong(f"the array {name!r} is damaged: {error}") from None
        return self.checked(_typed(array, type_.dtype), type_, name)

    def checked(self, array: np.ndarray, type_: TensorType, name: str) -> np.ndarray:
        """Compare an array with its type."""
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype != type_.dtype or array.shape != type_.shape:
            raise self.wrong(f"{name} holds {type_text(array)}, the graph says {type_!r}")
        array.flags.writeable = False
        return array

    def graph(self, record: Mapping[str, Any]) -> Graph:
        """Read a graph."""
        inputs = []
        for row in record["inputs"]:
            inputs.append(symbol(self.type(row["type"]), row["name"], is_tracked=row["tracked"]))
        nodes: list[Node] = list(inputs)
        for row in record["nodes"]:
            nodes.append(self.node(row, nodes))
        updates = [(self.variables[name], self.place(nodes, index)) for name, index in record["updates"]]
        outputs = [self.place(nodes, index) for index in record["outputs"]]
        effects = [self.place(nodes, index) for index in record["effects"]]
        return Graph(inputs, outputs, updates, effects, record["name"])

    def place(self, nodes: list[Node], index: Any) -> Node:
        """Return a node by number."""
        if type(index) is not int or not 0 <= index < len(nodes):
            raise self.wrong(f"node {index!r} is used before it is made; there are {len(nodes)}")
        return nodes[index]

    def node(self, row: Mapping[str, Any], nodes: list[Node]) -> Node:
        """Read a node."""
        name = row["op"]
        if name == CONSTANT.name:
            type_ = self.type(row["type"])
            if "file" in row:
                node = constant(self.array(row["file"], type_))
            else:
                data = base64.b64decode(row["bytes"], validate=True)
                little = type_.dtype if type_.dtype == dtypes.bfloat16 else type_.dtype.newbyteorder("<")
                array = np.frombuffer(data, little).reshape(type_.shape).copy()  # type: ignore[arg-type]
                node = constant(self.checked(array, type_, "a constant"))
        elif name == VARIABLE.name:
            node = self.variables[row["variable"]].new_leaf((), None, SYMBOLIC)
        else:
            op = get(name)
            given = row.get("params", {})
            unknown = set(given) - set(op.param_names)
            if unknown:
                raise self.wrong(f"{name} has no parameter {listing(map(repr, sorted(unknown)))}")
            params = op.bind({key: self.param(value) for key, value in given.items()})
            node = apply(op, tuple([self.place(nodes, index) for index in row["inputs"]]), params)
        node.flags = node.flags & ~TRACKED | (TRACKED if row["tracked"] else 0)
        return node

    def param(self, value: Any) -> Any:
        """Read a parameter."""
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise self.wrong(f"{value!r} is not a parameter")
        ((tag, own),) = value.items()
        if tag == "f":
            return float.fromhex(own)
        if tag == "c":
            return complex(float.fromhex(own[0]), float.fromhex(own[1]))
        if tag == "t":
            return tuple([self.param(part) for part in own])
        if tag == "d" and own in dtypes.BY_NAME:
            return dtypes.BY_NAME[own]
        if tag == "g":
            return self.graph(own)
        if tag == "type":
            return self.type(own)
        if tag == "s":
            return slice(*[self.param(part) for part in own])
        if tag == "e":
            return Ellipsis
        raise self.wrong(f"the tag {tag!r} is not known")
