"""How kernels read and write memory: addresses, elements side by side or apart, indices."""

from __future__ import annotations

from typing import Any

from septet.backends.cpu import elements, short_floats
from septet.backends.cpu.builder import BITS, Builder, Value
from septet.backends.cpu.loops import Kernel, Store, stored

CACHE_LINE = 64
"""Bytes."""
AHEAD = 4096
"""How many bytes before they are loaded numbers are asked for (measured: 1024 to 8192 make no difference)."""


class Accesses:
    """A kernel under way: its arguments, and where its buffers stand.

    Attributes
    ----------
    b : Builder
    lane : int
        The axis of the lanes of what is being written.
    width : int
        How many lanes they are.
    lanes : tuple of int
        How many there are in each of the loops along them.
    pointers : list of dict
        The addresses of the present elements: by buffer, and for rows that share a loop by buffer and row.
    row : int or None
        The row that is being written, of those that share a loop.
    """

    lanes: tuple[int, ...]
    fetches_ahead: bool

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel = kernel
        self.arguments = kernel.arguments()
        self.b = Builder(name, [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
        self.args: list[Value] = []
        self.lane = kernel.lane
        self.width = 1
        self.pointers: list[dict[Any, Value]] = []
        self.row: int | None = None

    def _value(self, number: int) -> Value:
        raise NotImplementedError

    def _wide(self, value: Value) -> Value:
        return self.b.splat(value, self.width)

    # Arguments and addresses.

    def _argument(self, position: int) -> Value:
        return self.b.load(self.b.offset(Value("%args", "ptr", 1), self.b.number(position, "i64"), "i64"), "i64")

    def _pointer(self, address: Value) -> Value:
        return self.b.pure(f"inttoptr i64 {address.name} to ptr", "ptr", 1)

    def _size(self, axis: int) -> Value:
        return self.args[self.arguments.sizes[axis]]

    def _moved(self, pointer: Value, buffer: int, axis: int, index: Value) -> Value:
        """Return an address further along an axis along which a buffer moves."""
        stride = self.kernel.buffers[buffer].strides[axis]
        step = index if stride == 1 else self.b.binary("mul", index, self.args[self.arguments.strides[buffer, axis]])
        return self.b.offset(pointer, step, stored(self.kernel.buffers[buffer].dtype))

    def _here(self, buffer: int) -> Value:
        """Return the address of the present element (or of the first lane) of a buffer."""
        pointers = self.pointers[-1]
        return pointers.get((buffer, self.row)) or pointers[buffer]

    # Elements.

    def _load(self, buffer: int, indices: list[Value], width: int) -> Value:
        b = self.b
        description = self.kernel.buffers[buffer]
        dtype, kind = description.dtype, stored(description.dtype)
        pointer = self._here(buffer)
        scalar = [(n, value) for n, value in enumerate(indices) if value.lanes == 1]
        vector = [(n, value) for n, value in enumerate(indices) if value.lanes > 1]
        for n, value in scalar:
            step = b.binary("mul", value, self.args[self.arguments.index_strides[buffer, n]])
            pointer = b.offset(pointer, step, kind)
        if width == 1:
            return self._fetch(pointer, dtype)
        stride = description.strides[self.lane]
        if not vector and stride == 1:
            if width == self.lanes[0] and self.fetches_ahead:
                self._fetch_ahead(pointer, width * BITS[kind] // 8)
            return self._fetch(pointer, dtype, width)
        parts = []
        for lane in range(width):
            place = pointer
            for n, value in vector:
                step = b.binary("mul", b.extract(value, lane), self.args[self.arguments.index_strides[buffer, n]])
                place = b.offset(place, step, kind)
            parts.append(self._fetch(self._beside(place, buffer, lane), dtype))
        return self._gather(parts)

    def _fetch_ahead(self, place: Value, size: int) -> None:
        """Ask for what the loop will load later."""
        b = self.b
        b.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        for line in range(0, size, CACHE_LINE):
            ahead = b.offset(place, b.number(AHEAD + line, "i64"), "i8")
            b.line(f"call void @llvm.prefetch.p0(ptr {ahead.name}, i32 0, i32 3, i32 1)")

    def _fetch(self, place: Value, dtype: str, width: int = 1) -> Value:
        """Load elements into registers."""
        value = self.b.load(place, stored(dtype), width)
        return short_floats.widened(self.b, value, dtype) if dtype in short_floats.SHORT else value

    def _keep(self, value: Value, place: Value, dtype: str) -> None:
        """Store elements."""
        self.b.store(short_floats.narrowed(self.b, value, dtype) if dtype in short_floats.SHORT else value, place)

    def _combined(self, how: str, dtype: str, there: Value, value: Value) -> Value:
        """Combine what is in memory with a value, as a number of the format."""
        result = elements.combine(self.b, how, dtype, there, value)
        return short_floats.rounded(self.b, result, dtype) if dtype in short_floats.SHORT else result

    def _beside(self, pointer: Value, buffer: int, lane: int) -> Value:
        """Return the address for one lane."""
        b = self.b
        stride = self.kernel.buffers[buffer].strides[self.lane]
        if stride == 0 or lane == 0:
            return pointer
        step = b.number(lane, "i64")
        if stride != 1:
            step = b.binary("mul", self.args[self.arguments.strides[buffer, self.lane]], step)
        return b.offset(pointer, step, stored(self.kernel.buffers[buffer].dtype))

    def _gather(self, parts: list[Value]) -> Value:
        b = self.b
        kind, width = parts[0].kind, len(parts)
        vector = Value("poison", kind, width)
        for lane, part in enumerate(parts):
            text = f"insertelement {vector.type} {vector.name}, {part.type} {part.name}, i32 {lane}"
            vector = b.pure(text, kind, width)
        return vector

    def _put_at_indices(self, store: Store, value: Value) -> None:
        """Write at computed places, one lane after the other where they differ from lane to lane."""
        b = self.b
        description = self.kernel.buffers[store.buffer]
        kind = stored(description.dtype)
        pointer = self._here(store.buffer)
        indices = [self._value(index) for index in store.indices]
        strides = [self.args[self.arguments.index_strides[store.buffer, n]] for n in range(len(indices))]
        is_vector = self.width > 1
        if is_vector and all(i.lanes == 1 for i in indices) and description.strides[self.lane] == 1:
            for index, stride in zip(indices, strides, strict=True):
                pointer = b.offset(pointer, b.binary("mul", index, stride), kind)
            self._merge(store, pointer, self._wide(value), self.width)
            return
        for lane in range(self.width):
            place = pointer
            for index, stride in zip(indices, strides, strict=True):
                place = b.offset(place, b.binary("mul", b.extract(index, lane), stride), kind)
            self._merge(
                store, self._beside(place, store.buffer, lane) if is_vector else place, b.extract(value, lane), 1
            )

    def _merge(self, store: Store, place: Value, value: Value, width: int) -> None:
        """Write a value over what is in memory, or combine the two."""
        dtype = self.kernel.buffers[store.buffer].dtype
        if store.how != "set":
            value = self._combined(store.how, dtype, self._fetch(place, dtype, width), value)
        self._keep(value, place, dtype)

    def _put(self, buffer: int, value: Value) -> None:
        b = self.b
        pointer = self._here(buffer)
        dtype = self.kernel.buffers[buffer].dtype
        stride = self.kernel.buffers[buffer].strides[self.lane] if self.kernel.axes else 0
        if self.width == 1 or stride == 0:
            self._keep(b.extract(value, 0), pointer, dtype)
            return
        value = self._wide(value)
        if stride == 1:
            self._keep(value, pointer, dtype)
            return
        for lane in range(self.width):
            self._keep(b.extract(value, lane), self._beside(pointer, buffer, lane), dtype)

    def _check(self, number: int, index: Value) -> Value:
        """Count a negative index from the end; report one that is out of range and take 0 instead."""
        b = self.b
        size = b.splat(self.args[self.arguments.limits[number]], index.lanes)
        zero = b.number(0, "i64", index.lanes)
        place = b.select(b.compare("slt", index, zero), b.binary("add", index, size), index)
        wrong = b.compare("uge", place, size)
        bad = wrong
        if index.lanes > 1:
            bad = b.intrinsic("vector.reduce.or", wrong, kind="i1", is_scalar=True)
        fail, go_on = b.label("fail"), b.label("fine")
        b.branch(bad, fail, go_on)
        b.begin(fail)
        b.store(b.number(1, "i64"), self._pointer_here(self.args[self.arguments.status]))
        b.jump(go_on)
        b.begin(go_on)
        return b.select(wrong, zero, place)

    def _pointer_here(self, address: Value) -> Value:
        return self.b.impure(f"inttoptr i64 {address.name} to ptr", "ptr", 1)
