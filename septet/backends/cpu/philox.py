"""Random bits by Philox4x32-10, eight counters at a time: native functions with the layout that `base.random` promises.

In memory, 32-bit and 64-bit elements of a draw are the same bytes: the words of block 0, of block 1, and so on. Words are
kept in 64-bit lanes, whose lower halves are what counts; the product of two words fills the lane.
"""

from __future__ import annotations

from collections.abc import Sequence

from septet.backends.cpu import jit
from septet.backends.cpu.builder import Builder, Value
from septet.base.random import KEY_STEPS, MULTIPLIERS, ROUNDS

BLOCKS = 8
"""Blocks at a time: two chains of four lanes, so that one multiplies while the other waits."""
UNIT = 16 * BLOCKS
"""Bytes that they fill."""


class _Words:
    """Arithmetic on 64-bit lanes."""

    def __init__(self, b: Builder, lanes: int) -> None:
        self.b = b
        self.lanes = lanes

    def number(self, value: int) -> Value:
        return self.b.number(value, "i64", self.lanes)

    def low(self, x: Value) -> Value:
        return self.b.binary("and", x, self.number(0xFFFFFFFF))

    def high(self, x: Value) -> Value:
        return self.b.binary("lshr", x, self.number(32))

    def joined(self, low: Value, high: Value) -> Value:
        return self.b.binary("or", self.low(low), self.b.binary("shl", high, self.number(32)))

    def rounds(self, counter: Sequence[Value], keys: Sequence[tuple[Value, Value]]) -> tuple[Value, Value]:
        """Do the ten rounds; return the four words as two longs."""
        c0, c1, c2, c3 = counter
        for k0, k1 in keys:
            first = self.b.binary("mul", self.low(c0), self.number(MULTIPLIERS[0]))
            second = self.b.binary("mul", self.low(c2), self.number(MULTIPLIERS[1]))
            c0 = self.b.binary("xor", self.high(second), self.b.binary("xor", c1, k0))
            c2 = self.b.binary("xor", self.high(first), self.b.binary("xor", c3, k1))
            c1, c3 = second, first
        return self.joined(c0, c1), self.joined(c2, c3)

    def schedule(self, seed: Value) -> list[tuple[Value, Value]]:
        """Return the keys of the rounds."""
        scalar = _Words(self.b, 1)
        halves = [scalar.low(seed), scalar.high(seed)]
        keys = []
        for _ in range(ROUNDS):
            k0, k1 = (self.b.splat(half, self.lanes) for half in halves)
            keys.append((k0, k1))
            halves = [
                scalar.low(self.b.binary("add", half, scalar.number(step)))
                for half, step in zip(halves, KEY_STEPS, strict=True)
            ]
        return keys


def _argument(b: Builder, position: int, kind: str = "i64") -> Value:
    return b.load(b.offset(Value("%args", "ptr", 1), b.number(position, "i64"), "i64"), kind)


