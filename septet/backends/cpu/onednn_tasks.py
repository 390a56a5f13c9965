"""Executing primitives of oneDNN from native code, several of them side by side.

`Tasks` holds the handles that execution needs, in one table that native code reads; `module` is that code, a kernel
for `pool`: ``void onednn_task(i64* args, i64 begin, i64 end, i64 number)`` executes the rows begin to end of the table.
A row is a primitive that runs in one thread, on a part of the batch, or the only row is one that runs in several.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu import jit, onednn, onednn_types
from septet.backends.cpu.held import Held
from septet.backends.cpu.layouts import Convolution, Layout
from septet.backends.cpu.onednn import Primitive

TEXT = """
declare i32 @dnnl_primitive_execute(ptr, ptr, i32, ptr)
declare i32 @dnnl_memory_set_data_handle(ptr, i64)
declare i32 @omp_get_max_threads()
declare void @omp_set_num_threads(i32)
define void @onednn_task(ptr %args, i64 %begin, i64 %end, i64 %number) #0 {
entry:
  %stream = load ptr, ptr %args
  %p.inner = getelementptr i64, ptr %args, i64 1
  %inner = load i64, ptr %p.inner
  %p.n = getelementptr i64, ptr %args, i64 2
  %n = load i64, ptr %p.n
  %p.scratch = getelementptr i64, ptr %args, i64 3
  %scratch = load i64, ptr %p.scratch
  %p.bytes = getelementptr i64, ptr %args, i64 4
  %bytes = load i64, ptr %p.bytes
  %p.table = getelementptr i64, ptr %args, i64 5
  %table = load ptr, ptr %p.table
  %p.status = getelementptr i64, ptr %args, i64 6
  %status = load ptr, ptr %p.status
  %operands = getelementptr i64, ptr %args, i64 7
  %before = call i32 @omp_get_max_threads()
  %count = trunc i64 %inner to i32
  call void @omp_set_num_threads(i32 %count)
  %skip = mul i64 %number, %bytes
  %own = add i64 %scratch, %skip
  %twice = mul i64 %n, 2
  %length = add i64 %twice, 3
  %n1 = add i64 %n, 1
  %total = trunc i64 %n1 to i32
  br label %row
row:
  %r = phi i64 [ %begin, %entry ], [ %r1, %execute ]
  %first = mul i64 %r, %length
  %pr = getelementptr i64, ptr %table, i64 %first
  %primitive = load ptr, ptr %pr
  %p.list = getelementptr i64, ptr %pr, i64 1
  %list = load ptr, ptr %p.list
  %p.memory = getelementptr i64, ptr %pr, i64 2
  %memory = load ptr, ptr %p.memory
  %s0 = call i32 @dnnl_memory_set_data_handle(ptr %memory, i64 %own)
  %pairs = getelementptr i64, ptr %pr, i64 3
  br label %operand
operand:
  %i = phi i64 [ 0, %row ], [ %i1, %operand ]
  %i2 = mul i64 %i, 2
  %pm = getelementptr i64, ptr %pairs, i64 %i2
  %m = load ptr, ptr %pm
  %po = getelementptr i64, ptr %pm, i64 1
  %o = load i64, ptr %po
  %pb = getelementptr i64, ptr %operands, i64 %i
  %b = load i64, ptr %pb
  %address = add i64 %b, %o
  %s1 = call i32 @dnnl_memory_set_data_handle(ptr %m, i64 %address)
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %n
  br i1 %more, label %operand, label %execute
execute:
  %answer = call i32 @dnnl_primitive_execute(ptr %primitive, ptr %stream, i32 %total, ptr %list)
  %code = zext i32 %answer to i64
  %old = atomicrmw or ptr %status, i64 %code monotonic
  %r1 = add i64 %r, 1
  %on = icmp slt i64 %r1, %end
  br i1 %on, label %row, label %done
