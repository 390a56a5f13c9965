"""Native code of direct convolution: what surrounds the tiles.

A kernel here has the form ``void f(i64* args, i64 begin, i64 end, i64 number)`` of `pool` and does tasks begin to end. Its
geometry comes as data, in blocks of numbers named by `FIELDS`, so that one compiled kernel serves every shape.

- `product_task`: y from x and a packed kernel, or x from y. A task takes some windows and some panels of channels.
- `kernel_task`: the gradient of the kernel. A task takes some images, and sums into a part of a partial result.
- `pack_task`: a kernel into panels. `unpack_task`: the sum of partial results out of panels.

A task first copies the part of x that it reads, surrounded by zeros, into memory of its thread: then every window is whole,
and a row of a window is one run. Where no window leaves x, nothing is copied.
"""

from __future__ import annotations

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Value
from septet.backends.cpu.direct_panels import clear_bytes, pack_task, unpack_task
from septet.backends.cpu.direct_tiles import Machine, dispatch, evenly, kernel_sweep, kernel_tile, product_tile, sweep
from septet.backends.cpu.writing import Block, Int, Writer, module_text, size_of

FIELDS = (
    # which tasks, and how they are cut
    "first", "count", "panel_blocks", "line_blocks", "plane_blocks", "block_planes", "block_lines", "block_panels",
    # windows: planes of all images, lines of a plane, windows of a line; planes of one image
    "planes", "lines", "columns", "depth",
    # steps in y, in elements, from image to image, plane to plane, line to line, column to column, group to group
    "y_image", "y_plane", "y_line", "y_column", "y_group", "y_start",
    # x: sizes, strides, and where the first window begins
    "x_depth", "x_height", "x_image", "x_plane", "x_line", "x_column", "x_channel", "x_group",
    "step_plane", "step_line", "start_plane", "start_line", "start_column",
    # the copy: its mode, planes and rows of a task, elements of a row and of a pixel, and the parts of a row
    "mode", "copy_planes", "copy_rows", "row", "pixel", "zeros_before", "copied", "zeros_after", "channels",
    "place_image", "place_plane", "place_line", "place_column",
    # runs of a window, their length, how many at a time
    "runs", "n_runs", "length", "block_runs",
    # output channels of a group, panels, the packed kernel
    "outputs", "panels", "kernel_start", "kernel_group", "block_windows",
    # elements of y from window to window, where that is all that separates them and packing does not pay
    "y_step",
    # memory of a thread: where in it the places and targets, the packed gradient, and some elements of windows lie
    "tables", "packed", "elements", "most_windows",
    # the gradient of a kernel: parts of the batch, and blocks of runs
    "parts", "part_planes", "run_blocks", "part_size",
)  # fmt: skip
DIRECT, ROWS, PIXELS, ELEMENTS = range(4)
"""Modes of the copy: none; whole rows, pixels or single elements at a time."""


def _copy_bytes(w: Writer, target: Value, source: Value, size: Int) -> None:
    w.b.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    w.b.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {target.name}, ptr {source.name}, i64 {size.value.name}, i1 false)")


