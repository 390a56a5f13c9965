"""Writing native functions with loops and branches, on top of the builder: for the drivers of tiled kernels.

Integers of type i64 are `Int`, with Python's operators. What changes from turn to turn of a loop is carried by the loop
(`Loop`, for hot ones) or lies in a `Cell` on the stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from septet.backends.cpu.builder import BITS, Builder, Value

ATTRIBUTES = 'attributes #0 = { nounwind "no-trapping-math"="true" }\n'


class Int:
    """An i64 of a function under way, or a known integer."""

    __slots__ = ("value", "writer")

    def __init__(self, writer: Writer, value: Value) -> None:
        self.writer = writer
        self.value = value

    def _op(self, op: str, other: Int | int) -> Int:
        return Int(self.writer, self.writer.b.binary(op, self.value, self.writer.number(other).value))

    def __add__(self, other: Int | int) -> Int:
        return self if _is(other, 0) else self._op("add", other)

    def __sub__(self, other: Int | int) -> Int:
        return self if _is(other, 0) else self._op("sub", other)

    def __mul__(self, other: Int | int) -> Int:
        return self if _is(other, 1) else self._op("mul", other)

    def __floordiv__(self, other: Int | int) -> Int:
        return self if _is(other, 1) else self._op("udiv", other)

    def __mod__(self, other: Int | int) -> Int:
        return self._op("urem", other)

    def min(self, other: Int | int) -> Int:
        """Return the smaller one."""
        return Int(self.writer, self.writer.b.intrinsic("smin", self.value, self.writer.number(other).value))

    def max(self, other: Int | int) -> Int:
        """Return the larger one."""
        return Int(self.writer, self.writer.b.intrinsic("smax", self.value, self.writer.number(other).value))

    def compare(self, condition: str, other: Int | int) -> Value:
        """Return a truth value; conditions are those of ``icmp``."""
        return self.writer.b.compare(condition, self.value, self.writer.number(other).value)


def _is(value: Int | int, number: int) -> bool:
    return isinstance(value, int) and value == number


class Writer:
    """One native function under way.

    Parameters
    ----------
    name : str
    parameters : sequence of (str, str)
        Name and type.
    is_internal : bool
        Called from functions of the same module only.
    """

    def __init__(self, name: str, parameters: Sequence[tuple[str, str]], *, is_internal: bool = False) -> None:
        self.b = Builder(name, parameters, linkage="internal" if is_internal else "")

    # Values.

    def number(self, value: Int | int) -> Int:
        """Return a number as an `Int`."""
        return value if isinstance(value, Int) else Int(self, self.b.number(value, "i64"))

    def parameter(self, name: str) -> Int:
        """Return a parameter of type i64."""
        return Int(self, Value(f"%{name}", "i64", 1))

    def pointer(self, name: str) -> Value:
        """Return a parameter that is a pointer."""
        return Value(f"%{name}", "ptr", 1)

    def slot(self, args: Value, number: int) -> Int:
        """Return one of the i64 that `args` points to."""
        return Int(self, self.b.load(self.b.offset(args, self.b.number(number, "i64"), "i64"), "i64"))

    def to_pointer(self, address: Int) -> Value:
        """Return an address as a pointer."""
        return self.b.pure(f"inttoptr i64 {address.value.name} to ptr", "ptr", 1)

    def at(self, pointer: Value, index: Int | int, kind: str) -> Value:
        """Return the address of an element."""
        return self.b.offset(pointer, self.number(index).value, kind)

    def load(self, pointer: Value, index: Int | int) -> Int:
        """Load an i64 out of an array."""
        return Int(self, self.b.load(self.at(pointer, index, "i64"), "i64"))

    def store(self, value: Int | int, pointer: Value, index: Int | int) -> None:
        """Store an i64 into an array."""
        self.b.store(self.number(value).value, self.at(pointer, index, "i64"))

    def cell(self, value: Int | int = 0) -> Cell:
        """Return a variable on the stack."""
        cell = Cell(self)
        cell.set(value)
        return cell

    def reserve(self, count: int, kind: str) -> Value:
        """Return memory on the stack, for the whole function; aligned to 64 bytes."""
        name = self.b.fresh("stack")
        self.b.lines.insert(0, f"  {name} = alloca [{count} x {kind}], align 64")
        return Value(name, "ptr", 1)

    def call(self, function: str, *args: Value | Int) -> None:
        """Call a function of the module."""
        values = [arg.value if isinstance(arg, Int) else arg for arg in args]
        self.b.line(f"call void @{function}({', '.join(f'{v.type} {v.name}' for v in values)})")

    # Control.

    @contextmanager
    def range(self, start: Int | int, stop: Int | int, step: Int | int = 1) -> Iterator[Int]:
        """Write a loop over start, start + step ... below stop; none where start is not below stop."""
        b = self.b
        first, last = self.number(start), self.number(stop)
        before, body, done = b.block, b.label("body"), b.label("done")
        b.branch(first.compare("slt", last), body, done)
        b.begin(body)
        mark = self._mark()
        index = Int(self, Value(b.fresh(), "i64", 1))
        b.push()
        yield index
        following = index + step
        again = following.compare("slt", last)
        self._join(mark, [(index.value, first.value, following.value)], before)
        b.branch(again, body, done)
        b.pop()
        b.begin(done)

    def _mark(self) -> str:
        """Keep a place in the text, where the values that meet at the head of a loop will be named."""
        mark = self.b.label("head")
        self.b.lines.append(mark)
        return mark

    def _join(self, mark: str, rows: Sequence[tuple[Value, Value, Value]], before: str) -> None:
        """Name the values that meet at the head of a loop: each is one on entering, another from the second turn on."""
        b = self.b
        place = b.lines.index(mark)
        b.lines[place : place + 1] = [
            f"  {name.name} = phi {name.type} [ {first.name}, %{before} ], [ {after.name}, %{b.block} ]"
            for name, first, after in rows
        ]

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Write a branch that is taken where a condition holds."""
        b = self.b
        yes, done = b.label("yes"), b.label("no")
        b.branch(condition, yes, done)
        b.begin(yes)
        b.push()
        yield
        b.pop()
        b.jump(done)
        b.begin(done)

    @contextmanager
    def otherwise(self, condition: Value) -> Iterator[None]:
        """Write a branch that is taken where a condition does not hold."""
        turned = self.b.binary("xor", condition, self.b.number(True, "i1"))
        with self.when(turned):
            yield

    def text(self) -> str:
        """Return the finished function."""
        self.b.line("ret void")
        return self.b.text()


