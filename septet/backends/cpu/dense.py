"""Products of matrices in one step: each task puts what it needs of both operands into panels of its own.

`direct` puts a whole matrix into panels first, for all tasks. Here a task of some rows and columns of the result takes a
piece of the summed dimension after the other: it puts the piece of the second matrix into panels, and that of the first
one into strips of as many rows as a tile has, if its rows are no neighbours in memory. Both stay in the second cache.
So transposed operands cost no copy through memory, and a batch of small matrices is one step.

The work is cut by the sizes alone, and the sums are never cut among tasks: results do not depend on the number of threads.
"""

from __future__ import annotations

import math

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Value
from septet.backends.cpu.direct_panels import clear_bytes, transpose
from septet.backends.cpu.direct_tiles import Machine, dispatch, evenly, multiply, write_tile
from septet.backends.cpu.writing import Block, Int, Loop, Writer, module_text, size_of

FIELDS = (
    "a", "b", "c", "memory", "own", "m", "n", "k", "a_row", "a_column", "b_row", "b_column", "c_row", "rows", "columns",
    "depth", "n_m", "n_n", "inner", "a_outer", "a_inner", "b_outer", "b_inner", "c_outer", "c_inner", "base", "base_row",
    "base_outer", "base_inner", "pitch",
)  # fmt: skip
"""The arguments, in order: addresses; memory of the threads, and bytes of one; sizes; elements from row to row and column
to column of the operands, one of each being 1, and from row to row of the result; rows and columns of a task, and how much
of the summed dimension it takes at a time; how many tasks there are along rows and columns; size of the inner batch;
elements from one matrix to the next along the outer and the inner batch; what the product is added to, or 0, how far its rows
lie from each other, and its matrices; where the second matrix is in panels already, the elements from panel to panel, else
0."""

PACK_FIELDS = ("b", "row", "column", "length", "n", "panels", "pitch", "size", "places")
"""The arguments of the kernel that puts matrices into panels: address, elements from row to row and column to column,
sizes; address of the panels, elements from panel to panel and from matrix to matrix; for each matrix the bytes from the
address of the first one."""


LINE = 64  # bytes that the cache fetches at a time
AHEAD = 8
"""Rows that are fetched before they are needed: rows are too far from each other for the processor to do so by itself."""


def panel_pitch(machine: Machine, depth: int | Int) -> int | Int:
    """Return the elements from panel to panel: one row more than needed, so that panels do not meet in the cache."""
    return (depth + 1) * machine.panel


def strip_width(machine: Machine) -> int:
    """Return the rows of a strip: whole vectors and whole tiles."""
    return math.lcm(machine.lanes, machine.rows)