def _gather(machine: Machine) -> Writer:
    """Write ``gather(x, block, plane, planes, line, lines, copy, places, targets)``.

    Copies what the windows of some lines of some planes see, and writes for each window where it begins (in the copy, or
    in x) and where its result goes (in y).
    """
    parameters = [
        ("x", "ptr"),
        ("block", "ptr"),
        ("plane", "i64"),
        ("planes", "i64"),
        ("line", "i64"),
        ("lines", "i64"),
    ]
    w = Writer("gather", [*parameters, ("copy", "ptr"), ("places", "ptr"), ("targets", "ptr")], is_internal=True)
    f = Block(w, w.pointer("block"), FIELDS)
    plane, planes, line, lines = (w.parameter(name) for name in ("plane", "planes", "line", "lines"))
    copies = f.mode.compare("ne", DIRECT)
    with w.when(copies):
        depth, step_plane, start_plane, x_depth = f.depth, f.step_plane, f.start_plane, f.x_depth
        top = line * f.step_line + f.start_line
        with w.range(0, planes) as p:
            image, own = (plane + p) // depth, (plane + p) % depth
            with w.range(0, f.copy_planes) as z:
                at_plane = own * step_plane + start_plane + z
                inside = w.b.compare("ult", at_plane.value, x_depth.value)
                source = image * f.x_image + at_plane * f.x_plane
                target = (p * f.copy_planes + z) * f.copy_rows * f.row
                with w.range(0, f.copy_rows) as r:
                    at_line = top + r
                    whole = w.b.binary("and", inside, w.b.compare("ult", at_line.value, f.x_height.value))
                    place = w.at(w.pointer("copy"), target + r * f.row, machine.kind)
                    start = source + at_line * f.x_line + f.start_column * f.x_column
                    with w.when(whole):
                        w.call("copy_row", w.pointer("x"), start, place, w.pointer("block"))
                    with w.otherwise(whole):
                        clear_bytes(w, place, f.row * size_of(machine.kind))
    number = w.cell()
    with w.range(0, planes) as p:
        image, own = (plane + p) // f.depth, (plane + p) % f.depth
        inner_place = p * f.place_plane
        direct_place = image * f.place_image + own * f.place_plane
        first_place = Int(w, w.b.select(copies, inner_place.value, direct_place.value))
        first_target = image * f.y_image + own * f.y_plane + f.y_start
        with w.range(0, lines) as r:
            direct_row = (line + r) * f.place_line
            own_row = Int(w, w.b.select(copies, (r * f.place_line).value, direct_row.value))
            at, to = first_place + own_row, first_target + (line + r) * f.y_line
            columns, place_column, y_column = f.columns, f.place_column, f.y_column
            base = number.get()
            with w.range(0, columns) as c:
                w.store(at + c * place_column, w.pointer("places"), base + c)
                w.store(to + c * y_column, w.pointer("targets"), base + c)
            number.add(columns)
    return w


def _copy_row(machine: Machine) -> Writer:
    """Write ``copy_row(x, start, target, block)``: one row with its zeros."""
    parameters = [("x", "ptr"), ("start", "i64"), ("target", "ptr"), ("block", "ptr")]
    w = Writer("copy_row", parameters, is_internal=True)
    kind, size = machine.kind, size_of(machine.kind)
    f = Block(w, w.pointer("block"), FIELDS)
    x, start, target = w.pointer("x"), w.parameter("start"), w.pointer("target")
    clear_bytes(w, target, f.zeros_before * size)
    middle = w.at(target, f.zeros_before, kind)
    source = w.at(x, start, kind)
    pixels = f.copied // f.pixel
    mode = f.mode
    with w.when(mode.compare("eq", ROWS)):
        _copy_bytes(w, middle, source, f.copied * size)
    with w.when(mode.compare("eq", PIXELS)), w.range(0, pixels) as p:
        place, own = w.at(middle, p * f.pixel, kind), w.at(source, p * f.x_column, kind)
        vectors = f.channels // machine.lanes
        with w.range(0, vectors) as v:
            at = v * machine.lanes
            w.b.store(w.b.load(w.at(own, at, kind), kind, machine.lanes), w.at(place, at, kind))
        with w.range(vectors * machine.lanes, f.channels) as c:
            w.b.store(w.b.load(w.at(own, c, kind), kind), w.at(place, c, kind))
    with w.when(mode.compare("eq", ELEMENTS)), w.range(0, pixels) as p:
        place, own = w.at(middle, p * f.pixel, kind), w.at(source, p * f.x_column, kind)
        x_channel = f.x_channel
        with w.range(0, f.channels) as c:
            w.b.store(w.b.load(w.at(own, c * x_channel, kind), kind), w.at(place, c, kind))
    clear_bytes(w, w.at(middle, f.copied, kind), f.zeros_after * size)
    return w


