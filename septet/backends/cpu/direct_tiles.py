"""The innermost loops of direct convolution: tiles of results that stay in registers.

Both kinds of tiles multiply elements that are repeated in all lanes with vectors of neighbouring output channels:

- `product_tile`: some windows of y times a panel of output channels. It walks over the elements of the windows, which lie
  in runs (a row of the window with all its channels), and over a panel of the kernel.
- `kernel_tile`: some elements of the window times a panel of output channels. It walks over the windows of many images.

A panel is one or two vectors wide. Panels of the kernel and of its gradient lie one after the other, padded with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from septet.backends.cpu import llvm
from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.writing import Int, Loop, Writer


class Machine(NamedTuple):
    """What tiles are cut for.

    Attributes
    ----------
    kind : str
        float or double.
    lanes : int
        Elements of a vector.
    rows : int
        Rows of the largest tile. It takes (rows + 1) * vectors + 1 vector registers.
    vectors : int
        Vectors side by side in a panel.
    """

    kind: str
    lanes: int
    rows: int
    vectors: int

    @property
    def panel(self) -> int:
        """Output channels of a panel."""
        return self.vectors * self.lanes

    @property
    def item(self) -> int:
        """Bytes of an element."""
        return 4 if self.kind == "float" else 8


def product_tile(machine: Machine, rows: int) -> Writer:
    """Write ``product<rows>(x, places, runs, n, length, panel, y, targets, adds, base, step)``.

    y[targets[m] + lane] = sum over runs r and elements j of x[places[m] + runs[r] + j] * panel[r, j, lane]; where `adds`
    is not 0, added to base[targets[m] * step + lane]. `n` and `length` are at least 1.
    """
    names = ("x", "ptr"), ("places", "ptr"), ("runs", "ptr"), ("n", "i64"), ("length", "i64"), ("panel", "ptr")
    names = *names, ("y", "ptr"), ("targets", "ptr"), ("adds", "i64"), ("base", "ptr"), ("step", "i64")
    w = Writer(f"product{rows}", names, is_internal=True)
    b, kind = w.b, machine.kind
    x, places, runs, length = w.pointer("x"), w.pointer("places"), w.pointer("runs"), w.parameter("length")
    starts = [w.at(x, w.load(places, m), kind) for m in range(rows)]
    zero = b.number(0, kind, machine.lanes)
    outer = Loop(w, w.parameter("n"), [w.pointer("panel"), *[zero] * (machine.vectors * rows)])
    panel, sums = outer.values[0], outer.values[1:]
    run = w.load(runs, outer.index)
    inner = Loop(w, length, [panel, *sums])
    panel, sums = inner.values[0], inner.values[1:]
    at = run + inner.index
    sums = multiply(machine, b, panel, [w.at(start, at, kind) for start in starts], sums)
    inner.close([w.at(panel, machine.panel, kind), *sums])
    outer.close(inner.values)
    sums = outer.values[1:]
    targets = [w.load(w.pointer("targets"), m) for m in range(rows)]
    places = [w.at(w.pointer("y"), target, kind) for target in targets]
    bases = [w.at(w.pointer("base"), target * w.parameter("step"), kind) for target in targets]
    write_tile(w, machine, sums, places, w.parameter("adds"), bases)
    return w


def kernel_tile(machine: Machine, rows: int) -> Writer:
    """Write ``kernel<rows>(x, places, n, g, step, y, adds)``.

    y[m, lane] = sum over windows p of x[places[p] + m] * g[p * step + lane], in a panel; where `adds` is not 0, added to
    what y held. `n` is at least 1.
    """
    names = ("x", "ptr"), ("places", "ptr"), ("n", "i64"), ("g", "ptr"), ("step", "i64"), ("y", "ptr"), ("adds", "i64")
    w = Writer(f"kernel{rows}", names, is_internal=True)
    b, kind = w.b, machine.kind
    x, places = w.pointer("x"), w.pointer("places")
    loop = Loop(w, w.parameter("n"), [w.pointer("g"), *[b.number(0, kind, machine.lanes)] * (machine.vectors * rows)])
    g, sums = loop.values[0], loop.values[1:]
    window = w.at(x, w.load(places, loop.index), kind)
    sums = multiply(machine, b, g, [w.at(window, m, kind) for m in range(rows)], sums)
    loop.close([w.at(g, w.parameter("step"), kind), *sums])
    places = [w.at(w.pointer("y"), m * machine.panel, kind) for m in range(rows)]
    write_tile(w, machine, loop.values[1:], places, w.parameter("adds"))
    return w


def product_sweep(machine: Machine, rows: int) -> Writer:
    """Write ``products<rows>(x, pitch, count, length, panel, y, y_pitch)``: tiles of a dense product, one below the other.

    y[m * y_pitch + lane] = sum over j of x[m * pitch + j] * panel[j, lane], for m in 0 .. count * rows. `count` and
    `length` are at least 1.
    """
    names = ("x", "ptr"), ("pitch", "i64"), ("count", "i64"), ("length", "i64"), ("panel", "ptr"), ("y", "ptr")
    w = Writer(f"products{rows}", [*names, ("y_pitch", "i64")], is_internal=True)
    b, kind = w.b, machine.kind
    pitch, y_pitch = w.parameter("pitch"), w.parameter("y_pitch")
    outer = Loop(w, w.parameter("count"), [w.pointer("x"), w.pointer("y")])
    x, y = outer.values
    starts = [w.at(x, pitch * m, kind) for m in range(rows)]
    zero = b.number(0, kind, machine.lanes)
    inner = Loop(w, w.parameter("length"), [w.pointer("panel"), *[zero] * (machine.vectors * rows)])
    panel, sums = inner.values[0], inner.values[1:]
    sums = multiply(machine, b, panel, [w.at(start, inner.index, kind) for start in starts], sums)
    inner.close([w.at(panel, machine.panel, kind), *sums])
    write_tile(w, machine, inner.values[1:], [w.at(y, y_pitch * m, kind) for m in range(rows)])
    outer.close([w.at(x, pitch * rows, kind), w.at(y, y_pitch * rows, kind)])
    return w


def kernel_sweep(machine: Machine, rows: int) -> Writer:
    """Write ``kernels<rows>(x, pitch, n, g, step, count, y, adds)``: tiles of the product of a transpose, one below the
    other.

    y[m, lane] = sum over p of x[p * pitch + m] * g[p * step + lane], for m in 0 .. count * rows, in a panel; where `adds`
    is not 0, added to what y held. `count` and `n` are at least 1.
    """
    names = ("x", "ptr"), ("pitch", "i64"), ("n", "i64"), ("g", "ptr"), ("step", "i64"), ("count", "i64"), ("y", "ptr")
    w = Writer(f"kernels{rows}", [*names, ("adds", "i64")], is_internal=True)
    b, kind = w.b, machine.kind
    outer = Loop(w, w.parameter("count"), [w.pointer("x"), w.pointer("y")])
    x, y = outer.values
    zero = b.number(0, kind, machine.lanes)
    inner = Loop(w, w.parameter("n"), [x, w.pointer("g"), *[zero] * (machine.vectors * rows)])
    window, g, sums = inner.values[0], inner.values[1], inner.values[2:]
    sums = multiply(machine, b, g, [w.at(window, m, kind) for m in range(rows)], sums)
    inner.close([w.at(window, w.parameter("pitch"), kind), w.at(g, w.parameter("step"), kind), *sums])
    adds = w.parameter("adds")
    write_tile(w, machine, inner.values[2:], [w.at(y, m * machine.panel, kind) for m in range(rows)], adds)
    outer.close([w.at(x, rows, kind), w.at(y, rows * machine.panel, kind)])
    return w


def sweep(w: Writer, prefix: str, total: Int, most: int, call: Callable[[Int, Int], Sequence[Value | Int]]) -> None:
    """Cut rows into tiles of nearly equal heights of at most `most`, and call the sweeps of both heights.

    ``call(begin, count)`` returns the arguments for `count` tiles from row `begin` on.
    """
    parts, least, more = evenly(total, most)
    few = parts - more
    for count, rows, begin in ((more, least + 1, w.number(0)), (few, least, more * (least + 1))):
        some = count.compare("ne", 0)
        with w.when(some):
            dispatch(w, prefix, rows, most, *call(begin, count))


def dispatch(w: Writer, prefix: str, rows: Int, most: int, *args: Value | Int) -> None:
    """Call the tile with as many rows as wanted."""
    b = w.b
    labels = [b.label("tile") for _ in range(most)]
    done = b.label("tiled")
    cases = " ".join(f"i64 {n + 1}, label %{label}" for n, label in enumerate(labels[:-1]))
    b.line(f"switch i64 {rows.value.name}, label %{labels[-1]} [ {cases} ]")
    for n, label in enumerate(labels):
        b.begin(label)
        w.call(f"{prefix}{n + 1}", *args)
        b.jump(done)
    b.begin(done)


def evenly(total: Int, most: int | Int) -> tuple[Int, Int, Int]:
    """Cut a number into as few parts of at most `most` as it takes: how many, the least size, how many are larger by 1."""
    parts = (total + most - 1) // most
    return parts, total // parts, total % parts


def multiply(machine: Machine, b: Builder, vectors: Value, elements: list[Value], sums: list[Value]) -> list[Value]:
    """Add the products of a row of vectors with elements to the sums."""
    row = []
    for start in range(0, machine.panel, machine.lanes):
        place = b.offset(vectors, b.number(start, "i64"), machine.kind)
        row.append(b.load(place, machine.kind, machine.lanes))
    result = []
    for m, place in enumerate(elements):
        element = b.splat(b.load(place, machine.kind), machine.lanes)
        for number, vector in enumerate(row):
            result.append(b.intrinsic("fmuladd", element, vector, sums[machine.vectors * m + number]))
    return result


def write_tile(
    w: Writer, machine: Machine, sums: list[Value], places: list[Value], when: Int | None = None,
    bases: list[Value] | None = None,
) -> None:  # fmt: skip
    """Store a tile, or add it to what is there (or in `bases`) where a number is not 0."""
    b = w.b
    starts = range(0, machine.panel, machine.lanes)
    parts = [w.at(place, start, machine.kind) for place in places for start in starts]
    if when is None:
        for place, value in zip(parts, sums, strict=True):
            b.store(value, place)
        return
    adds = when.compare("ne", 0)
    with w.when(adds):
        held = [w.at(base, start, machine.kind) for base in bases for start in starts] if bases else parts
        for place, base, value in zip(parts, held, sums, strict=True):
            b.store(b.binary("fadd", b.load(base, machine.kind, machine.lanes), value), place)
    with w.otherwise(adds):
        for place, value in zip(parts, sums, strict=True):
            b.store(value, place)


def machine(dtype: str, outputs: int) -> Machine:
    """Return the tiles for this processor.

    Parameters
    ----------
    dtype : str
        float32 or float64.
    outputs : int
        Channels of the result, of a group: where they fit into one vector, panels are one vector wide.

    Returns
    -------
    Machine
    """
    kind = "float" if dtype == "float32" else "double"
    size, registers, most = _vectors()
    lanes = size // (4 if kind == "float" else 8)
    vectors = 1 if outputs <= lanes else 2
    rows = (registers - 2) // vectors - 1  # beside the sums: a row of the panel, and a repeated element
    return Machine(kind, lanes, min(rows - rows % 2, most), vectors)


@lru_cache(maxsize=1)
def _vectors() -> tuple[int, int, int]:
    """Return the bytes of a vector, how many vector registers there are, and how many rows have registers for addresses."""
    host = llvm.library().host
    features = host.features.split(",")
    if "+avx512f" in features:
        return 64, 32, 8
    if "+avx" in features:
        return 32, 16, 8
    if host.triple.startswith(("aarch64", "arm64")):
        return 16, 32, 12
    return 16, 16, 8
