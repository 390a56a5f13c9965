"""Native code of convolution by minimal filtering: transforms and dense products, tile by tile of an image.

A kernel here has the form ``void f(i64* args, i64 begin, i64 end, i64 number)`` of `pool` and does tasks begin to end. Its
geometry comes as data, in a block of numbers named by `FIELDS`; the code depends on the taps of the filter alone.

- `winograd_spread_task`: a kernel put into panels, as `direct_panels` does it, and transformed. A task takes one panel.
- `winograd_product_task`: y from x and a transformed kernel, or x from y. A task takes a block of tiles and some panels.
- `winograd_kernel_task`: the gradient of the kernel. A task takes some blocks of tiles and some panels.

A task transforms its tiles into memory of its thread, where they stay in the second cache, multiplies there, and transforms
back. What tiles see around an image is zero: those pixels are read from, or written to, a spare place.
"""

from __future__ import annotations

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Value
from septet.backends.cpu.direct_panels import clear_bytes, pack_task
from septet.backends.cpu.direct_tiles import Machine, kernel_sweep, product_sweep, sweep
from septet.backends.cpu.winograd_matrices import SIZE, filtering
from septet.backends.cpu.winograd_transforms import transform
from septet.backends.cpu.writing import Block, Int, Writer, module_text, size_of

FIELDS = (
    # tiles: of all images, of one, of a line; how many a task takes at a time, and how many such blocks there are
    "tiles", "image_tiles", "line_tiles", "block_tiles", "blocks",
    # what tiles see (x): sizes, strides, how far the first tile begins before it; and what they are results for (y)
    "x_height", "x_width", "x_image", "x_line", "x_column", "x_top", "x_left",
    "y_height", "y_width", "y_image", "y_line", "y_column",
    # channels that are summed, panels of the others; how many panels a task takes, and how many are done at a time
    "channels", "panels", "block_panels", "panel_blocks", "some_panels",
    # elements from tile to tile and from product to product, of transformed x, and of transformed y or products
    "x_pitch", "x_step", "y_pitch", "y_step",
    # elements from product to product of the transformed kernel or its gradient
    "kernel_step",
    # whether a task transforms the kernel by itself, panel by panel
    "is_alone",
    # memory of a thread, in bytes from its beginning: zeros or waste, transformed x, transformed y, transformed kernel,
    # a panel of the kernel
    "spare_size", "x_place", "y_place", "kernel_place", "packed_place",
    # the gradient of a kernel: parts, blocks of one, elements of a partial result
    "parts", "part_blocks", "part_size",
)  # fmt: skip
PRODUCTS = SIZE * SIZE
PACKING = 8  # arguments of `pack_task`


class Shape:
    """What the code depends on.

    Attributes
    ----------
    machine : Machine
    taps : tuple of int
        Of the filter, along lines and columns.
    results : tuple of int
        Of a tile.
    """

    def __init__(self, machine: Machine, taps: tuple[int, int]) -> None:
        self.machine = machine
        self.taps = taps
        self.results = SIZE + 1 - taps[0], SIZE + 1 - taps[1]
        self.filters = [filtering(m, r) for m, r in zip(self.results, taps, strict=True)]
        self.gradients = [filtering(r, m) for m, r in zip(self.results, taps, strict=True)]