def _product_block(machine: Machine) -> Writer:
    """Write ``product_block(x, y, kernel, block, places, targets, n, panel, panels, base, step)``: some windows times
    some panels, added to `base` where that is not 0."""
    parameters = [
        ("x", "ptr"), ("y", "ptr"), ("kernel", "ptr"), ("block", "ptr"), ("places", "ptr"), ("targets", "ptr"),
        ("n", "i64"), ("panel", "i64"), ("panels", "i64"), ("base", "i64"), ("step", "i64"),
    ]  # fmt: skip
    w = Writer("product_block", parameters, is_internal=True)
    kind = machine.kind
    f = Block(w, w.pointer("block"), FIELDS)
    n, x, y = w.parameter("n"), w.pointer("x"), w.pointer("y")
    places, targets = w.pointer("places"), w.pointer("targets")
    spare = w.reserve(machine.rows * machine.panel, kind)
    spare_targets = w.reserve(machine.rows, "i64")
    for row in range(machine.rows):
        w.store(row * machine.panel, spare_targets, row)
    n_runs, length, block_runs = f.n_runs, f.length, f.block_runs
    runs = w.to_pointer(f.runs)
    last = w.parameter("panel") + w.parameter("panels")
    groups, least, more = evenly(n, machine.rows)
    with w.range(0, n_runs, block_runs) as run:
        count = (n_runs - run).min(block_runs)
        is_later = run.compare("ne", 0)
        has_base = w.parameter("base").compare("ne", 0)
        adds = Int(w, w.b.convert("zext", w.b.binary("or", is_later, has_base), "i64"))
        base = w.b.select(is_later, y, w.to_pointer(w.parameter("base")))
        step = Int(w, w.b.select(is_later, w.number(1).value, w.parameter("step").value))
        own_runs = w.at(runs, run, "i64")
        with w.range(w.parameter("panel"), last) as panel:
            own = w.at(w.pointer("kernel"), (panel * n_runs + run) * length * machine.panel, kind)
            own_y, own_base = w.at(y, panel * machine.panel, kind), w.at(base, panel * machine.panel, kind)
            width = (f.outputs - panel * machine.panel).min(machine.panel)
            is_whole = width.compare("eq", machine.panel)
            with w.range(0, groups) as g:
                begin = g * least + g.min(more)
                rows = least + Int(w, w.b.convert("zext", g.compare("slt", more), "i64"))
                at, to = w.at(places, begin, "i64"), w.at(targets, begin, "i64")
                with w.when(is_whole):
                    args = (x, at, own_runs, count, length, own, own_y, to, adds, own_base, step)
                    dispatch(w, "product", rows, machine.rows, *args)
                with w.otherwise(is_whole):
                    args = (x, at, own_runs, count, length, own, spare, spare_targets, w.number(0), spare, w.number(0))
                    dispatch(w, "product", rows, machine.rows, *args)
                    w.call("spread", spare, own_y, to, rows, width, adds, own_base, step)
    return w


def _spread(machine: Machine) -> Writer:
    """Write ``spread(tile, y, targets, rows, width, adds, base, step)``: the first columns of a tile."""
    parameters = [("tile", "ptr"), ("y", "ptr"), ("targets", "ptr"), ("rows", "i64"), ("width", "i64"), ("adds", "i64")]
    w = Writer("spread", [*parameters, ("base", "ptr"), ("step", "i64")], is_internal=True)
    kind = machine.kind
    adds = w.parameter("adds").compare("ne", 0)
    with w.range(0, w.parameter("rows")) as row:
        target = w.load(w.pointer("targets"), row)
        own, base = w.at(w.pointer("y"), target, kind), w.at(w.pointer("base"), target * w.parameter("step"), kind)
        with w.range(0, w.parameter("width")) as lane:
            value = w.b.load(w.at(w.pointer("tile"), row * machine.panel + lane, kind), kind)
            place = w.at(own, lane, kind)
            with w.when(adds):
                w.b.store(w.b.binary("fadd", w.b.load(w.at(base, lane, kind), kind), value), place)
            with w.otherwise(adds):
                w.b.store(value, place)
    return w