done:
  call void @omp_set_num_threads(i32 %before)
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: stream, threads of a primitive, number of operands, scratchpads, bytes of one, table, status word, operands. A
row of the table: primitive, list of arguments, memory of the scratchpad, then for each operand its memory and an offset
in bytes. begin < end."""

PIECES = 32
"""Parts that a batch is cut into: several for each thread, so that a thread that is slowed down takes fewer."""
LEAST = 1 << 22  # multiplications of a part: about 0.1 ms, against some microseconds for executing a primitive
ROWS = 64  # windows of a part: each reads the whole kernel, which must pay


def module() -> jit.Module:
    """Return the native kernel that executes rows of a table."""
    return jit.Module("onednn_task", TEXT, onednn.library().addresses())


class Row(NamedTuple):
    """One execution.

    Attributes
    ----------
    primitive : Primitive
    offsets : mapping of str to int
        Bytes to add to the addresses of arguments; 0 for those that are not named.
    """

    primitive: Primitive
    offsets: Mapping[str, int]


class Tasks:
    """Executions of primitives that do not depend on each other, as native code needs them.

    The memory objects are its own: two plans may execute the same primitive at the same time, each with its tasks.

    Parameters
    ----------
    rows : sequence of Row
        With the same arguments, in the same number of threads.

    Attributes
    ----------
    names : tuple of str
        The arguments, in the order in which their addresses are passed.
    scratchpad : int
        Bytes that each thread needs.
    threads : int
        Of one primitive: 1 where rows are for several threads to take.
    table : ndarray of int64
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        lib = onednn.library()
        self.rows = tuple(rows)
        first = rows[0].primitive
        self.names = tuple(first.arguments)
        self.threads = first.threads
        self.scratchpad = -(-max(row.primitive.scratchpad for row in rows) // 64) * 64
        memories: list[int] = []
        table: list[int] = []
        self._lists = []
        for primitive, offsets in rows:
            assert tuple(primitive.arguments) == self.names and primitive.threads == self.threads
            arguments = (onednn_types.Argument * (len(self.names) + 1))()
            self._lists.append(arguments)
            own = []
            described = [("scratchpad", primitive.scratchpad_descriptor), *primitive.arguments.items()]
            for entry, (name, descriptor) in zip(arguments, described, strict=True):
                own.append(lib.make("dnnl_memory_create", descriptor.handle, lib.engine, None))
                entry.argument, entry.memory = onednn_types.ARGUMENTS[name], own[-1]
            memories += own
            table += [primitive.handle, ctypes.addressof(arguments), own[0]]
            for name, memory in zip(self.names, own[1:], strict=True):
                table += [memory, offsets.get(name, 0)]
        self.table = np.array(table, np.int64)
        weakref.finalize(self, _destroy, memories).atexit = False

    def args(self, operands: Mapping[str, Any], scratchpads: Any, status: Any) -> list[Any]:
        """Return the arguments of the native kernel.

        Parameters
        ----------
        operands : mapping of str to address
            By argument name. Anything that the caller knows how to turn into an address.
        scratchpads : address
            Of `scratchpad` bytes for each of the threads that take rows, aligned to 64.
        status : address
            Of an int64 that becomes another number than 0 when oneDNN reports a failure.

        Returns
        -------
        list
            Numbers, and what was passed in. The table's address is a `Held`, which keeps these tasks alive.
        """
        table = Held(self.table.ctypes.data, self)
        head = [onednn.library().stream, self.threads, len(self.names), scratchpads, self.scratchpad, table, status]
        return [*head, *[operands[name] for name in self.names]]


def _destroy(memories: Sequence[int]) -> None:
    for memory in memories:
        onednn.library().call("dnnl_memory_destroy", memory)


def convolution_tasks(kind: str, sizes: Convolution, **options: Any) -> Tasks:
    """Cut a convolution along the batch, by its sizes alone: results do not depend on the number of threads.

    Parameters
    ----------
    kind : str
        ``conv`` or ``conv_input``; ``conv_kernel`` sums over the batch and is not cut: one row, one thread.
    sizes : Convolution
        x and y with strides.
    **options
        bias and post, as `onednn.convolution` takes them.

    Returns
    -------
    Tasks
    """
    batch = sizes.x.shape[0]
    part = batch if kind == "conv_kernel" else images_of_part(sizes)
    rows = []
    for start in range(0, batch, part):
        own = sizes._replace(x=_cut(sizes.x, min(part, batch - start)), y=_cut(sizes.y, min(part, batch - start)))
        primitive = onednn.convolution(kind, own, threads=1, **options)
        offsets = {name: start * _bytes(sizes, name) for name in primitive.arguments if name[0] in "xy"}
        rows.append(Row(primitive, offsets))
    return Tasks(rows)


def _cut(layout: Layout, images: int) -> Layout:
    return layout._replace(shape=(images, *layout.shape[1:]))


def _bytes(sizes: Convolution, name: str) -> int:
    """Return the bytes from one image to the next."""
    layout = sizes.x if name[0] == "x" else sizes.y
    assert layout.strides is not None
    return layout.strides[0] * np.dtype(layout.dtype).itemsize


def images_of_part(sizes: Convolution) -> int:
    """Return how many images a task takes."""
    batch, outputs = sizes.y.shape[:2]
    windows = int(np.prod(sizes.y.shape[2:]))
    work = windows * int(np.prod(sizes.kernel.shape[1:])) * outputs
    return min(batch, max(-(-batch // PIECES), -(-LEAST // max(work, 1)), -(-ROWS // max(windows, 1))))
