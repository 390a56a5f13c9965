"""Graphs in files."""

from __future__ import annotations

import json
import math
import os
import zipfile
from io import BytesIO

import numpy as np
import pytest

import septet.ops  # noqa: F401  (registration)
from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.errors import ArgumentError, FileFormatError, GraphError, NotSupportedError
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import all_ops, items, ops
from septet.graph.printing import print_graph
from septet.graph.serialize import VERSION, graph_bytes, load_graph, save_graph
from septet.graph.types import tensor_type
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable
from tests.optimize.random_graphs import random_graph

F = dtypes.float64


def sym(*shape, name="x", dtype=F):
    return symbol(tensor_type(dtype, shape), name)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_come_back(tmp_path, seed):
    graph, arrays = random_graph(seed)
    save_graph(graph, tmp_path / "g")
    found = load_graph(tmp_path / "g")
    assert print_graph(found) == print_graph(graph) and found == graph == load_graph(BytesIO(graph_bytes(graph)))
    for a, b in zip(ReferenceProgram(found)(arrays), ReferenceProgram(graph)(arrays), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.name)
def test_every_card_comes_back(tmp_path, op):
    if op.has_effect:
        pytest.skip("an effect is recorded in a trace")
    for case in op.cases:
        node = op(*case.arrays(op), **case.params)
        if not node.inputs:
            continue
        graph = Graph([], list(items(node)) if isinstance(node.type, tuple) else [node])
        if "opaque(" in print_graph(graph):
            with pytest.raises(NotSupportedError, match="Python object"):
                save_graph(graph, tmp_path / "g")
            assert not (tmp_path / "g").exists()
        else:
            save_graph(graph, tmp_path / "g")
            assert print_graph(load_graph(tmp_path / "g")) == print_graph(graph)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda d: d.name)
@pytest.mark.parametrize("size", [1, 0, 3, 1000])
def test_constants_of_every_dtype_come_back_bit_by_bit(tmp_path, dtype, size):
    array = np.random.default_rng(0).integers(0, 2, (size, 1)).astype(dtype)
    if size == 3 and dtypes.is_float(dtype):
        array = np.array([[math.nan], [-0.0], [math.inf]]).astype(dtype)
    save_graph(Graph([], [constant(array)]), tmp_path / "g")
    found = load_graph(tmp_path / "g").outputs[0].value
    assert found.dtype == dtype and found.shape == array.shape and found.tobytes() == array.tobytes()
    assert not found.flags.writeable


def test_floats_among_parameters_come_back(tmp_path):
    for value in (math.inf, -math.inf, -0.0, 1 / 3):
        node = ops.pad(sym(3), widths=((1, 1),), value=value)
        save_graph(Graph([node.inputs[0]], [node]), tmp_path / "g")
        found = load_graph(tmp_path / "g").outputs[0].param("value")
        assert found == node.param("value") and math.copysign(1, found) == math.copysign(1, node.param("value"))


def with_variable():
    w = Variable(np.arange(3.0), "w", dtype="float64", role="weight")
    x = sym(3)
    with Trace():
        node = x * w.node
    return w, Graph([x], [node], [(w, node)], name="step")


def test_variables_are_given_or_made(tmp_path):
    w, graph = with_variable()
    save_graph(graph, tmp_path / "g")
    assert load_graph(tmp_path / "g", {"w": w}) == graph

    def make(name, value, fields):
        return Variable(value, name, **fields)

    found = load_graph(tmp_path / "g", make)
    ((new, _),) = found.updates
    assert new is not w and new.role == "weight" and new.name == "w"
    np.testing.assert_array_equal(new.current(), [0, 1, 2])
    with pytest.raises(ArgumentError, match=r"the variable 'w'.*given: none"):
        load_graph(tmp_path / "g")
    with pytest.raises(ArgumentError, match="given: 'v'"):
        load_graph(tmp_path / "g", {"v": w})
    with pytest.raises(ArgumentError, match="variable 'w' is"):
        load_graph(tmp_path / "g", {"w": Variable(np.zeros(4), "w")})


def test_control_flow_and_effects_come_back(tmp_path):
    x, c = sym(3), sym(name="c")
    body = Graph([x, c], [ops.multiply(x, c)], name="body")
    a, b = sym(3, name="a"), sym(name="b")
    with Trace() as trace:
        node = ops.print_value(items(ops.call(a, b, graph=body))[0])
    graph = trace.graph([a, b], [node])
    save_graph(graph, tmp_path / "g")
    assert load_graph(tmp_path / "g") == graph


