"""Plans that threads run for parts of larger tensors: native code for `ops.blocks`.

Each thread has the data of the plans to itself (addresses, arguments, memory); what a part reads and writes is found by
adding what its matrix and its block say to the addresses of the whole tensors.
"""

from __future__ import annotations

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Value
from septet.backends.cpu.dense import AHEAD, LINE, fetch
from septet.backends.cpu.writing import Block, Int, Loop, Writer, module_text, size_of

FIELDS = (
    "threads", "n_blocks", "blocks_of_task", "n_binds", "variants", "of_matrix", "of_block", "binds", "within",
    "n_calls", "calls",
)  # fmt: skip
"""The arguments, in order: threads; blocks of a matrix, and how many of them are a task, one after the other; how many
addresses a plan takes; for each block which plan computes it; for each matrix and for each block the bytes that are added
to the addresses; in which words the addresses begin; 0, or the address of a word for each matrix, which says whether
its operands are within their bound: where one is not, the plans that compute the blocks are the second half of the table; how many kernels run for a matrix
before its blocks, and in which word a table of them begins, if tasks are whole matrices. Behind them, for each plan and each thread, what `NESTED` lists;
then for each thread and each address where it goes among a plan's bases, and the address; then for each thread and each of the kernels the
kernel and the word in which its arguments begin; then these arguments."""

NESTED = ("bases", "moves", "n_moves", "slots", "steps", "n_steps", "status", "run", "arena")
"""A plan of a thread: see `native.RUN`."""


