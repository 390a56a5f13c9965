"""From the loop IR to LLVM IR: the loops, the passes over rows, the lanes.

A kernel becomes a function ``void kernel(i64* args, i64 begin, i64 end)`` over a part of its first outer axis (or a
single row, where it has none). Each value is written in the outermost loop in which it is known, so that nothing is left
to hoist. The loop along the axis of the lanes is written up to three times: for many neighbours at a time, for as many of
the rest as one register holds, and one by one.

Functions of one number for each row leave lanes idle. Where they count, eight rows are a block (`rows` says when): they
go through each pass one after the other or a few together, and what happens between the passes is computed for all of
them at once, with the rows as lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.backends.cpu import elements
from septet.backends.cpu.accesses import Accesses
from septet.backends.cpu.builder import Value
from septet.backends.cpu.loops import CHECK, LOAD, NUMBER, OP, POSITION, REDUCE, Facts, Kernel, Store, element, kind_of
from septet.backends.cpu.rows import CACHED_BYTES, RUN, bytes_per_point, rows_in_loop, rows_to_keep
from septet.backends.cpu.signs import signs

REGISTER = 256
"""Bits of a register, that of AVX."""
SIMPLE = 6
"""Values of a kernel of which eight registers of totals fit beside."""


def lanes_of(kernel: Kernel) -> tuple[int, ...]:
    """Return how many neighbours are computed together in each of the loops along the lanes, the last one being 1.

    First two registers full, and four where there are functions of many instructions: a processor looks only so far ahead,
    and has to find operations there that do not wait for each other (measured: 4 to 13 % of the time of such loops). Then
    one register, where rows may be short. Totals beside each other take eight: each addition waits for the one before, and
    longer pieces of rows are read. Reductions along the lanes have always the same number: the order of their
    additions must not depend on the functions in the loop.
    """
    width = REGISTER // (64 if any(term.dtype == "float64" for term in kernel.terms) else 32)
    names = {term.data[0] for term in kernel.terms if term.form == OP}
    registers = 4 if names & elements.DEAR and not names & elements.IN_DOUBLE else 2
    if any(term.form == REDUCE for term in kernel.terms):
        if kernel.lane_is_inner:
            registers = 4
        elif not names & elements.DEAR and len(kernel.terms) <= SIMPLE and _is_dense(kernel):
            registers = 8
    is_one_row = kernel.axes == 1 or kernel.split == kernel.outer
    return (width * registers, 1) if is_one_row else (width * registers, width, 1)


def lower(kernel: Kernel, name: str) -> str:
    """Return the kernel as a module in LLVM's text form, with one function of the given name."""
    return _Lowering(kernel, name).module()


def _is_dense(kernel: Kernel) -> bool:
    """Whether what moves along the lanes are neighbours in memory."""
    return all(buffer.strides[kernel.lane] in (0, 1) for buffer in kernel.buffers)


