"""Kernels of convolutions into panels, and their gradients out of them: native code for `direct_kernels`."""

from __future__ import annotations

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.direct_tiles import Machine
from septet.backends.cpu.writing import Int, Loop, Writer, size_of


def clear_bytes(w: Writer, target: Value, size: Int) -> None:
    """Write zeros."""
    w.b.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    w.b.line(f"call void @llvm.memset.p0.i64(ptr {target.name}, i8 0, i64 {size.value.name}, i1 false)")


def pack_task(machine: Machine, *, is_internal: bool = False) -> Writer:
    """Write the kernel, or the same for other functions of a module. Args: kernel, packed, stride of output and input channels, input channels, rows of the table,
    number of neighbours, their places.

    A row of the table is a task: elements from the kernel's beginning to the panel's, number of offsets, their address,
    where in packed the panel begins, output channels of the panel. A panel is (offsets, input channels, output channels).
    Where all that an output channel sees are neighbours in memory, `places` says for each which row of the panel it is
    (in any order), and as many as a vector has lanes are turned at a time.
    """
    w = Writer("pack_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64")], is_internal=is_internal)
    kind, size, lanes = machine.kind, size_of(machine.kind), machine.lanes
    args = (w.slot(w.pointer("args"), n) for n in range(8))
    source, packed, output, channel, channels, table, neighbours, places = args
    rows = w.to_pointer(places)
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        row = w.to_pointer(table + task * 40)
        start, n, offsets, target, width = (w.slot(row, number) for number in range(5))
        own, place = w.to_pointer(source + start * size), w.to_pointer(packed + target * size)
        taps = w.to_pointer(offsets)
        is_whole = width.compare("eq", machine.panel)
        is_flat = w.b.binary("and", is_whole, output.compare("eq", 1))
        is_turned = w.b.binary("and", is_whole, neighbours.compare("ne", 0))
        is_other = w.b.compare("eq", w.b.binary("or", is_flat, is_turned), w.b.number(False, "i1"))
        with w.when(is_flat), w.range(0, n) as tap:
            first = w.at(own, w.load(taps, tap), kind)
            with w.range(0, channels) as c:
                at, to = w.at(first, c * channel, kind), w.at(place, (tap * channels + c) * machine.panel, kind)
                for half in range(0, machine.panel, lanes):
                    w.b.store(w.b.load(w.at(at, half, kind), kind, lanes), w.at(to, half, kind))
        with w.when(is_turned):
            whole = neighbours - neighbours % lanes
            with w.range(0, whole, lanes) as q:
                targets = [w.at(place, w.load(rows, q + i) * machine.panel, kind) for i in range(lanes)]
                for half in range(0, machine.panel, lanes):
                    read = [w.at(own, (w.number(half + i)) * output + q, kind) for i in range(lanes)]
                    turned = transpose(w.b, [w.b.load(at, kind, lanes) for at in read])
                    for to, value in zip(targets, turned, strict=True):
                        w.b.store(value, w.at(to, half, kind))
            with w.range(whole, neighbours) as q:
                _gather_lanes(
                    w, machine, w.at(own, q, kind), output, w.at(place, w.load(rows, q) * machine.panel, kind)
                )
        with w.when(is_other):
            with w.when(width.compare("ne", machine.panel)):
                clear_bytes(w, place, n * channels * (machine.panel * size))
            with w.range(0, channels) as c, w.range(0, n) as tap:
                at = w.at(own, w.load(taps, tap) + c * channel, kind)
                to = w.at(place, (tap * channels + c) * machine.panel, kind)
                with w.when(is_whole):
                    _gather_lanes(w, machine, at, output, to)
                with w.otherwise(is_whole), w.range(0, width) as lane:
                    w.b.store(w.b.load(w.at(at, lane * output, kind), kind), w.at(to, lane, kind))
    return w


def _gather_lanes(w: Writer, machine: Machine, source: Value, step: Int, target: Value) -> None:
    """Copy a row of a panel from elements that are `step` apart."""
    kind = machine.kind
    for half in range(0, machine.panel, machine.lanes):
        vector = f"<{machine.lanes} x {kind}>"
        value = Value("poison", kind, machine.lanes)
        for lane in range(machine.lanes):
            element = w.b.load(w.at(source, w.number(half + lane) * step, kind), kind)
            text = f"insertelement {vector} {value.name}, {kind} {element.name}, i32 {lane}"
            value = w.b.impure(text, kind, machine.lanes)
        w.b.store(value, w.at(target, half, kind))