def _product_task(machine: Machine) -> Writer:
    """Write the kernel. Args: x, packed kernel, y, memory of threads, bytes of one, number of blocks, blocks; what the
    products of one group are added to, or 0, and whether its windows lie like those of y (1) or it is the same for all (0).
    """
    w = Writer("product_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")])
    kind, size = machine.kind, size_of(machine.kind)
    x, kernel, y, scratch, own_bytes, n_blocks, blocks = (w.slot(w.pointer("args"), n) for n in range(7))
    base, step = (w.slot(w.pointer("args"), n) for n in (7, 8))
    memory = scratch + w.parameter("number") * own_bytes
    before = w.cell(-1)
    which = w.cell()
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        which.set(0)
        with w.range(1, n_blocks) as number:  # the last block whose first task is not behind this one
            first = w.load(w.to_pointer(blocks), number * len(FIELDS))
            with w.when(first.compare("sle", task)):
                which.set(number)
        block = w.to_pointer(blocks + which.get() * (len(FIELDS) * 8))
        f = Block(w, block, FIELDS)
        own = task - f.first
        panel_block, rest = own % f.panel_blocks, own // f.panel_blocks
        here = which.get() * (1 << 40) + rest
        line_block, rest = rest % f.line_blocks, rest // f.line_blocks
        plane_block, group = rest % f.plane_blocks, rest // f.plane_blocks
        plane, line = plane_block * f.block_planes, line_block * f.block_lines
        planes, lines = (f.planes - plane).min(f.block_planes), (f.lines - line).min(f.block_lines)
        copy = w.to_pointer(memory)
        places = w.to_pointer(memory + f.tables)
        targets = w.at(places, f.most_windows, "i64")
        own_x = w.to_pointer(x + group * f.x_group * size)
        with w.when(here.compare("ne", before.get())):
            w.call("gather", own_x, block, plane, planes, line, lines, copy, places, targets)
            before.set(here)
        is_direct = f.mode.compare("eq", DIRECT)
        source = w.b.select(is_direct, own_x, copy)
        own_y = w.to_pointer(y + group * f.y_group * size)
        panel = panel_block * f.block_panels
        panels = (f.panels - panel).min(f.block_panels)
        windows = planes * lines * f.columns
        own_kernel = w.to_pointer(kernel + (f.kernel_start + group * f.kernel_group) * size)
        is_zero = f.n_runs.compare("eq", 0)
        with w.when(is_zero):
            width = (f.outputs - panel * machine.panel).min(panels * machine.panel)
            with w.range(0, windows) as n:
                place = w.at(own_y, w.load(targets, n) + panel * machine.panel, kind)
                clear_bytes(w, place, width * size)
        with w.otherwise(is_zero):
            parts, least, more = evenly(windows, f.block_windows)
            with w.range(0, parts) as part:
                begin = part * least + part.min(more)
                count = least + Int(w, w.b.convert("zext", part.compare("slt", more), "i64"))
                at, to = w.at(places, begin, "i64"), w.at(targets, begin, "i64")
                w.call("product_block", source, own_y, own_kernel, block, at, to, count, panel, panels, base, step)
    return w


