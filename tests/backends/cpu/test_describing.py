"""Plans in words: forms of kernels, library calls, what runs in Python and why, memory."""

from __future__ import annotations

import numpy as np

import septet as st
from septet.backends.base_work import ARGUMENT, NEW, OUTPUT, SCRATCH, STATE, VALUE
from septet.backends.cpu.program import CpuProgram
from septet.graph.graph import Graph
from septet.run.programs import REFERENCE


def described(inputs, outputs, updates=(), shapes=None):
    graph = Graph([x.node for x in inputs], [y.node for y in outputs], [(v, new.node) for v, new in updates])
    shapes = [x.type.shape for x in inputs] if shapes is None else shapes
    arrays = [np.zeros(shape, x.dtype) for x, shape in zip(inputs, shapes, strict=True)]
    return CpuProgram(graph, REFERENCE).describe(arrays)


def forms(description):
    return {work.name: work.form for work in description.works}


def test_forms_of_kernels():
    x = st.symbol("x", (256, 512))
    i = st.symbol("i", (5,), "int64")
    found = described([x, i], [st.tanh(x), st.softmax(x, axis=1), x.T + 0, st.take(x, i, axis=1)])
    words = " / ".join(work.form for work in found.works)
    assert "rows of 512" in words and "from places by index" in words


def test_totals_row_by_row_and_pieces():
    x = st.symbol("x", (4096, 64))
    first, second = described([x], [st.exp(x).sum(axis=0)]).works
    assert "totals row by row" in first.form and "pieces" in first.form
    assert first.domain == (4096, 64) and first.name == "exp+sum" and second.name == "sum"
    assert second.nodes == first.nodes[1:]
    (one,) = described([x], [st.exp(x) * 2]).works
    assert one.form.startswith("elementwise")


def test_libraries():
    a = st.symbol("a", (300, 400))
    images, kernel = st.symbol("images", (8, 16, 12, 12)), st.symbol("kernel", (16, 16, 3, 3))
    words = forms(described([a], [a.T @ a]))
    assert words["dot_general"].startswith("OpenBLAS")
    found = described([images, kernel], [st.conv(images, kernel)])
    assert any(work.kind == "kernel" and "own tiles" in work.form for work in found.works)
    assert all(work.nodes for work in found.works)


def test_python_and_its_reason():
    x, z = st.symbol("x", (6, 6)), st.symbol("z", (6,), "complex64")
    empty = st.symbol("empty", (0, 3))
    found = described([x, z, empty], [st.linalg.inv(x), st.exp(z), st.exp(empty)])
    reasons = {work.name: work.reason for work in found.works if work.kind == "python"}
    assert reasons["inv"] == "it has no native form yet"
    assert "complex" in reasons["exp"] or "complex" in found.works[1].reason
    assert "nothing to compute: a size is 0" in [work.reason for work in found.works]
    assert found.backend == "cpu"


def test_attention_in_blocks():
    query, key, value = (st.symbol(name, (2, 3, 128, 8)) for name in "qkv")
    found = described([query, key, value], [st.softmax(query @ key.transpose((0, 1, 3, 2))) @ value])
    assert found.changes[-1].fired == {"in_blocks": 1}
    work = next(work for work in found.works if work.name == "in_blocks")
    assert "blocks of rows" in work.form and [inner.name for inner in work.inside][::2] == ["dot_general"] * 2


def test_sizes_that_depend_on_values():
    x = st.symbol("x", (6,))
    found = described([x], [st.exp(x[x > 0])])
    assert found.backend == "reference"
    assert {work.reason for work in found.works} == {"sizes in this graph depend on values"}


def test_changes_for_sizes():
    x = st.symbol("x", (None, 4))
    found = described([x], [x @ st.ones((4,))], shapes=[(7, 4)])
    names = [change.name for change in found.changes]
    assert names[0] == "sizes" and names[-2:] == ["products", "blocks"]
    assert found.changes[-2].fired == {"spread_product": 1} and found.changes[-1].fired == {}
    assert found.made is not None and found.made.shapes == ((7, 4),) and found.made.seconds > 0


def test_memory():
    x = st.symbol("x", (40, 70))
    w = st.Variable(np.zeros((70, 70), np.float32), "w")
    counter = st.Variable(np.zeros((), np.int64), "counter")
    own = st.Tensor(w.new_leaf((), None, 2))
    product = x @ own
    hidden = st.tanh(product)
    update = own * 0.9
    found = described(
        [x], [(hidden @ hidden.T).sum()], [(w, update), (counter, st.Tensor(x.sum().node).astype("int64"))]
    )
    by_kind = {}
    for piece in found.pieces:
        by_kind.setdefault(piece.kind, []).append(piece)
    assert [(p.name, p.size) for p in by_kind[ARGUMENT]] == [("x", 4 * 40 * 70)]
    assert [(p.name, p.size) for p in by_kind[STATE]] == [("w", 4 * 70 * 70)]
    assert {p.name: p.size for p in by_kind[NEW]} == {"w": 0, "counter": 8}  # w is overwritten
    assert [p.size for p in by_kind[OUTPUT]] == [4]
    sizes = sorted(p.size for p in by_kind[VALUE])
    assert sizes[-1] == 4 * 40 * 70 and all(p.node is not None for p in by_kind[VALUE])
    assert found.arena <= sum(p.size + 64 for p in (*by_kind[VALUE], *by_kind.get(SCRATCH, ())))
    assert all(0 <= p.first <= p.last < len(found.works) for p in found.pieces)


def test_memory_of_the_reference():
    x = st.symbol("x", (40, 70))
    w = st.Variable(np.zeros((40, 70), np.float32), "w")
    own = st.Tensor(w.new_leaf((), None, 2))
    graph = Graph([x.node], [st.tanh(st.exp(x).T).sum().node], [(w, (own + 1).node)])
    found = REFERENCE.compile(graph).describe([np.zeros((40, 70), np.float32)])
    sizes = {(p.kind, p.name): p.size for p in found.pieces}
    one = 4 * 40 * 70
    assert sizes[ARGUMENT, "x"] == sizes[STATE, "w"] == sizes[NEW, "w"] == one
    assert (VALUE, "transpose") not in sizes
    assert found.arena == 2 * one  # exp, of which the transpose is a view, and tanh
    times = []
    REFERENCE.compile(graph).observe([np.ones((40, 70), np.float32)], lambda *event: times.append(event))
    assert [number for number, *_ in times] == list(range(len(found.works)))