def memory_of_task(machine: Machine, rows: int, columns: int, depth: int) -> tuple[int, ...]:
    """Return how many elements the panels, the strips and a narrow panel's result take."""
    panels = -(-columns // machine.panel) * panel_pitch(machine, depth)
    strips = -(-rows // strip_width(machine)) * strip_width(machine) * depth
    return panels, strips, rows * machine.panel  # type: ignore[return-value]


def fetch(w: Writer, place: Value, *, will_write: bool = False) -> None:
    """Ask for a line of the cache."""
    w.b.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    w.b.line(f"call void @llvm.prefetch.p0(ptr {place.name}, i32 {int(will_write)}, i32 3, i32 1)")


def _tiles(machine: Machine, rows: int) -> Writer:
    """Write ``tiles<rows>(a, row, step, advance, count, length, panel, c, pitch, adds, base, base_pitch)``: tiles one below
    the other.

    c[m * pitch + lane] = sum over j of a[m * row + j * step] * panel[j, lane], where each next tile's a is `advance`
    further; where `adds` is not 0, added to base[m * base_pitch + lane]. `count` and `length` are at least 1.
    """
    names = ("a", "ptr"), ("row", "i64"), ("step", "i64"), ("advance", "i64"), ("count", "i64"), ("length", "i64")
    names = *names, ("panel", "ptr"), ("c", "ptr"), ("pitch", "i64"), ("adds", "i64")
    w = Writer(f"tiles{rows}", [*names, ("base", "ptr"), ("base_pitch", "i64")], is_internal=True)
    b, kind = w.b, machine.kind
    row, pitch, step, base_pitch = (w.parameter(name) for name in ("row", "pitch", "step", "base_pitch"))
    outer = Loop(w, w.parameter("count"), [w.pointer("a"), w.pointer("c"), w.pointer("base")])
    a, c, base = outer.values
    starts = [w.at(a, row * m, kind) for m in range(rows)]
    targets = [w.at(c, pitch * m, kind) for m in range(rows)]
    for target in targets:
        for end in (0, machine.panel - 1):
            fetch(w, w.at(target, end, kind), will_write=True)
    zero = b.number(0, kind, machine.lanes)
    first = [w.number(0).value, w.pointer("panel"), *[zero] * (machine.vectors * rows)]
    inner = Loop(w, w.parameter("length"), first)
    at, panel, sums = Int(w, inner.values[0]), inner.values[1], inner.values[2:]
    sums = multiply(machine, b, panel, [w.at(start, at, kind) for start in starts], sums)
    inner.close([(at + step).value, w.at(panel, machine.panel, kind), *sums])
    bases = [w.at(base, base_pitch * m, kind) for m in range(rows)]
    write_tile(w, machine, inner.values[2:], targets, w.parameter("adds"), bases)
    following = w.at(c, pitch * rows, kind), w.at(base, base_pitch * rows, kind)
    outer.close([w.at(a, w.parameter("advance"), kind), *following])
    return w


def _strips(machine: Machine) -> Writer:
    """Write ``strips(a, column, m, length, target, pitch)``: a matrix whose rows are not neighbours, strip by strip."""
    names = ("a", "ptr"), ("column", "i64"), ("m", "i64"), ("length", "i64"), ("target", "ptr"), ("pitch", "i64")
    w = Writer("strips", names, is_internal=True)
    b, kind, width = w.b, machine.kind, strip_width(machine)
    m, pitch, target = w.parameter("m"), w.parameter("pitch"), w.pointer("target")
    whole = m // width
    rest = m - whole * width
    with w.range(0, w.parameter("length")) as j:
        column = w.at(w.pointer("a"), j * w.parameter("column"), kind)
        ahead = w.at(column, w.parameter("column") * AHEAD, kind)
        own = w.at(target, j * width, kind)
        with w.range(0, whole) as s:
            source, to = w.at(column, s * width, kind), w.at(own, s * pitch, kind)
            for start in range(0, width, LINE // size_of(kind)):
                fetch(w, w.at(ahead, s * width + start, kind))
            for start in range(0, width, machine.lanes):
                b.store(b.load(w.at(source, start, kind), kind, machine.lanes), w.at(to, start, kind))
        source, to = w.at(column, whole * width, kind), w.at(own, whole * pitch, kind)
        with w.range(0, rest) as row:
            b.store(b.load(w.at(source, row, kind), kind), w.at(to, row, kind))
    return w


def _panels(machine: Machine) -> Writer:
    """Write ``panels(b, row, column, length, n, target, pitch)``: some columns of a matrix, panel by panel."""
    names = ("b", "ptr"), ("row", "i64"), ("column", "i64"), ("length", "i64"), ("n", "i64"), ("target", "ptr")
    w = Writer("panels", [*names, ("pitch", "i64")], is_internal=True)
    b, kind, lanes = w.b, machine.kind, machine.lanes
    row, column, length, n = (w.parameter(name) for name in ("row", "column", "length", "n"))
    source, target, pitch = w.pointer("b"), w.pointer("target"), w.parameter("pitch")
    whole = n // machine.panel
    is_flat = column.compare("eq", 1)
    with w.when(is_flat), w.range(0, length) as j:
        own, to = w.at(source, j * row, kind), w.at(target, j * machine.panel, kind)
        with w.range(0, whole) as p:
            at, there = w.at(own, p * machine.panel, kind), w.at(to, p * pitch, kind)
            fetch(w, w.at(at, row * AHEAD, kind))
            for half in range(0, machine.panel, lanes):
                b.store(b.load(w.at(at, half, kind), kind, lanes), w.at(there, half, kind))
    with w.otherwise(is_flat), w.range(0, whole) as p:
        own, to = w.at(source, p * machine.panel * column, kind), w.at(target, p * pitch, kind)
        even = length - length % lanes
        with w.range(0, even, lanes) as j:
            for half in range(0, machine.panel, lanes):
                places = [w.at(own, (w.number(half + lane)) * column + j * row, kind) for lane in range(lanes)]
                turned = transpose(b, [b.load(place, kind, lanes) for place in places])
                for i, vector in enumerate(turned):
                    b.store(vector, w.at(to, (j + i) * machine.panel + half, kind))
        with w.range(even, length) as j, w.range(0, machine.panel) as lane:
            b.store(b.load(w.at(own, lane * column + j * row, kind), kind), w.at(to, j * machine.panel + lane, kind))
    first = whole * machine.panel
    width = n - first
    with w.when(width.compare("ne", 0)):
        own, to = w.at(source, first * column, kind), w.at(target, whole * pitch, kind)
        clear_bytes(w, to, length * (machine.panel * size_of(kind)))
        with w.range(0, length) as j, w.range(0, width) as lane:
            b.store(b.load(w.at(own, lane * column + j * row, kind), kind), w.at(to, j * machine.panel + lane, kind))
    return w


def _piece(machine: Machine) -> Writer:
    """Write ``piece(f, a, packed, strips, panels, c, spare, m, n, length, adds, base, base_row, panel_pitch)``: a piece of the
    sums of a task."""
    names = ("f", "ptr"), ("a", "ptr"), ("packed", "i64"), ("strips", "ptr"), ("panels", "ptr"), ("c", "ptr")
    sizes = ("m", "i64"), ("n", "i64"), ("length", "i64"), ("adds", "i64"), ("base", "ptr"), ("base_row", "i64")
    sizes = *sizes, ("panel_pitch", "i64")
    w = Writer("piece", [*names, ("spare", "ptr"), *sizes], is_internal=True)
    b, kind = w.b, machine.kind
    f = Block(w, w.pointer("f"), FIELDS)
    m, n, length, adds, base_row = (w.parameter(name) for name in ("m", "n", "length", "adds", "base_row"))
    depth, a_row, c_row = f.depth, f.a_row, f.c_row
    packed = w.parameter("packed").compare("ne", 0)
    strip = strip_width(machine)
    pitch, spare = depth * strip, w.pointer("spare")
    with w.range(0, n, machine.panel) as column:
        panel = w.at(w.pointer("panels"), column // machine.panel * w.parameter("panel_pitch"), kind)
        width = n - column
        is_whole = width.compare("sge", machine.panel)
        own, base = w.at(w.pointer("c"), column, kind), w.at(w.pointer("base"), column, kind)
        target = b.select(is_whole, own, spare)
        target_pitch = Int(w, b.select(is_whole, c_row.value, w.number(machine.panel).value))
        own_adds = Int(w, b.select(is_whole, adds.value, w.number(0).value))
        last = length, panel

        def sweep(total: Int, a: Value, row: Int, step: Int, first: Int) -> None:
            """Write tiles of nearly equal heights."""
            parts, least, more = evenly(total, machine.rows)
            for count, height, begin in ((more, least + 1, w.number(0)), (parts - more, least, more * (least + 1))):
                with w.when(count.compare("ne", 0)):
                    to = w.at(target, (first + begin) * target_pitch, kind)
                    args = w.at(a, begin * row, kind), row, step, height * row, count, *last, to, target_pitch, own_adds
                    args = *args, w.at(base, (first + begin) * base_row, kind), base_row
                    dispatch(w, "tiles", height, machine.rows, *args)

        with w.when(packed):
            whole = m // strip
            with w.range(0, whole) as s:
                a, to = w.at(w.pointer("strips"), s * pitch, kind), w.at(target, s * strip * target_pitch, kind)
                one, height, count = w.number(1), w.number(machine.rows), w.number(strip // machine.rows)
                args = a, one, w.number(strip), height, count, *last, to, target_pitch, own_adds
                args = *args, w.at(base, s * strip * base_row, kind), base_row
                w.call(f"tiles{machine.rows}", *args)
            rest = m - whole * strip
            with w.when(rest.compare("ne", 0)):
                a = w.at(w.pointer("strips"), whole * pitch, kind)
                sweep(rest, a, w.number(1), w.number(strip), whole * strip)
        with w.otherwise(packed):
            sweep(m, w.pointer("a"), a_row, w.number(1), w.number(0))
        with w.otherwise(is_whole):
            is_more = adds.compare("ne", 0)
            with w.range(0, m) as i, w.range(0, width) as lane:
                value = b.load(w.at(spare, i * machine.panel + lane, kind), kind)
                place = w.at(own, i * c_row + lane, kind)
                with w.when(is_more):
                    held = b.load(w.at(base, i * base_row + lane, kind), kind)
                    b.store(b.binary("fadd", held, value), place)
                with w.otherwise(is_more):
                    b.store(value, place)
    return w


def _task(machine: Machine) -> Writer:
    """Write the kernel. Args: `FIELDS`."""
    w = Writer("dense", [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")])
    b, kind, size = w.b, machine.kind, size_of(machine.kind)
    f = Block(w, w.pointer("args"), FIELDS)
    memory = w.to_pointer(f.memory + w.parameter("number") * f.own)
    rows, columns, depth, k, inner = f.rows, f.columns, f.depth, f.k, f.inner
    a_row, a_column, b_row, b_column = f.a_row, f.a_column, f.b_row, f.b_column
    is_ready = f.pitch.compare("ne", 0)
    own_pitch = w.number(panel_pitch(machine, depth))
    pitch = Int(w, b.select(is_ready, f.pitch.value, own_pitch.value))
    n_panels = (columns + (machine.panel - 1)) // machine.panel
    strips = b.select(is_ready, memory, w.at(memory, n_panels * own_pitch, kind))
    strip = strip_width(machine)
    spare = w.at(strips, (rows + (strip - 1)) // strip * (depth * strip), kind)
    is_packed = a_column.compare("ne", 1)
    packed = Int(w, b.convert("zext", is_packed, "i64"))
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        column, rest = task % f.n_n, task // f.n_n
        block, matrix = rest % f.n_m, rest // f.n_m
        i, o = matrix % inner, matrix // inner
        top, left = block * rows, column * columns
        m, n = (f.m - top).min(rows), (f.n - left).min(columns)
        own_a = w.to_pointer(f.a + (o * f.a_outer + i * f.a_inner + top * a_row) * size)
        own_b = w.to_pointer(f.b + (o * f.b_outer + i * f.b_inner + left * b_column) * size)
        own_c = w.to_pointer(f.c + (o * f.c_outer + i * f.c_inner + top * f.c_row + left) * size)
        first_base = w.to_pointer(f.base + (o * f.base_outer + i * f.base_inner + top * f.base_row + left) * size)
        has_base = f.base.compare("ne", 0)
        with w.range(0, k, depth) as j:
            length = (k - j).min(depth)
            there = w.at(own_a, j * a_column, kind)
            ready = w.at(
                w.to_pointer(f.b + (o * f.b_outer + i * f.b_inner) * size), left // machine.panel * pitch, kind
            )
            panels = b.select(is_ready, w.at(ready, j * machine.panel, kind), memory)
            with w.otherwise(is_ready):
                w.call("panels", w.at(own_b, j * b_row, kind), b_row, b_column, length, n, memory, own_pitch)
            with w.when(is_packed):
                w.call("strips", there, a_column, m, length, strips, depth * strip)
            is_later = j.compare("ne", 0)
            adds = Int(w, b.convert("zext", b.binary("or", is_later, has_base), "i64"))
            base = b.select(is_later, own_c, first_base)
            base_row = Int(w, b.select(is_later, f.c_row.value, f.base_row.value))
            args = w.pointer("args"), there, packed, strips, panels, own_c, spare, m, n, length, adds
            w.call("piece", *args, base, base_row, pitch)
    return w


def _pack(machine: Machine) -> Writer:
    """Write the kernel that puts matrices into panels. Args: `PACK_FIELDS`."""
    w = Writer("dense_pack", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    f = Block(w, w.pointer("args"), PACK_FIELDS)
    places = w.to_pointer(f.places)
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        source = w.to_pointer(f.b + w.load(places, task))
        target = w.to_pointer(f.panels + task * f.size * size_of(machine.kind))
        w.call("panels", source, f.row, f.column, f.length, f.n, target, f.pitch)
    return w


def module(name: str) -> jit.Module:
    """Return the module of a kernel, by its `kernel_name`."""
    task, kind, lanes, rows, vectors = name.split("-")
    machine = Machine(kind, int(lanes), int(rows), int(vectors))
    if task == "dense_pack":
        return jit.Module(task, module_text([_panels(machine), _pack(machine)]))
    tiles = [_tiles(machine, height + 1) for height in range(machine.rows)]
    rest = [write(machine) for write in (_strips, _panels, _piece, _task)]
    return jit.Module("dense", module_text([*tiles, *rest]))


def kernel_name(machine: Machine, task: str = "dense") -> str:
    """Return the name of a kernel, for `module`: dense, or dense_pack."""
    return "-".join(map(str, (task, machine.kind, machine.lanes, machine.rows, machine.vectors)))