def _bits() -> str:
    """``void philox(i64* args, i64 begin, i64 end)``: args are the address of the result, that of the states, the bytes
    of a draw and its units (of UNIT bytes, the last one perhaps not full); begin and end count the units of all draws."""
    b = Builder("philox", [("args", "ptr"), ("begin", "i64"), ("end", "i64")])
    out, states, size, units = _argument(b, 0, "ptr"), _argument(b, 1, "ptr"), _argument(b, 2), _argument(b, 3)
    rest = b.impure(f"alloca [{UNIT} x i8], align 64", "ptr", 1)
    one, end = b.number(1, "i64"), Value("%end", "i64", 1)
    words, scalar = _Words(b, BLOCKS), _Words(b, 1)
    lanes = Value("<" + ", ".join(f"i64 {lane}" for lane in range(BLOCKS)) + ">", "i64", BLOCKS)
    mask = [lane + BLOCKS * half for lane in range(BLOCKS) for half in (0, 1)]

    def draw(carried: Sequence[Value]) -> list[Value]:
        (at,) = carried
        number = b.binary("udiv", at, units)
        first = b.binary("sub", at, b.binary("mul", number, units))
        last = b.intrinsic("umin", units, b.binary("add", first, b.binary("sub", end, at)))
        state = b.offset(states, b.binary("shl", number, one), "i64")
        seed, draw_ = b.load(state, "i64"), b.load(b.offset(state, one, "i64"), "i64")
        keys = words.schedule(seed)
        c2, c3 = (b.splat(half, BLOCKS) for half in (scalar.low(draw_), scalar.high(draw_)))
        own = b.offset(out, b.binary("mul", number, size), "i8")

        def unit(place: Sequence[Value]) -> list[Value]:
            block = b.binary("mul", place[0], b.number(BLOCKS, "i64"))
            index = b.binary("add", b.splat(block, BLOCKS), lanes)
            even, odd = words.rounds([words.low(index), words.high(index), c2, c3], keys)
            longs = b.shuffle(even, mask, odd)
            start = b.binary("mul", place[0], b.number(UNIT, "i64"))
            left = b.binary("sub", size, start)
            is_full = b.compare("sge", left, b.number(UNIT, "i64"))
            there = b.offset(own, start, "i8")
            b.store(longs, b.select(is_full, there, rest), align=4)
            count = b.select(is_full, b.number(0, "i64"), b.binary("lshr", left, b.number(2, "i64")))

            def copy(word: Sequence[Value]) -> list[Value]:
                b.store(b.load(b.offset(rest, word[0], "i32"), "i32"), b.offset(there, word[0], "i32"))
                return [b.binary("add", word[0], one)]

            b.repeat([b.number(0, "i64")], lambda word: b.compare("slt", word[0], count), copy)
            return [b.binary("add", place[0], one)]

        b.repeat([first], lambda place: b.compare("slt", place[0], last), unit)
        return [b.binary("add", at, b.binary("sub", last, first))]

    b.repeat([Value("%begin", "i64", 1)], lambda carried: b.compare("slt", carried[0], end), draw)
    b.line("ret void")
    return _text(b)


def _derive() -> str:
    """``void philox_derive(i64* args)``: args are the address of the result, that of the states, that of numbers or 0, how
    many states to make, how many of each, and the tag. Without numbers, those made of one state are counted from 0."""
    b = Builder("philox_derive", [("args", "ptr")])
    out, states, numbers = (_argument(b, position, "ptr") for position in range(3))
    total, each, tag = (_argument(b, position) for position in range(3, 6))
    has_numbers = b.compare("ne", numbers, Value("null", "ptr", 1))
    zero, one = b.number(0, "i64"), b.number(1, "i64")
    words = _Words(b, 1)

    def make(carried: Sequence[Value]) -> list[Value]:
        (i,) = carried
        source = b.binary("udiv", i, each)
        counted = b.binary("sub", i, b.binary("mul", source, each))
        (number,) = b.detour(has_numbers, [counted], lambda: [b.load(b.offset(numbers, i, "i64"), "i64")])
        state = b.offset(states, b.binary("shl", source, one), "i64")
        seed, draw = b.load(state, "i64"), b.load(b.offset(state, one, "i64"), "i64")
        counter = [words.low(number), words.high(number), words.low(draw), words.high(draw)]
        parts = words.rounds(counter, words.schedule(b.binary("xor", seed, tag)))
        there = b.offset(out, b.binary("shl", i, one), "i64")
        b.store(parts[0], there)
        b.store(parts[1], b.offset(there, one, "i64"))
        return [b.binary("add", i, one)]

    b.repeat([zero], lambda carried: b.compare("slt", carried[0], total), make)
    b.line("ret void")
    return _text(b)


def _text(b: Builder) -> str:
    declarations = "\n".join(sorted(b.declarations))
    return f"{declarations}\n{b.text()}\nattributes #0 = {{ nounwind }}\n"


TEXTS = {"philox": _bits, "philox_derive": _derive}


def module(name: str) -> jit.Module:
    """Return a native function to compile."""
    return jit.Module(name, TEXTS[name]())