def test_the_same_graph_gives_the_same_file(tmp_path):
    _, graph = with_variable()
    save_graph(graph, tmp_path / "a")
    save_graph(graph, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "g"
    path.write_bytes(b"old")
    x = sym(3)
    node = ops.callback(x, function=np.sin, results=(tensor_type(F, (3,)),), pullback=None, vectorized=False)
    with pytest.raises(NotSupportedError, match="Python object"):
        save_graph(Graph([x], [items(node)[0] if isinstance(node.type, tuple) else node]), path)
    with pytest.raises(GraphError, match="the symbol 'x'"):
        save_graph(Graph([], [ops.exp(x)]), path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["g"]


def rewritten(tmp_path, change):
    """Save a graph, change its JSON, and return the path of the changed file."""
    x = sym(3)
    save_graph(
        Graph([x], [ops.sum(ops.multiply(ops.exp(x), constant(np.arange(300.0).reshape(100, 3))), axis=0)]),
        tmp_path / "g",
    )
    with zipfile.ZipFile(tmp_path / "g") as archive:
        record = json.loads(archive.read("graph.json"))
        members = {name: archive.read(name) for name in archive.namelist() if name != "graph.json"}
    change(record, members)
    with zipfile.ZipFile(tmp_path / "changed", "w") as archive:
        archive.writestr("graph.json", json.dumps(record))
        for name, data in members.items():
            archive.writestr(name, data)
    return tmp_path / "changed"


def _set(*path):
    *keys, last, value = path

    def change(record, members):
        for key in keys:
            record = record[key]
        record[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("version", VERSION + 1), f"written in version {VERSION + 1} of the format; this Septet reads up to"),
        (_set("version", "one"), "the version of the format is 'one'"),
        (_set("format", "another"), "is not that of a septet graph file"),
        (_set("graph", "outputs", [99]), "node 99 is used before it is made"),
        (_set("graph", "outputs", [-1]), "node -1 is used before it is made"),
        (_set("graph", "nodes", 0, "op", "expo"), "there is no op 'expo'"),
        (_set("graph", "nodes", 0, "inputs", [0, 0]), "illegal graph"),
        (_set("graph", "nodes", 0, {}), "damaged"),
        (_set("graph", "inputs", 0, "type", ["float63", [3]]), "there is no dtype 'float63'"),
        (_set("graph", "inputs", 0, "type", ["float64", [-3]]), "is not a shape"),
        (_set("graph", {}), "damaged"),
        (lambda record, members: members.clear(), "is missing in it"),
        (lambda record, members: members.update({"constants/0.npy": b"\x93NUMPY"}), "is damaged"),
    ],
    ids=range(13),
)  # fmt: skip
def test_damaged_files(tmp_path, change, message):
    path = rewritten(tmp_path, change)
    with pytest.raises(FileFormatError, match=message) as caught:
        load_graph(path)
    assert str(path) in str(caught.value)


def test_truncated_and_foreign_files(tmp_path):
    _, graph = with_variable()
    save_graph(graph, tmp_path / "g")
    data = (tmp_path / "g").read_bytes()
    for size in (0, 1, 10, len(data) // 2, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(FileFormatError, match="cut"):
            load_graph(tmp_path / "cut", lambda name, value, fields: Variable(value, name, **fields))
    with zipfile.ZipFile(tmp_path / "other", "w") as archive:
        archive.writestr("readme", "x")
    with pytest.raises(FileFormatError, match=r"without graph\.json"):
        load_graph(tmp_path / "other")


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path):
    _, graph = with_variable()
    save_graph(graph, tmp_path / "g")
    data = bytearray((tmp_path / "g").read_bytes())
    for position in range(0, len(data), 7):
        data[position] ^= 0x55
        (tmp_path / "bad").write_bytes(data)
        data[position] ^= 0x55
        try:
            found = load_graph(tmp_path / "bad", lambda name, value, fields: Variable(value, name, **fields))
        except FileFormatError:
            continue
        assert print_graph(found) == print_graph(graph)


def test_no_pickle_is_read(tmp_path):
    def change(record, members):
        import io

        buffer = io.BytesIO()
        np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
        members["constants/0.npy"] = buffer.getvalue()

    with pytest.raises(FileFormatError, match="is damaged"):
        load_graph(rewritten(tmp_path, change))


def test_a_missing_file_is_python_s_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_graph(tmp_path / "nothing")
