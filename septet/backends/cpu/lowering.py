"""From the loop IR to LLVM IR: the loops, the passes over rows, the lanes.

A kernel becomes a function ``void kernel(i64* args, i64 begin, i64 end)`` over a part of its first outer axis (or a
single row, where it has none). Each value is written in the outermost loop in which it is known, so that nothing is left
to hoist. The loop along the axis of the lanes is written up to three times: for many neighbours at a time, for as many of
the rest as one register holds, and one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from septet.backends.cpu import elements, short_floats
from septet.backends.cpu.builder import BITS, Builder, Value
from septet.backends.cpu.loops import CHECK, LOAD, NUMBER, OP, POSITION, REDUCE, Facts, Kernel, Store, element, stored
from septet.backends.cpu.signs import signs

REGISTER = 256
"""Bits of a register, that of AVX."""
CACHE_LINE = 64
"""Bytes."""
AHEAD = 4096
"""How many bytes before they are loaded numbers are asked for (measured: 1024 to 8192 make no difference)."""


def lanes_of(kernel: Kernel) -> tuple[int, ...]:
    """Return how many neighbours are computed together in each of the loops along the lanes, the last one being 1.

    First two registers full, and four where there are functions of many instructions: a processor looks only so far ahead,
    and has to find operations there that do not wait for each other (measured: 4 to 13 % of the time of such loops). Then
    one register, where rows may be short. Reductions along the lanes have always the same number: the order of their
    additions must not depend on the functions in the loop.
    """
    width = REGISTER // (64 if any(term.dtype == "float64" for term in kernel.terms) else 32)
    names = {term.data[0] for term in kernel.terms if term.form == OP}
    registers = 4 if names & elements.DEAR and not names & elements.IN_DOUBLE else 2
    if kernel.lane_is_inner and any(term.form == REDUCE for term in kernel.terms):
        registers = 4
    is_one_row = kernel.axes == 1 or kernel.split == kernel.outer
    return (width * registers, 1) if is_one_row else (width * registers, width, 1)


def lower(kernel: Kernel, name: str) -> str:
    """Return the kernel as a module in LLVM's text form, with one function of the given name."""
    return _Lowering(kernel, name).module()