class Loop:
    """A loop that runs at least once and carries values in registers.

    Parameters
    ----------
    writer : Writer
    count : Int
        How often, at least 1.
    carried : sequence of Value
        What goes into the first turn.

    Attributes
    ----------
    index : Int
        0, 1, ...
    values : list of Value
        What is carried: inside the loop what came in, after `close` what came out.
    """

    def __init__(self, writer: Writer, count: Int | int, carried: Sequence[Value]) -> None:
        self.writer = writer
        b = writer.b
        self._count = writer.number(count)
        self._first = list(carried)
        self._before, self._body, self._done = b.block, b.label("turn"), b.label("after")
        b.jump(self._body)
        b.begin(self._body)
        self._mark = writer._mark()
        self.index = Int(writer, Value(b.fresh(), "i64", 1))
        self.values = [Value(b.fresh(), value.kind, value.lanes) for value in carried]
        b.push()

    def close(self, values: Sequence[Value]) -> None:
        """End the loop; the values go into the next turn, or out."""
        b = self.writer.b
        following = self.index + 1
        again = following.compare("slt", self._count)
        b.pop()
        rows = [(self.index.value, self.writer.number(0).value, following.value)]
        rows += list(zip(self.values, self._first, values, strict=True))
        self.writer._join(self._mark, rows, self._before)
        b.branch(again, self._body, self._done)
        b.begin(self._done)
        self.values = list(values)


class Cell:
    """An i64 on the stack."""

    __slots__ = ("_place", "_writer")

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._place = writer.reserve(1, "i64")

    def get(self) -> Int:
        """Return the present value."""
        return Int(self._writer, self._writer.b.load(self._place, "i64"))

    def set(self, value: Int | int) -> None:
        """Change the value."""
        self._writer.b.store(self._writer.number(value).value, self._place)

    def add(self, value: Int | int) -> None:
        """Add to the value."""
        self.set(self.get() + value)


class Block:
    """A block of integers whose places have names; each is loaded when it is asked for.

    Parameters
    ----------
    writer : Writer
    pointer : Value
    names : sequence of str
    """

    def __init__(self, writer: Writer, pointer: Value, names: Sequence[str]) -> None:
        self._writer = writer
        self._names = names
        self.pointer = pointer

    def __getattr__(self, name: str) -> Int:
        return self._writer.slot(self.pointer, self._names.index(name))


def size_of(kind: str) -> int:
    """Return the bytes of an element."""
    return BITS[kind] // 8


def module_text(functions: Sequence[Writer]) -> str:
    """Return a module made of functions."""
    texts = [function.text() for function in functions]
    declarations = sorted({line for function in functions for line in function.b.declarations})
    return "\n".join([*declarations, *texts, ATTRIBUTES])