def _pixels(name: str, prefix: str, height: int, width: int, shape: Shape) -> Writer:
    """Write ``name(image, block, tile, spare, table)``: the addresses of a tile's pixels, `spare` for those outside."""
    parameters = [("image", "ptr"), ("block", "ptr"), ("tile", "i64"), ("spare", "ptr"), ("table", "ptr")]
    w = Writer(name, parameters, is_internal=True)
    b, f = w.b, Block(w, w.pointer("block"), FIELDS)
    number, rest = w.parameter("tile") // f.image_tiles, w.parameter("tile") % f.image_tiles
    line, column = rest // f.line_tiles * shape.results[0], rest % f.line_tiles * shape.results[1]
    if prefix == "x":
        line, column = line - f.x_top, column - f.x_left
    sizes = [getattr(f, f"{prefix}_{axis}") for axis in ("height", "width")]
    strides = [getattr(f, f"{prefix}_{axis}") for axis in ("line", "column")]
    start = number * getattr(f, f"{prefix}_image")
    insides = [b.compare("ult", (column + j).value, sizes[1].value) for j in range(width)]
    for i in range(height):
        is_line = b.compare("ult", (line + i).value, sizes[0].value)
        first = start + (line + i) * strides[0] + column * strides[1]
        for j, is_column in enumerate(insides):
            place = w.at(w.pointer("image"), first + strides[1] * j, shape.machine.kind)
            found = b.select(b.binary("and", is_line, is_column), place, w.pointer("spare"))
            b.store(found, w.at(w.pointer("table"), i * width + j, "ptr"))
    return w


def _gather(
    name: str, shape: Shape, matrices: tuple[object, object], height: int, width: int, *, in_panels: bool
) -> Writer:
    """Write ``name(table, channels, target, step[, tiles])``: the transform of a tile, from the addresses of its pixels.

    Element (i, j) of the transform goes to target[(6 i + j) * step + channel]; in panels of `tiles` rows each where wanted.
    """
    parameters = [("table", "ptr"), ("channels", "i64"), ("target", "ptr"), ("step", "i64")]
    w = Writer(name, [*parameters, ("tiles", "i64")] if in_panels else parameters, is_internal=True)
    machine = shape.machine
    kind, lanes = machine.kind, machine.lanes
    table, step = w.pointer("table"), w.parameter("step")
    middle = w.reserve(PRODUCTS * lanes, kind)

    def run(target: Value, channel: Int) -> None:
        def read(i: int, j: int) -> Value:
            pixel = w.b.load(w.at(table, i * width + j, "ptr"), "ptr")
            return w.b.load(w.at(pixel, channel, kind), kind, lanes)

        def write(i: int, j: int, value: Value) -> None:
            w.b.store(value, w.at(target, step * (SIZE * i + j), kind))

        transform(w, *matrices, middle, read, write)

    if in_panels:
        with w.range(0, w.parameter("channels"), machine.panel) as first:
            target = w.at(w.pointer("target"), first * w.parameter("tiles"), kind)
            with w.range(0, machine.panel, lanes) as lane:
                run(w.at(target, lane, kind), first + lane)
    else:
        with w.range(0, w.parameter("channels"), lanes) as channel:
            run(w.at(w.pointer("target"), channel, kind), channel)
    return w


def _scatter(shape: Shape) -> Writer:
    """Write ``scatter(source, step, channels, table, channel)``: products to results, at the addresses of pixels."""
    parameters = [("source", "ptr"), ("step", "i64"), ("channels", "i64"), ("table", "ptr"), ("channel", "i64")]
    w = Writer("scatter", parameters, is_internal=True)
    kind, lanes = shape.machine.kind, shape.machine.lanes
    width = shape.results[1]
    step = w.parameter("step")
    middle = w.reserve(PRODUCTS * lanes, kind)
    with w.range(0, w.parameter("channels"), lanes) as c:
        source = w.at(w.pointer("source"), c, kind)
        channel = w.parameter("channel") + c

        def read(i: int, j: int) -> Value:
            return w.b.load(w.at(source, step * (SIZE * i + j), kind), kind, lanes)

        def write(i: int, j: int, value: Value) -> None:
            pixel = w.b.load(w.at(w.pointer("table"), i * width + j, "ptr"), "ptr")
            w.b.store(value, w.at(pixel, channel, kind))

        transform(w, *[own.output for own in shape.filters], middle, read, write)
    return w