def _kernel_task(machine: Machine) -> Writer:
    """Write the kernel. Args: x, y, partial results, memory of threads, bytes of one, the block."""
    w = Writer("kernel_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")])
    kind, size = machine.kind, size_of(machine.kind)
    x, y, result, scratch, own_bytes, blocks = (w.slot(w.pointer("args"), n) for n in range(6))
    memory = scratch + w.parameter("number") * own_bytes
    block = w.to_pointer(blocks)
    f = Block(w, block, FIELDS)
    copy, places = w.to_pointer(memory), w.to_pointer(memory + f.tables)
    targets = w.at(places, f.most_windows, "i64")
    packed, elements = w.to_pointer(memory + f.packed), w.to_pointer(memory + f.elements)
    gathers = f.elements.compare("ne", 0)
    n_runs, length = f.n_runs, f.length
    runs = w.to_pointer(f.runs)
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        panel_block, rest = task % f.panel_blocks, task // f.panel_blocks
        run_block, rest = rest % f.run_blocks, rest // f.run_blocks
        group, part = rest % (f.plane_blocks), rest // f.plane_blocks
        first_run = run_block * f.block_runs
        end_run = (first_run + f.block_runs).min(n_runs)
        panel = panel_block * f.block_panels
        panels = (f.panels - panel).min(f.block_panels)
        first_plane = part * f.part_planes
        end_plane = (first_plane + f.part_planes).min(f.planes)
        own_x = w.to_pointer(x + group * f.x_group * size)
        own_y = w.to_pointer(y + group * f.y_group * size)
        own = w.to_pointer(result + (part * f.part_size + group * f.kernel_group) * size)
        source = w.b.select(f.mode.compare("eq", DIRECT), own_x, copy)
        with w.range(first_plane, end_plane, f.block_planes) as plane, w.range(0, f.lines, f.block_lines) as line:
            planes, lines = (end_plane - plane).min(f.block_planes), (f.lines - line).min(f.block_lines)
            w.call("gather", own_x, block, plane, planes, line, lines, copy, places, targets)
            windows = planes * lines * f.columns
            starts = w.b.binary("or", plane.compare("ne", first_plane), line.compare("ne", 0))
            adds = Int(w, w.b.convert("zext", starts, "i64"))
            step = f.y_step
            packs = step.compare("eq", 0)
            with w.when(packs):
                w.call("pack_windows", own_y, block, targets, windows, packed, panel, panels)
            direct_g = w.at(own_y, w.load(targets, 0) + panel * machine.panel, kind)
            g = w.b.select(packs, packed, direct_g)
            g_step = Int(w, w.b.select(packs, w.number(machine.panel).value, step.value))
            g_panel = Int(w, w.b.select(packs, (windows * machine.panel).value, w.number(machine.panel).value))
            parts, least, more = evenly(windows, f.block_windows)
            with w.range(0, parts) as piece:
                begin = piece * least + piece.min(more)
                count = least + Int(w, w.b.convert("zext", piece.compare("slt", more), "i64"))
                later = w.b.convert("zext", piece.compare("ne", 0), "i64")
                own_adds = Int(w, w.b.binary("or", adds.value, later))
                at = w.at(places, begin, "i64")
                own_g = w.at(g, begin * g_step, kind)
                with w.range(first_run, end_run) as run:
                    start = w.at(source, w.load(runs, run), kind)
                    with w.when(gathers), w.range(0, length, machine.panel) as element:
                        width = (length - element).min(machine.panel)
                        w.call("pack_elements", w.at(start, element, kind), at, count, width, elements)
                        with w.range(0, panels) as p:
                            target = (((panel + p) * n_runs + run) * length + element) * machine.panel
                            piece_g = w.at(own_g, p * g_panel, kind)

                            def call(row: Int, tiles: Int) -> list[Value | Int]:
                                x, y = w.at(elements, row, kind), w.at(own, target + row * machine.panel, kind)
                                return [x, w.number(machine.panel), count, piece_g, g_step, tiles, y, own_adds]

                            sweep(w, "kernels", width, machine.rows, call)
                    with w.otherwise(gathers), w.range(0, panels) as p:
                        target = ((panel + p) * n_runs + run) * length * machine.panel
                        tiles, rows, larger = evenly(length, machine.rows)
                        with w.range(0, tiles) as t:
                            element = t * rows + t.min(larger)
                            own_rows = rows + Int(w, w.b.convert("zext", t.compare("slt", larger), "i64"))
                            place = w.at(own, target + element * machine.panel, kind)
                            panel_g = w.at(own_g, p * g_panel, kind)
                            args = (w.at(start, element, kind), at, count, panel_g, g_step, place, own_adds)
                            dispatch(w, "kernel", own_rows, machine.rows, *args)
    return w