def transpose(b: Builder, rows: list[Value]) -> list[Value]:
    """Return the columns of as many vectors as they have lanes, by zipping halves."""
    lanes = len(rows)
    low = [i // 2 + (lanes if i % 2 else 0) for i in range(lanes)]
    high = [i + lanes // 2 for i in low]
    for _ in range(lanes.bit_length() - 1):
        after = []
        for first, second in zip(rows[: lanes // 2], rows[lanes // 2 :], strict=True):
            for mask in (low, high):
                picks = ", ".join(f"i32 {lane}" for lane in mask)
                text = f"shufflevector {first.type} {first.name}, {first.type} {second.name}, <{lanes} x i32> <{picks}>"
                after.append(b.pure(text, first.kind, lanes))
        rows = after
    return rows


def unpack_task(machine: Machine) -> Writer:
    """Write the kernel. Args: those of packing, then number of partial results, elements of one. The parts are summed in
    order."""
    w = Writer("unpack_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    kind, size, lanes = machine.kind, size_of(machine.kind), machine.lanes
    args = (w.slot(w.pointer("args"), n) for n in range(10))
    target, packed, output, channel, channels, table, neighbours, places, parts, part = args
    rows = w.to_pointer(places)

    def total(at: Value) -> Value:
        """Sum one vector over the parts."""
        loop = Loop(w, parts, [w.b.number(0, kind, lanes), at])
        value = w.b.binary("fadd", loop.values[0], w.b.load(loop.values[1], kind, lanes))
        loop.close([value, w.at(loop.values[1], part, kind)])
        return loop.values[0]

    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        row = w.to_pointer(table + task * 40)
        start, n, offsets, first, width = (w.slot(row, number) for number in range(5))
        own, place = w.to_pointer(target + start * size), w.to_pointer(packed + first * size)
        taps = w.to_pointer(offsets)
        is_whole = width.compare("eq", machine.panel)
        is_flat = w.b.binary("and", is_whole, output.compare("eq", 1))
        is_turned = w.b.binary("and", is_whole, neighbours.compare("ne", 0))
        is_other = w.b.compare("eq", w.b.binary("or", is_flat, is_turned), w.b.number(False, "i1"))
        with w.when(is_flat), w.range(0, n) as tap:
            begin = w.at(own, w.load(taps, tap), kind)
            with w.range(0, channels) as c:
                to, at = w.at(begin, c * channel, kind), w.at(place, (tap * channels + c) * machine.panel, kind)
                for half in range(0, machine.panel, lanes):
                    w.b.store(total(w.at(at, half, kind)), w.at(to, half, kind))
        with w.when(is_turned):
            whole = neighbours - neighbours % lanes
            with w.range(0, whole, lanes) as q:
                sources = [w.at(place, w.load(rows, q + i) * machine.panel, kind) for i in range(lanes)]
                for half in range(0, machine.panel, lanes):
                    turned = transpose(w.b, [total(w.at(at, half, kind)) for at in sources])
                    for i, value in enumerate(turned):
                        w.b.store(value, w.at(own, w.number(half + i) * output + q, kind))
            with w.range(whole, neighbours) as q:
                at = w.at(place, w.load(rows, q) * machine.panel, kind)
                for half in range(0, machine.panel, lanes):
                    value = total(w.at(at, half, kind))
                    for n_lane in range(lanes):
                        w.b.store(w.b.extract(value, n_lane), w.at(own, w.number(half + n_lane) * output + q, kind))
        with w.when(is_other), w.range(0, channels) as c, w.range(0, n) as tap:
            at = w.at(place, (tap * channels + c) * machine.panel, kind)
            to = w.at(own, w.load(taps, tap) + c * channel, kind)
            with w.range(0, width) as lane:
                loop = Loop(w, parts, [w.b.number(0, kind), w.at(at, lane, kind)])
                value = w.b.binary("fadd", loop.values[0], w.b.load(loop.values[1], kind))
                loop.close([value, w.at(loop.values[1], part, kind)])
                w.b.store(loop.values[0], w.at(to, lane * output, kind))
    return w