def _product_task(shape: Shape) -> Writer:
    """Write the kernel. Args: x, transformed kernel, y, memory of threads, bytes of one, the block, those of packing."""
    parameters = [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")]
    w = Writer("winograd_product_task", parameters)
    machine = shape.machine
    kind, size = machine.kind, size_of(machine.kind)
    x, kernel, y, scratch, own_bytes, block = (w.slot(w.pointer("args"), n) for n in range(6))
    memory = scratch + w.parameter("number") * own_bytes
    f = Block(w, w.to_pointer(block), FIELDS)
    spare = w.to_pointer(memory)
    waste = w.to_pointer(memory + f.spare_size)
    seen, products = w.to_pointer(memory + f.x_place), w.to_pointer(memory + f.y_place)
    table = w.reserve(PRODUCTS, "ptr")
    clear_bytes(w, spare, f.spare_size)
    before = w.cell(-1)
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        panel_block, which = task % f.panel_blocks, task // f.panel_blocks
        first = which * f.block_tiles
        tiles = (f.tiles - first).min(f.block_tiles)
        with w.when(which.compare("ne", before.get())), w.range(0, tiles) as t:
            w.call("see", w.to_pointer(x), f.pointer, first + t, spare, table)
            w.call("spread", table, f.channels, w.at(seen, t * f.x_pitch, kind), f.x_step)
        before.set(which)
        panel = panel_block * f.block_panels
        end = (panel + f.block_panels).min(f.panels)
        with w.range(panel, end, f.some_panels) as some:
            count = (end - some).min(f.some_panels)
            is_alone = f.is_alone.compare("ne", 0)
            with w.when(is_alone), w.range(0, count) as p:
                target = memory + f.kernel_place + p * f.kernel_step * (PRODUCTS * size)
                packing = w.at(w.pointer("args"), 6, "i64")
                packed = memory + f.packed_place
                w.call("prepare", packing, some + p, packed, f.channels, f.kernel_step, target)
            ready = kernel + some * f.kernel_step * (PRODUCTS * size)
            first_kernel = Int(w, w.b.select(is_alone, (memory + f.kernel_place).value, ready.value))
            with w.range(0, PRODUCTS) as product, w.range(0, count) as p:
                own_x = w.at(seen, product * f.x_step, kind)
                own = w.to_pointer(first_kernel + (p * PRODUCTS + product) * f.kernel_step * size)
                own_y = w.at(products, product * f.y_step + p * machine.panel, kind)
                channels, x_pitch, y_pitch = f.channels, f.x_pitch, f.y_pitch

                def call(begin: Int, groups: Int) -> list[Value | Int]:
                    source, target = w.at(own_x, begin * x_pitch, kind), w.at(own_y, begin * y_pitch, kind)
                    return [source, x_pitch, groups, channels, own, target, y_pitch]

                sweep(w, "products", tiles, machine.rows, call)
            with w.range(0, tiles) as t:
                w.call("aim", w.to_pointer(y), f.pointer, first + t, waste, table)
                source = w.at(products, t * f.y_pitch, kind)
                w.call("scatter", source, f.y_step, count * machine.panel, table, some * machine.panel)
    return w


def _kernel_task(shape: Shape) -> Writer:
    """Write the kernel. Args: x, y, partial results, memory of threads, bytes of one, the block."""
    parameters = [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")]
    w = Writer("winograd_kernel_task", parameters)
    machine = shape.machine
    kind, size = machine.kind, size_of(machine.kind)
    x, y, result, scratch, own_bytes, block = (w.slot(w.pointer("args"), n) for n in range(6))
    memory = scratch + w.parameter("number") * own_bytes
    f = Block(w, w.to_pointer(block), FIELDS)
    spare = w.to_pointer(memory)
    seen, given = w.to_pointer(memory + f.x_place), w.to_pointer(memory + f.y_place)
    gradient = w.to_pointer(memory + f.kernel_place)
    table = w.reserve(PRODUCTS, "ptr")
    clear_bytes(w, spare, f.spare_size)
    before = w.cell(-1)
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        panel_block, part = task % f.panel_blocks, task // f.panel_blocks
        panel = panel_block * f.block_panels
        panels = (f.panels - panel).min(f.block_panels)
        first_block = part * f.part_blocks
        end_block = (first_block + f.part_blocks).min(f.blocks)
        with w.range(first_block, end_block) as which:
            first = which * f.block_tiles
            tiles = (f.tiles - first).min(f.block_tiles)
            with w.when(which.compare("ne", before.get())), w.range(0, tiles) as t:
                w.call("see", w.to_pointer(x), f.pointer, first + t, spare, table)
                w.call("spread", table, f.channels, w.at(seen, t * machine.panel, kind), f.x_step, tiles)
            before.set(which)
            own_y = w.to_pointer(y + panel * (machine.panel * size))
            with w.range(0, tiles) as t:
                w.call("aim", own_y, f.pointer, first + t, spare, table)
                target = w.at(given, t * machine.panel, kind)
                w.call("turn", table, panels * machine.panel, target, f.y_step, tiles)
            adds = Int(w, w.b.convert("zext", which.compare("ne", first_block), "i64"))
            with w.range(0, PRODUCTS) as product, w.range(0, panels) as p:
                own_x = w.at(seen, product * f.x_step, kind)
                own_g = w.at(given, product * f.y_step + p * tiles * machine.panel, kind)
                own = w.at(gradient, (p * PRODUCTS + product) * f.kernel_step, kind)
                with w.range(0, f.channels, machine.panel) as channel:
                    channel_x = w.at(own_x, channel * tiles, kind)

                    def call(begin: Int, groups: Int) -> list[Value | Int]:
                        source, target = (
                            w.at(channel_x, begin, kind),
                            w.at(own, (channel + begin) * machine.panel, kind),
                        )
                        panel = w.number(machine.panel)
                        return [source, panel, tiles, own_g, panel, groups, target, adds]

                    sweep(w, "kernels", w.number(machine.panel), machine.rows, call)
        own = (
            result + (part * f.part_size + panel * f.channels * (shape.taps[0] * shape.taps[1] * machine.panel)) * size
        )
        with w.range(0, panels) as p:
            source = w.at(gradient, p * f.kernel_step * PRODUCTS, kind)
            target = w.at(w.to_pointer(own), p * f.channels * (shape.taps[0] * shape.taps[1] * machine.panel), kind)
            w.call("gather", source, f.kernel_step, f.channels, target)
    return w


def _gather_kernel(shape: Shape) -> Writer:
    """Write ``gather(source, step, channels, target)``: a panel of the transformed gradient to one of the gradient."""
    parameters = [("source", "ptr"), ("step", "i64"), ("channels", "i64"), ("target", "ptr")]
    w = Writer("gather", parameters, is_internal=True)
    _panel(w, shape, [own.output for own in shape.gradients], SIZE, shape.taps[1])
    return w


def _panel(w: Writer, shape: Shape, matrices: list[object], width: int, own_width: int) -> None:
    """Transform a panel: its elements lie `step` apart on one side, as many as the panel has on the other."""
    machine = shape.machine
    kind = machine.kind
    step = w.parameter("step")
    middle = w.reserve(PRODUCTS * machine.lanes, kind)
    plain = w.parameter("channels") * machine.panel
    source_step, target_step = (step, plain) if width == SIZE else (plain, step)
    with w.range(0, plain, machine.lanes) as element:
        source, target = (w.at(w.pointer(name), element, kind) for name in ("source", "target"))

        def read(i: int, j: int) -> Value:
            return w.b.load(w.at(source, source_step * (width * i + j), kind), kind, machine.lanes)

        def write(i: int, j: int, value: Value) -> None:
            w.b.store(value, w.at(target, target_step * (own_width * i + j), kind))

        transform(w, *matrices, middle, read, write)


def _prepare(shape: Shape) -> list[Writer]:
    """Write ``prepare(packing, panel, packed, channels, step, target)``: a panel of the kernel, packed and transformed.

    `packing` points to the arguments of `pack_task`, of which the second does not count: the panel is packed at `packed`.
    """
    machine = shape.machine
    parameters = [("source", "ptr"), ("channels", "i64"), ("step", "i64"), ("target", "ptr")]
    spread = Writer("spread_kernel", parameters, is_internal=True)
    _panel(spread, shape, [own.kernel for own in shape.filters], shape.taps[1], SIZE)
    names = (
        ("packing", "ptr"),
        ("panel", "i64"),
        ("packed", "i64"),
        ("channels", "i64"),
        ("step", "i64"),
        ("target", "i64"),
    )
    w = Writer("prepare", names, is_internal=True)
    own = w.reserve(PACKING, "i64")
    for number in range(PACKING):
        w.store(w.load(w.pointer("packing"), number), own, number)
    size = w.parameter("channels") * (shape.taps[0] * shape.taps[1] * machine.panel * size_of(machine.kind))
    panel, packed = w.parameter("panel"), w.parameter("packed")
    w.store(packed - panel * size, own, 1)
    w.call("pack_task", own, panel, panel + 1)
    source, target = w.to_pointer(packed), w.to_pointer(w.parameter("target"))
    w.call("spread_kernel", source, w.parameter("channels"), w.parameter("step"), target)
    return [pack_task(machine, is_internal=True), spread, w]


def _spread_task(shape: Shape) -> Writer:
    """Write the kernel. Args: transformed kernel, channels, elements from product to product of it, memory of threads, bytes
    of one, then those of packing."""
    w = Writer("winograd_spread_task", [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")])
    target, channels, step, scratch, own_bytes = (w.slot(w.pointer("args"), n) for n in range(5))
    packing = w.at(w.pointer("args"), 5, "i64")
    packed = scratch + w.parameter("number") * own_bytes
    with w.range(w.parameter("begin"), w.parameter("end")) as panel:
        to = target + panel * step * (PRODUCTS * size_of(shape.machine.kind))
        w.call("prepare", packing, panel, packed, channels, step, to)
    return w


def module(name: str) -> jit.Module:
    """Return the module of a kernel, by its `kernel_name`."""
    task, kind, lanes, rows, vectors, *taps = name.split("-")
    machine = Machine(kind, int(lanes), int(rows), int(vectors))
    shape = Shape(machine, (int(taps[0]), int(taps[1])))
    data = shape.filters[0].data, shape.filters[1].data
    if task == "winograd_spread_task":
        return jit.Module(task, module_text([*_prepare(shape), _spread_task(shape)]))
    functions = [
        _pixels("see", "x", SIZE, SIZE, shape),
        _pixels("aim", "y", *shape.results, shape),
        _gather("spread", shape, data, SIZE, SIZE, in_panels=task == "winograd_kernel_task"),
    ]
    if task == "winograd_product_task":
        functions += [product_sweep(machine, rows + 1) for rows in range(machine.rows)]
        functions += [*_prepare(shape), _scatter(shape), _product_task(shape)]
    else:
        kernels = shape.gradients[0].kernel, shape.gradients[1].kernel
        functions += [kernel_sweep(machine, rows + 1) for rows in range(machine.rows)]
        functions += [_gather("turn", shape, kernels, *shape.results, in_panels=True)]
        functions += [_gather_kernel(shape), _kernel_task(shape)]
    return jit.Module(task, module_text(functions))


def kernel_name(task: str, machine: Machine, taps: tuple[int, int]) -> str:
    """Return the name of a kernel, for `module`."""
    return "-".join(map(str, (task, machine.kind, machine.lanes, machine.rows, machine.vectors, *taps)))