def _pack_windows(machine: Machine) -> Writer:
    """Write ``pack_windows(y, block, targets, n, packed, panel, panels)``: y of some windows, panel by panel."""
    parameters = [("y", "ptr"), ("block", "ptr"), ("targets", "ptr"), ("n", "i64"), ("packed", "ptr")]
    w = Writer("pack_windows", [*parameters, ("panel", "i64"), ("panels", "i64")], is_internal=True)
    kind = machine.kind
    f = Block(w, w.pointer("block"), FIELDS)
    n, targets = w.parameter("n"), w.pointer("targets")
    with w.range(0, w.parameter("panels")) as p:
        channel = (w.parameter("panel") + p) * machine.panel
        own = w.at(w.pointer("y"), channel, kind)
        target = w.at(w.pointer("packed"), p * n * machine.panel, kind)
        width = (f.outputs - channel).min(machine.panel)
        is_whole = width.compare("eq", machine.panel)
        with w.when(is_whole), w.range(0, n) as i:
            source, place = w.at(own, w.load(targets, i), kind), w.at(target, i * machine.panel, kind)
            for half in range(0, machine.panel, machine.lanes):
                w.b.store(w.b.load(w.at(source, half, kind), kind, machine.lanes), w.at(place, half, kind))
        with w.otherwise(is_whole):
            clear_bytes(w, target, n * (machine.panel * size_of(kind)))
            with w.range(0, n) as i:
                source, place = w.at(own, w.load(targets, i), kind), w.at(target, i * machine.panel, kind)
                with w.range(0, width) as lane:
                    w.b.store(w.b.load(w.at(source, lane, kind), kind), w.at(place, lane, kind))
    return w


def _pack_elements(machine: Machine) -> Writer:
    """Write ``pack_elements(x, places, n, width, packed)``: some neighbouring elements of windows, a row for each."""
    names = ("x", "ptr"), ("places", "ptr"), ("n", "i64"), ("width", "i64"), ("packed", "ptr")
    w = Writer("pack_elements", names, is_internal=True)
    kind = machine.kind
    width = w.parameter("width")
    is_whole = width.compare("eq", machine.panel)
    with w.when(is_whole), w.range(0, w.parameter("n")) as i:
        source = w.at(w.pointer("x"), w.load(w.pointer("places"), i), kind)
        target = w.at(w.pointer("packed"), i * machine.panel, kind)
        for half in range(0, machine.panel, machine.lanes):
            w.b.store(w.b.load(w.at(source, half, kind), kind, machine.lanes), w.at(target, half, kind))
    with w.otherwise(is_whole), w.range(0, w.parameter("n")) as i:
        source = w.at(w.pointer("x"), w.load(w.pointer("places"), i), kind)
        target = w.at(w.pointer("packed"), i * machine.panel, kind)
        with w.range(0, width) as j:
            w.b.store(w.b.load(w.at(source, j, kind), kind), w.at(target, j, kind))
    return w


def module(name: str) -> jit.Module:
    """Return the module of a kernel, by its `kernel_name`."""
    task, kind, lanes, rows, vectors = name.split("-")
    machine = Machine(kind, int(lanes), int(rows), int(vectors))
    functions = {"pack_task": [pack_task], "unpack_task": [unpack_task]}.get(task)
    if functions is not None:
        return jit.Module(task, module_text([write(machine) for write in functions]))
    if task == "product_task":
        functions = [_copy_row, _gather, _spread, _product_block, _product_task]
        tiles = [product_tile(machine, rows + 1) for rows in range(machine.rows)]
    else:
        functions = [_copy_row, _gather, _pack_windows, _pack_elements, _kernel_task]
        tiles = [write(machine, rows + 1) for write in (kernel_tile, kernel_sweep) for rows in range(machine.rows)]
    return jit.Module(task, module_text([*tiles, *[write(machine) for write in functions]]))


def kernel_name(task: str, machine: Machine) -> str:
    """Return the name of one of the kernels product_task, kernel_task, pack_task and unpack_task, for `module`."""
    return "-".join(map(str, (task, machine.kind, machine.lanes, machine.rows, machine.vectors)))