def _task() -> Writer:
    """Write the kernel."""
    w = Writer("blocks", [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")])
    args, number = w.pointer("args"), w.parameter("number")
    f = Block(w, args, FIELDS)
    threads, n_binds, n_blocks, some = f.threads, f.n_binds, f.n_blocks, f.blocks_of_task
    variants, of_matrix, of_block = (w.to_pointer(own) for own in (f.variants, f.of_matrix, f.of_block))
    binds = w.at(args, f.binds + number * n_binds * 2, "i64")
    tasks = (n_blocks + (some - 1)) // some
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        matrix, first = task // tasks, task % tasks * some
        own_matrix = w.at(of_matrix, matrix * n_binds, "i64")
        with w.range(0, f.n_calls) as i:
            _call(w, args, w.at(args, f.calls + (number * f.n_calls + i) * 2, "i64"), matrix)
        row = w.cell(0)
        with w.when(f.within.compare("ne", 0)):
            is_beyond = w.load(w.to_pointer(f.within), matrix).compare("eq", 0)
            with w.when(is_beyond):
                row.set(n_blocks)
        with w.range(first, (first + some).min(n_blocks)) as block:
            own_block = w.at(of_block, block * n_binds, "i64")
            place = (w.load(variants, row.get() + block) * threads + number) * len(NESTED) + len(FIELDS)
            plan = Block(w, w.at(args, place, "i64"), NESTED)
            bases = w.to_pointer(plan.bases)
            w.store(plan.arena, bases, 0)
            with w.range(0, n_binds) as i:
                address = w.load(binds, i * 2 + 1) + w.load(own_matrix, i) + w.load(own_block, i)
                w.store(address, bases, w.load(binds, i * 2))
            _run(w, plan, bases)
    return w


def _run(w: Writer, plan: Block, bases: Value) -> None:
    """Run a plan."""
    pointers = [w.to_pointer(own) for own in (plan.moves, plan.slots, plan.steps, plan.status, plan.run)]
    moves, slots, steps, status, run = pointers
    values: list[Value] = [bases, moves, plan.n_moves.value, slots, steps, plan.n_steps.value, status]
    shown = ", ".join(f"{value.type} {value.name}" for value in values)
    w.b.impure(f"call i64 {run.name}({shown})", "i64", 1)


PREPARE_FIELDS = ("n_calls",)
"""The argument of the kernel that runs others for all matrices: how many there are. Behind it their table, as above."""


def _prepare() -> Writer:
    """Write the kernel that runs others for all matrices."""
    w = Writer("blocks_prepare", [("args", "ptr"), ("begin", "i64"), ("end", "i64"), ("number", "i64")])
    args = w.pointer("args")
    n_calls = Block(w, args, PREPARE_FIELDS).n_calls
    with w.range(w.parameter("begin"), w.parameter("end")) as task:
        place = task % n_calls * 2 + len(PREPARE_FIELDS)
        _call(w, args, w.at(args, place, "i64"), task // n_calls)
    return w


def _call(w: Writer, args: Value, row: Value, matrix: Int) -> None:
    """Call a kernel of a table for one matrix."""
    own, kernel = w.at(args, w.load(row, 1), "i64"), w.to_pointer(w.load(row, 0))
    numbers = f"i64 {matrix.value.name}, i64 {(matrix + 1).value.name}, i64 %number"
    w.b.line(f"call void {kernel.name}(ptr {own.name}, {numbers})")


BOUND_FIELDS = ("within", "bound", "n")
"""The arguments of the kernel that looks at operands: address of a word for each matrix; the bits of the bound; how many
operands there are. Behind them, for each operand, what `OPERAND` lists."""

OPERAND = ("address", "places", "rows", "row", "columns", "column")
"""An operand: its address, and for each matrix the bytes from there; rows, columns, and the bytes from one to the next."""


def _bound_task(kind: str, lanes: int) -> Writer:
    """Write the kernel that tells for each matrix whether no element of its operands is above a bound, or NaN.

    The bits of numbers, without their signs, are in the order of the numbers; those of NaN are above all.
    """
    w = Writer("bounds", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    b, args, size = w.b, w.pointer("args"), size_of(kind)
    number = "i32" if kind == "float" else "i64"
    worst, largest = w.reserve(lanes, number), w.cell()
    f = Block(w, args, BOUND_FIELDS)
    rest_of_bits = (1 << (8 * size - 1)) - 1

    def bits(at: Value, count: int) -> Value:
        return b.binary("and", b.load(at, number, count), b.number(rest_of_bits, number, count))

    with w.range(w.parameter("begin"), w.parameter("end")) as matrix:
        b.store(b.number(0, number, lanes), worst)
        largest.set(0)
        with w.range(0, f.n) as own:
            operand = Block(w, w.at(args, own * len(OPERAND) + len(BOUND_FIELDS), "i64"), OPERAND)
            first = operand.address + w.load(w.to_pointer(operand.places), matrix)
            columns, step = operand.columns, operand.column
            are_neighbours = step.compare("eq", size)
            whole = Int(w, b.select(are_neighbours, (columns // lanes).value, w.number(0).value))
            with w.range(0, operand.rows) as row:
                line = w.to_pointer(first + row * operand.row)
                ahead = w.to_pointer(first + (row + AHEAD) * operand.row)
                with w.range(0, whole, LINE // (lanes * size)) as vector:
                    fetch(w, w.at(ahead, vector * lanes, kind))
                with w.when(whole.compare("ne", 0)):
                    loop = Loop(w, whole, [b.load(worst, number, lanes)])
                    (before,) = loop.values
                    loop.close([b.intrinsic("smax", before, bits(w.at(line, loop.index * lanes, kind), lanes))])
                    b.store(loop.values[0], worst)
                with w.range(whole * lanes, columns) as column:
                    one = bits(w.at(line, column * step, "i8"), 1)
                    largest.set(largest.get().max(Int(w, b.convert("zext", one, "i64"))))
        with w.range(0, lanes) as lane:
            one = b.load(w.at(worst, lane, number), number)
            largest.set(largest.get().max(Int(w, b.convert("zext", one, "i64"))))
        is_within = largest.get().compare("sle", f.bound)
        w.store(Int(w, b.convert("zext", is_within, "i64")), w.to_pointer(f.within), matrix)
    return w


def module(name: str) -> jit.Module:
    """Return the module of a kernel: blocks, blocks_prepare, or what `bound_name` returns."""
    if name == "blocks":
        return jit.Module(name, module_text([_task()]))
    if name == "blocks_prepare":
        return jit.Module(name, module_text([_prepare()]))
    _, kind, lanes = name.split("-")
    return jit.Module("bounds", module_text([_bound_task(kind, int(lanes))]))


def bound_name(kind: str, lanes: int) -> str:
    """Return the name of the kernel that looks at operands, for `module`."""
    return f"blocks_bounds-{kind}-{lanes}"