class _Lowering(Accesses):
    """The state of writing one kernel."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        super().__init__(kernel, name)
        self.facts = Facts(kernel)
        # Where functions fill the processor's queues, loads wait their turn: what they need is asked for before (measured:
        # 10 to 20 % of the time of one function over long arrays).
        self.fetches_ahead = any(
            term.form == OP and term.data[0] in elements.DEAR and (kernel.rows == 1 or self.facts.is_inner(number))
            for number, term in enumerate(kernel.terms)
        )
        self.signs = signs(kernel.terms)
        self.lanes = lanes_of(kernel)
        self.scopes: list[dict[Any, Value]] = [{}]
        self.bound: set[int] = set()  # axes whose loops have been entered
        self.index: dict[int, Value] = {}
        self.done = 0  # passes over the inner axes that have ended
        self.kept: dict[int, int] = {}  # term -> the pass that writes its row to memory
        self.rows: dict[int, Value] = {}  # term -> where its row lies
        # In a block of rows (see `_block`):
        self.reserved: list[str] = []  # memory on the stack, for the beginning of the function
        self.slots: dict[int, Value] = {}  # term -> where its values for the rows of the block lie
        self.group: Sequence[int | None] = (None,)  # the rows that share a loop, counted from `first`
        self.first = self.b.number(0, "i64")

    def module(self) -> str:
        b, kernel = self.b, self.kernel
        self.args = [self._argument(position) for position in range(self.arguments.count)]
        self.pointers.append({number: self._pointer(self.args[number]) for number in range(len(kernel.buffers))})
        self._reserve_rows()
        self._outer(0)
        b.line("ret void")
        b.lines[:0] = self.reserved
        declarations = "\n".join(sorted(b.declarations))
        return f'{declarations}\n{b.text()}\nattributes #0 = {{ nounwind "no-trapping-math"="true" }}\n'

    def _enter(self, axis: int, index: Value) -> None:
        """Stand at one position (or at the first lane) of an axis: move every pointer that moves along it."""
        b = self.b
        moved = dict(self.pointers[-1])
        for place, pointer in self.pointers[-1].items():
            number = place if isinstance(place, int) else place[0]
            if self.kernel.buffers[number].strides[axis]:
                moved[place] = self._moved(pointer, number, axis, index)
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
        if axis == kernel.outer - 1 and kernel.rows > 1:
            blocks_end = self._end_of_blocks(axis, begin, end)
            begin, _ = self._loop(begin, blocks_end, kernel.rows, [], lambda index, carried: self._block(axis, index))
        self._loop(begin, end, 1, [], at(1))

    def _end_of_blocks(self, axis: int, begin: Value, end: Value) -> Value:
        """Return where blocks of rows end: where they begin, if the passes of a block would not find its rows in a cache.

        That is seen when the kernel runs: another number of rows, as of a last batch, needs no other kernel.
        """
        b, kernel = self.b, self.kernel
        if self.facts.passes <= 2:
            return end
        size = b.number(bytes_per_point(kernel), "i64")
        for own in range(axis, kernel.axes):
            size = b.binary("mul", size, self._size(own))
        return b.select(b.compare("sle", size, b.number(CACHED_BYTES, "i64")), end, begin)

    def _block(self, axis: int, index: Value) -> list[Value]:
        """Write what happens for a block of neighbouring rows.

        What is computed of totals, one number a row, is computed for all of them together: the lanes are the rows. The
        passes over the inner axes are those of single rows, several of them in one loop where they share operands. Each
        number is computed as it is for a row by itself, so that it does not matter where blocks begin.
        """
        self.lane, self.width = axis, self.kernel.rows
        self.slots = {}
        self._enter(axis, index)
        self._row()
        self._leave(axis)
        self.lane, self.width = self.kernel.lane, 1
        return []

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
        reached = self._prefetch(needed)
        if self.lane != kernel.lane:
            self._pass_of_block(needed, reached, reductions, stores, spills)
            return
        totals = self._inner(kernel.outer, reductions, stores, spills, [self._neutral(r) for r in reductions])
        for number, total in zip(reductions, totals, strict=True):
            is_vector = kernel.lane in self.facts.axes[number]
            self.scopes[-1][number] = total if is_vector else self.b.extract(total, 0)  # else all lanes are equal

    def _pass_of_block(
        self, needed: list[int], reached: list[int], reductions: list[int], stores: list[Store], spills: list[int]
    ) -> None:
        """Write one pass over the inner axes for each row of a block; numbers of rows go through memory."""
        kernel, b, axis, rows = self.kernel, self.b, self.lane, self.width
        own = [number for number in reached if axis in self.facts.axes[number]]
        for number in own:
            if number not in self.slots:
                self.slots[number] = self._slot(number)
                b.store(self._value(number), self.slots[number])
        together = rows_in_loop(kernel, self.facts, needed, len(own), reductions, stores)
        totals = [self._slot(number) for number in reductions]

        def body(first: Value, carried: list[Value]) -> list[Value]:
            self.lane, self.width = kernel.lane, 1
            self.first, self.group = first, range(together)
            moved = dict(self.pointers[-1])
            for number, buffer in enumerate(kernel.buffers):
                if buffer.strides[axis]:
                    for row in self.group:
                        moved[number, row] = self._moved(moved[number], number, axis, self._row_number(row))
            self.pointers.append(moved)
            self.scopes.append({})
            b.push()
            self._prefetch_rows(needed)
            start = [self._neutral(number) for number in reductions] * together
            results = self._inner(kernel.outer, reductions, stores, spills, start)
            for place, result in enumerate(results):
                row, number = divmod(place, len(reductions))
                kind = element(kernel.terms[reductions[number]].dtype)
                b.store(result, b.offset(totals[number], self._row_number(row), kind))
            b.pop()
            self.scopes.pop()
            self.pointers.pop()
            self.lane, self.width, self.group = axis, rows, (None,)
            return []

        if together == rows:
            body(b.number(0, "i64"), [])
        else:
            self._loop(b.number(0, "i64"), b.number(rows, "i64"), together, [], body)
        for number, slot in zip(reductions, totals, strict=True):
            self.scopes[-1][number] = b.load(slot, element(kernel.terms[number].dtype), rows)

    def _slot(self, number: int) -> Value:
        """Return memory for a value of each row of a block."""
        kind = element(self.kernel.terms[number].dtype)
        name = self.b.fresh("slot")
        cell = "i8" if kind == "i1" else kind
        self.reserved.append(f"  {name} = alloca [{self.kernel.rows} x {cell}], align 64")
        return Value(name, "ptr", 1)

    def _row_number(self, row: int) -> Value:
        """Return the number of a row in its block."""
        return self.b.binary("add", self.first, self.b.number(row, "i64"))

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
                    self._prefetch_rows(needed)
                    results = self._inner(axis + 1, reductions, stores, spills, held)
                else:
                    results = []
                    totals = iter(held)
                    for row in self.group:
                        self.row = row
                        for number in reductions:
                            term = kernel.terms[number]
                            value = self._wide(self._value(term.args[0]))
                            results.append(elements.combine(b, term.data, term.dtype, next(totals), value))
                        for number in spills:
                            b.store(self._wide(self._value(number)), self._row_address(number))
                    self.row = None
                    for store in stores:
                        self._store(store)
                self._leave(axis)
                self.width = before
                return results

            return body

        if not (is_last and kernel.lane_is_inner):
            return self._loop(begin, end, 1, carried, at(self.width))[1]
        every = reductions * len(self.group)
        totals = [self._neutral(number, self.lanes[0]) for number in every]
        for width in self.lanes[:-1]:
            totals = [self._across(number, vector, width) for number, vector in zip(every, totals, strict=True)]
            if not kernel.is_short and width == self.lanes[0] and any(map(self._adds_floats, reductions)):
                begin, totals = self._in_runs(begin, end, every, totals, at(width))
            else:
                begin, totals = self._loop(begin, end, width, totals, at(width))
        scalars = []
        for number, start, vector in zip(every, carried, totals, strict=True):
            term = kernel.terms[number]
            total = self._across(number, vector, 1)
            scalars.append(elements.combine(b, term.data, term.dtype, start, total))
        return self._loop(begin, end, 1, scalars, at(1))[1]

    def _adds_floats(self, number: int) -> bool:
        term = self.kernel.terms[number]
        return term.data == "add" and kind_of(term.dtype) == "f"

    def _in_runs(
        self, begin: Value, end: Value, every: list[int], totals: list[Value],
        body: Callable[[Value, list[Value]], list[Value]],
    ) -> tuple[Value, list[Value]]:  # fmt: skip
        """Write the loop of the widest lanes in runs, each of which adds up for itself: see `rows.RUN`."""
        b, width, terms = self.b, self.lanes[0], self.kernel.terms

        def goes_on(state: Sequence[Value]) -> Value:
            return b.compare("sle", b.binary("add", state[0], b.number(width, "i64")), end)

        def step(state: Sequence[Value]) -> list[Value]:
            index, *held = state
            stop = b.intrinsic("smin", b.binary("add", index, b.number(RUN * width, "i64")), end)
            following, found = self._loop(index, stop, width, [self._neutral(n, width) for n in every], body)
            pairs = zip(every, held, found, strict=True)
            return [following, *[elements.combine(b, terms[n].data, terms[n].dtype, x, y) for n, x, y in pairs]]

        stopped, *found = b.repeat([begin, *totals], goes_on, step)
        return stopped, found

    def _across(self, number: int, vector: Value, lanes: int) -> Value:
        term = self.kernel.terms[number]
        return elements.across(self.b, term.data, term.dtype, vector, lanes)

    def _neutral(self, number: int, lanes: int | None = None) -> Value:
        term = self.kernel.terms[number]
        return elements.neutral(self.b, term.data, term.dtype, self.width if lanes is None else lanes)

    # Rows kept in memory between passes.

    def _reserve_rows(self) -> None:
        """Reserve memory for values that are dear to compute and needed in more than one pass."""
        kernel = self.kernel
        self.kept = {}
        if kernel.lane_is_inner and kernel.inner == 1 and kernel.is_short:
            self.kept = rows_to_keep(kernel, self.facts)
        for number in self.kept:
            kind = element(self.kernel.terms[number].dtype)
            size = self._size(self.kernel.outer)
            if kernel.rows > 1:
                size = self.b.binary("mul", size, self.b.number(kernel.rows, "i64"))
            cell = "i8" if kind == "i1" else kind
            self.rows[number] = self.b.impure(f"alloca {cell}, i64 {size.name}, align 64", "ptr", 1)

    def _row_address(self, number: int) -> Value:
        kind = element(self.kernel.terms[number].dtype)
        place = self.index[self.kernel.outer]
        if self.row is not None:
            before = self.b.binary("mul", self._row_number(self.row), self._size(self.kernel.outer))
            place = self.b.binary("add", place, before)
        return self.b.offset(self.rows[number], place, kind)

    # Values.

    def _prefetch(self, needed: Sequence[int] | None = None) -> list[int]:
        """Write what is known already of the values that loops further in need; return which these are."""
        kernel, facts = self.kernel, self.facts
        if needed is None:
            needed = _values_of(kernel.stores)
            needed = [*needed, *[n for n, term in enumerate(kernel.terms) if term.form == REDUCE]]
        seen: set[int] = set()
        reached: list[int] = []
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
                else:
                    reached.append(number)
                continue
            if self._is_bound(number) and facts.stages[number] <= self.done and term.form != NUMBER:
                self._value(number)
                reached.append(number)
            elif self.kept.get(number, self.done) >= self.done:
                pending.extend(term.args)
        return reached

    def _prefetch_rows(self, needed: Sequence[int]) -> None:
        """Do so for each of the rows that share a loop."""
        for row in self.group:
            self.row = row
            self._prefetch(needed)
        self.row = None

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
                self.scopes[-1][self._name(top)] = self._write(top)
            stack.pop()
        return self.scopes[-1][self._name(number)]

    def _name(self, number: int) -> Any:
        """Return what a value goes by in scopes: where rows share a loop, that of each row by its own name."""
        if self.row is None or self.kernel.outer - 1 not in self.facts.axes[number]:
            return number
        return number, self.row

    def _known(self, number: int) -> Value | None:
        name = self._name(number)
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if self.row is not None and name != number and number in self.slots:
            kind = element(self.kernel.terms[number].dtype)
            place = self.b.offset(self.slots[number], self._row_number(self.row), kind)
            value = self.scopes[-1][name] = self.b.load(place, kind)
            return value
        return None

    def _write(self, number: int) -> Value:
        kernel, b = self.kernel, self.b
        term = kernel.terms[number]
        is_vector = self.width > 1 and self.lane in self.facts.axes[number]
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

    def _store(self, store: Store) -> None:
        """Write a value, or combine it with what is in memory."""
        if store.indices:
            self._put_at_indices(store, self._value(store.value))
            return
        description = self.kernel.buffers[store.buffer]
        is_shared = bool(store.how) and self.kernel.rows > 1 and not description.strides[self.kernel.outer - 1]
        if not is_shared:
            for row in self.group:
                self.row = row
                value = self._value(store.value)
                if store.how:
                    there = self._load(store.buffer, [], self.width)
                    value = self._combined(store.how, description.dtype, there, self._wide(value))
                self._put(store.buffer, value)
            self.row = None
            return
        is_across = self.width > 1 and self.lane == self.kernel.outer - 1
        total = self._load(store.buffer, [], 1 if is_across else self.width)
        for row in self.group:
            self.row = row
            value = self._value(store.value)
            if is_across:
                for lane in range(self.width):
                    own = self.b.extract(value, lane)
                    total = self._combined(store.how, description.dtype, total, own)
            else:
                total = self._combined(store.how, description.dtype, total, self._wide(value))
        self.row = None
        self._put(store.buffer, total)


def _values_of(stores: Sequence[Store]) -> list[int]:
    """Return what stores need."""
    return [term for store in stores for term in (store.value, *store.indices)]