class _Lowering:
    """The state of writing one kernel."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel = kernel
        self.facts = Facts(kernel)
        # Where functions fill the processor's queues, loads wait their turn: what they need is asked for before (measured:
        # 10 to 20 % of the time of one function over long arrays).
        self.fetches_ahead = any(term.form == OP and term.data[0] in elements.DEAR for term in kernel.terms)
        self.signs = signs(kernel.terms)
        self.arguments = kernel.arguments()
        self.b = Builder(name, [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
        self.lanes = lanes_of(kernel)
        self.width = 1  # lanes of what is being written
        self.scopes: list[dict[int, Value]] = [{}]
        self.bound: set[int] = set()  # axes whose loops have been entered
        self.index: dict[int, Value] = {}
        self.pointers: list[dict[int, Value]] = []
        self.done = 0  # passes over the inner axes that have ended
        self.kept: dict[int, int] = {}  # term -> the pass that writes its row to memory
        self.rows: dict[int, Value] = {}  # term -> where its row lies
        self.in_rows = False

    def module(self) -> str:
        b, kernel = self.b, self.kernel
        self.args = [self._argument(position) for position in range(self.arguments.count)]
        self.pointers.append({number: self._pointer(self.args[number]) for number in range(len(kernel.buffers))})
        self._reserve_rows()
        self._outer(0)
        b.line("ret void")
        declarations = "\n".join(sorted(b.declarations))
        return f'{declarations}\n{b.text()}\nattributes #0 = {{ nounwind "no-trapping-math"="true" }}\n'

    # Arguments and addresses.

    def _argument(self, position: int) -> Value:
        return self.b.load(self.b.offset(Value("%args", "ptr", 1), self.b.number(position, "i64"), "i64"), "i64")

    def _pointer(self, address: Value) -> Value:
        return self.b.pure(f"inttoptr i64 {address.name} to ptr", "ptr", 1)

    def _size(self, axis: int) -> Value:
        return self.args[self.arguments.sizes[axis]]

    def _enter(self, axis: int, index: Value) -> None:
        """Stand at one position (or at the first lane) of an axis: move every pointer that moves along it."""
        b = self.b
        moved = dict(self.pointers[-1])
        for number, buffer in enumerate(self.kernel.buffers):
            stride = buffer.strides[axis]
            if stride == 0:
                continue
            step = index
            if stride != 1:
                step = b.binary("mul", index, self.args[self.arguments.strides[number, axis]])
            moved[number] = b.offset(moved[number], step, stored(buffer.dtype))
        self.pointers.append(moved)
        self.index[axis] = index
        self.bound.add(axis)
        self.scopes.append({})
        b.push()

    def _leave(self, axis: int) -> None:
        self.b.pop()
        self.scopes.pop()
        self.pointers.pop()
        self.bound.discard(axis)
        del self.index[axis]

    # Loops.

    def _loop(
        self, begin: Value, end: Value, step: int, carried: Sequence[Value],
        body: Callable[[Value, list[Value]], list[Value]],
    ) -> tuple[Value, list[Value]]:  # fmt: skip
        """Write a counted loop with carried values; return where it stopped, and what was carried out."""
        b = self.b
        enter, leave = b.label("body"), b.label("exit")
        width = b.number(step, "i64")
        first = b.binary("add", begin, width) if step != 1 else None
        ahead = b.compare("sle", first, end) if first is not None else b.compare("slt", begin, end)
        before = b.block
        b.branch(ahead, enter, leave)
        b.begin(enter)
        index = Value(b.fresh("i"), "i64", 1)
        phis = [Value(b.fresh("c"), value.kind, value.lanes) for value in carried]
        mark = len(b.lines)
        b.push()
        results = body(index, phis)
        following = b.impure(f"add nsw i64 {index.name}, {step}", "i64", 1)
        if step == 1:
            again = b.impure(f"icmp slt i64 {following.name}, {end.name}", "i1", 1)
        else:
            beyond = b.impure(f"add nsw i64 {following.name}, {step}", "i64", 1)
            again = b.impure(f"icmp sle i64 {beyond.name}, {end.name}", "i1", 1)
        latch = b.block
        b.branch(again, enter, leave)
        b.pop()
        head = [f"  {index.name} = phi i64 [ {begin.name}, %{before} ], [ {following.name}, %{latch} ]"]
        for phi, start, result in zip(phis, carried, results, strict=True):
            head.append(f"  {phi.name} = phi {phi.type} [ {start.name}, %{before} ], [ {result.name}, %{latch} ]")
        b.lines[mark:mark] = head
        b.begin(leave)
        stopped = b.impure(f"phi i64 [ {begin.name}, %{before} ], [ {following.name}, %{latch} ]", "i64", 1)
        out = [
            b.impure(
                f"phi {start.type} [ {start.name}, %{before} ], [ {result.name}, %{latch} ]", start.kind, start.lanes
            )
            for start, result in zip(carried, results, strict=True)
        ]
        return stopped, out

    def _outer(self, axis: int) -> None:
        """Write the loop over an outer axis and everything in it."""
        self.done = 0
        b, kernel = self.b, self.kernel
        if axis == kernel.outer:
            self._row()
            return
        begin = Value("%begin", "i64", 1) if axis == 0 else b.number(0, "i64")
        end = Value("%end", "i64", 1) if axis == 0 else self._size(axis)
        if axis == kernel.split:
            begin, end = self._piece(axis)
            for store in kernel.stores:
                if store.how and not store.indices:
                    self._clear(store, [a for a in range(2, kernel.axes) if kernel.buffers[store.buffer].strides[a]])
        self._prefetch()

        def at(width: int) -> Callable[[Value, list[Value]], list[Value]]:
            def body(index: Value, carried: list[Value]) -> list[Value]:
                self.width = width
                self._enter(axis, index)
                self._outer(axis + 1)
                self._leave(axis)
                self.width = 1
                return []

            return body

        if axis == kernel.lane and not kernel.lane_is_inner:
            for width in self.lanes[:-1]:
                begin, _ = self._loop(begin, end, width, [], at(width))
        self._loop(begin, end, 1, [], at(1))

    def _piece(self, axis: int) -> tuple[Value, Value]:
        """Return where the present piece of a split axis begins and ends."""
        b, piece = self.b, self.args[self.arguments.piece]
        begin = b.binary("mul", self.index[0], piece)
        return begin, b.intrinsic("smin", b.binary("add", begin, piece), self._size(axis))

    def _clear(self, store: Store, axes: list[int]) -> None:
        """Write the neutral element wherever a reduction in memory will add up, one axis after the other."""
        kernel, b = self.kernel, self.b
        dtype = kernel.buffers[store.buffer].dtype
        if not axes:
            self._put(store.buffer, elements.neutral(b, store.how, dtype, self.width))
            return

        def at(width: int) -> Callable[[Value, list[Value]], list[Value]]:
            def body(index: Value, carried: list[Value]) -> list[Value]:
                self.width = width
                self._enter(axes[0], index)
                self._clear(store, axes[1:])
                self._leave(axes[0])
                self.width = 1
                return []

            return body

        begin, end = b.number(0, "i64"), self._size(axes[0])
        for width in self.lanes if axes[0] == kernel.lane else (1,):
            begin, _ = self._loop(begin, end, width, [], at(width))

    # Rows.

    def _row(self) -> None:
        """Write what happens for one row: the passes over the inner axes, and the values between them."""
        kernel, facts = self.kernel, self.facts
        self.done = 0
        if kernel.inner == 0:
            for store in kernel.stores:
                self._store(store)
            return
        for stage in range(facts.passes):
            reductions = [
                number
                for number, term in enumerate(kernel.terms)
                if term.form == REDUCE and facts.stages[number] == stage + 1
            ]
            stores = [
                s
                for s in kernel.stores
                if self._is_row_store(s) and max(facts.stages[v] for v in _values_of([s])) == stage
            ]
            if reductions or stores:
                self._pass(stage, reductions, stores)
            self.done = stage + 1
        for store in kernel.stores:
            if not self._is_row_store(store):
                self._store(store)

    def _is_row_store(self, store: Store) -> bool:
        if store.indices:
            return True
        strides = self.kernel.buffers[store.buffer].strides
        return any(strides[axis] for axis in self.facts.inner)

    def _pass(self, stage: int, reductions: list[int], stores: list[Store]) -> None:
        """Write one pass over the inner axes."""
        kernel = self.kernel
        spills = [number for number, first in self.kept.items() if first == stage]
        needed = [*[kernel.terms[r].args[0] for r in reductions], *_values_of(stores), *spills]
        self._prefetch(needed)
        totals = self._inner(kernel.outer, reductions, stores, spills, [self._neutral(r) for r in reductions])
        for number, total in zip(reductions, totals, strict=True):
            is_vector = kernel.lane in self.facts.axes[number]
            self.scopes[-1][number] = total if is_vector else self.b.extract(total, 0)  # else all lanes are equal

    def _inner(
        self, axis: int, reductions: list[int], stores: list[Store], spills: list[int], carried: list[Value]
    ) -> list[Value]:
        """Write the loop over an inner axis; return the totals."""
        kernel, b = self.kernel, self.b
        begin, end = b.number(0, "i64"), self._size(axis)
        if axis == kernel.split:
            begin, end = self._piece(axis)
        is_last = axis == kernel.axes - 1
        needed = [*[kernel.terms[r].args[0] for r in reductions], *_values_of(stores), *spills]

        def at(width: int) -> Callable[[Value, list[Value]], list[Value]]:
            def body(index: Value, held: list[Value]) -> list[Value]:
                before, self.width = self.width, width
                self._enter(axis, index)
                if not is_last:
                    self._prefetch(needed)
                    results = self._inner(axis + 1, reductions, stores, spills, held)
                else:
                    results = []
                    for number, total in zip(reductions, held, strict=True):
                        value = self._wide(self._value(kernel.terms[number].args[0]))
                        results.append(
                            elements.combine(b, kernel.terms[number].data, kernel.terms[number].dtype, total, value)
                        )
                    for store in stores:
                        self._store(store)
                    for number in spills:
                        b.store(self._wide(self._value(number)), self._row_address(number))
                self._leave(axis)
                self.width = before
                return results

            return body

        if not (is_last and kernel.lane_is_inner):
            return self._loop(begin, end, 1, carried, at(self.width))[1]
        totals = [self._neutral(r, self.lanes[0]) for r in reductions]
        for width in self.lanes[:-1]:
            totals = [self._across(number, vector, width) for number, vector in zip(reductions, totals, strict=True)]
            begin, totals = self._loop(begin, end, width, totals, at(width))
        scalars = []
        for number, start, vector in zip(reductions, carried, totals, strict=True):
            term = kernel.terms[number]
            total = self._across(number, vector, 1)
            scalars.append(elements.combine(b, term.data, term.dtype, start, total))
        return self._loop(begin, end, 1, scalars, at(1))[1]

    def _across(self, number: int, vector: Value, lanes: int) -> Value:
        term = self.kernel.terms[number]
        return elements.across(self.b, term.data, term.dtype, vector, lanes)

    def _neutral(self, number: int, lanes: int | None = None) -> Value:
        term = self.kernel.terms[number]
        return elements.neutral(self.b, term.data, term.dtype, self.width if lanes is None else lanes)

    def _wide(self, value: Value) -> Value:
        return self.b.splat(value, self.width)

    # Rows kept in memory between passes.

    def _reserve_rows(self) -> None:
        """Reserve memory for values that are dear to compute and needed in more than one pass."""
        kernel = self.kernel
        self.kept = {}
        if kernel.lane_is_inner and kernel.inner == 1 and kernel.keeps_rows:
            self.kept = _rows_to_keep(kernel, self.facts)
        for number in self.kept:
            kind = element(self.kernel.terms[number].dtype)
            size = self._size(self.kernel.outer)
            cell = "i8" if kind == "i1" else kind
            self.rows[number] = self.b.impure(f"alloca {cell}, i64 {size.name}, align 64", "ptr", 1)

    def _row_address(self, number: int) -> Value:
        kind = element(self.kernel.terms[number].dtype)
        return self.b.offset(self.rows[number], self.index[self.kernel.outer], kind)

    # Values.

    def _prefetch(self, needed: Sequence[int] | None = None) -> None:
        """Write what is known already of the values that loops further in need."""
        kernel, facts = self.kernel, self.facts
        if needed is None:
            needed = _values_of(kernel.stores)
            needed = [*needed, *[n for n, term in enumerate(kernel.terms) if term.form == REDUCE]]
        seen: set[int] = set()
        pending = list(needed)
        while pending:
            number = pending.pop()
            if number in seen:
                continue
            seen.add(number)
            term = kernel.terms[number]
            if term.form == REDUCE:
                if facts.stages[number] > self.done or not self._is_bound(number):
                    pending.extend(term.args)
                continue
            if self._is_bound(number) and facts.stages[number] <= self.done and term.form != NUMBER:
                self._value(number)
            elif self.kept.get(number, self.done) >= self.done:
                pending.extend(term.args)

    def _is_bound(self, number: int) -> bool:
        """Tell whether the loops that a value varies along have all been entered, the lanes among them."""
        return self.facts.axes[number] <= self.bound

    def _value(self, number: int) -> Value:
        """Return a value, written now with all that it needs, where it has not been."""
        found = self._known(number)
        if found is not None:
            return found
        stack = [number]
        while stack:
            top = stack[-1]
            if self._known(top) is None:
                args = () if self.kept.get(top, self.done) < self.done else self.kernel.terms[top].args
                missing = [arg for arg in args if self._known(arg) is None]
                if missing:
                    stack.extend(missing)
                    continue
                self.scopes[-1][top] = self._write(top)
            stack.pop()
        return self.scopes[-1][number]

    def _known(self, number: int) -> Value | None:
        for scope in reversed(self.scopes):
            if number in scope:
                return scope[number]
        return None

    def _write(self, number: int) -> Value:
        kernel, b = self.kernel, self.b
        term = kernel.terms[number]
        is_vector = self.width > 1 and kernel.lane in self.facts.axes[number]
        if self.kept.get(number, self.done) < self.done:
            return b.load(self._row_address(number), element(term.dtype), self.width)
        if term.form == NUMBER:
            return b.number(term.data, element(term.dtype))
        if term.form == LOAD:
            return self._load(term.data, [self._value(arg) for arg in term.args], self.width if is_vector else 1)
        if term.form == POSITION:
            index = self.index[term.data]
            if not is_vector:
                return index
            lanes = ", ".join(f"i64 {lane}" for lane in range(self.width))
            return b.binary("add", b.splat(index, self.width), Value(f"<{lanes}>", "i64", self.width))
        if term.form == CHECK:
            return self._check(number, self._value(term.args[0]))
        assert term.form == OP, f"{term.form} {number} is not known in this place"
        args = [self._value(arg) for arg in term.args]
        if is_vector:
            args = [b.splat(value, self.width) for value in args]
        name, params = term.data
        dtypes = [kernel.terms[arg].dtype for arg in term.args]
        is_not_positive = bool(args) and self.signs[term.args[0]].is_not_positive
        return elements.apply(b, name, params, args, dtypes, term.dtype, is_not_positive)

    def _load(self, buffer: int, indices: list[Value], width: int) -> Value:
        b = self.b
        description = self.kernel.buffers[buffer]
        dtype, kind = description.dtype, stored(description.dtype)
        pointer = self.pointers[-1][buffer]
        scalar = [(n, value) for n, value in enumerate(indices) if value.lanes == 1]
        vector = [(n, value) for n, value in enumerate(indices) if value.lanes > 1]
        for n, value in scalar:
            step = b.binary("mul", value, self.args[self.arguments.index_strides[buffer, n]])
            pointer = b.offset(pointer, step, kind)
        if width == 1:
            return self._fetch(pointer, dtype)
        stride = description.strides[self.kernel.lane]
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
        stride = self.kernel.buffers[buffer].strides[self.kernel.lane]
        if stride == 0 or lane == 0:
            return pointer
        step = b.number(lane, "i64")
        if stride != 1:
            step = b.binary("mul", self.args[self.arguments.strides[buffer, self.kernel.lane]], step)
        return b.offset(pointer, step, stored(self.kernel.buffers[buffer].dtype))

    def _gather(self, parts: list[Value]) -> Value:
        b = self.b
        kind, width = parts[0].kind, len(parts)
        vector = Value("poison", kind, width)
        for lane, part in enumerate(parts):
            text = f"insertelement {vector.type} {vector.name}, {part.type} {part.name}, i32 {lane}"
            vector = b.pure(text, kind, width)
        return vector

    def _store(self, store: Store) -> None:
        """Write a value, or combine it with what is in memory."""
        value = self._value(store.value)
        if store.indices:
            self._put_at_indices(store, value)
            return
        if store.how:
            there = self._load(store.buffer, [], self.width)
            dtype = self.kernel.buffers[store.buffer].dtype
            value = self._combined(store.how, dtype, there, self._wide(value))
        self._put(store.buffer, value)

    def _put_at_indices(self, store: Store, value: Value) -> None:
        """Write at computed places, one lane after the other where they differ from lane to lane."""
        b = self.b
        description = self.kernel.buffers[store.buffer]
        kind = stored(description.dtype)
        pointer = self.pointers[-1][store.buffer]
        indices = [self._value(index) for index in store.indices]
        strides = [self.args[self.arguments.index_strides[store.buffer, n]] for n in range(len(indices))]
        is_vector = self.width > 1
        if is_vector and all(i.lanes == 1 for i in indices) and description.strides[self.kernel.lane] == 1:
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
        pointer = self.pointers[-1][buffer]
        dtype = self.kernel.buffers[buffer].dtype
        stride = self.kernel.buffers[buffer].strides[self.kernel.lane] if self.kernel.axes else 0
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


def _values_of(stores: Sequence[Store]) -> list[int]:
    """Return what stores need."""
    return [term for store in stores for term in (store.value, *store.indices)]


def _rows_to_keep(kernel: Kernel, facts: Facts) -> dict[int, int]:
    """Return values along the inner axes that are dear to compute and needed in several passes, with their first pass."""
    dear: list[bool] = []
    for term in kernel.terms:
        is_dear = term.form == OP and term.data[0] in elements.DEAR
        dear.append(is_dear or (term.form == OP and any(dear[a] and facts.is_inner(a) for a in term.args)))
    first: dict[int, int] = {}
    kept: dict[int, int] = {}
    for stage in range(facts.passes):
        pending = [
            term.args[0] for n, term in enumerate(kernel.terms) if term.form == REDUCE and facts.stages[n] == stage + 1
        ]
        pending += [s.value for s in kernel.stores if facts.stages[s.value] == stage and facts.is_inner(s.value)]
        seen: set[int] = set()
        while pending:
            number = pending.pop()
            if number in seen or not facts.is_inner(number):
                continue
            seen.add(number)
            if dear[number] and first.setdefault(number, stage) != stage:
                kept[number] = first[number]
                continue
            if kernel.terms[number].form != REDUCE:
                pending.extend(kernel.terms[number].args)
    return kept
