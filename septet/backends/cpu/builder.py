"""Writing LLVM IR as text: one function at a time, values numbered, equal pure expressions written once.

A value is a `Value`: its name in the text, its element type and its number of lanes. Scalars have one lane and no vector
type. The builder knows nothing of loops over tensors or of ops; `lowering` and `vectormath` write with it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

FLOATS = ("half", "float", "double")
BITS = {
    "i1": 1,
    "i8": 8,
    "i16": 16,
    "i32": 32,
    "i64": 64,
    "half": 16,
    "bfloat": 16,
    "float": 32,
    "double": 64,
    "ptr": 64,
}


class Value(NamedTuple):
    """A value of the function that is being written.

    Attributes
    ----------
    name : str
        ``%12``, or a literal.
    kind : str
        Element type in LLVM's words: i1, i8, i16, i32, i64, half, bfloat, float, double, ptr.
    lanes : int
        1 for a scalar.
    """

    name: str
    kind: str
    lanes: int

    @property
    def type(self) -> str:
        """The type as LLVM writes it."""
        return self.kind if self.lanes == 1 else f"<{self.lanes} x {self.kind}>"


def float_text(value: float, kind: str) -> str:
    """Return a floating-point literal, exact to the bit."""
    if kind == "float":  # LLVM writes float literals as the double of the same value
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    if kind in ("float", "double"):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    raise ValueError(f"no literals of {kind}: compute in float")


class Builder:
    """The text of one function under way.

    Blocks are written in order; `begin` starts one. Inside a block, a pure expression that was written before is not
    written again (values of blocks that dominate stay known: see `scope`).
    """

    def __init__(self, name: str, parameters: Sequence[tuple[str, str]], *, linkage: str = "") -> None:
        self.name = name
        self.parameters = tuple(parameters)
        self.linkage = linkage
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.block = "entry"
        self._count = 0
        self._known: list[dict[tuple[str, str], Value]] = [{}]

    # Writing.

    def fresh(self, hint: str = "") -> str:
        """Return a new local name."""
        self._count += 1
        return f"%{hint}{self._count}" if hint else f"%v{self._count}"

    def label(self, hint: str) -> str:
        """Return a new block label."""
        self._count += 1
        return f"{hint}{self._count}"

    def begin(self, label: str) -> None:
        """Start a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def line(self, text: str) -> None:
        """Write one instruction without a result."""
        self.lines.append(f"  {text}")

    def push(self) -> None:
        """Enter a scope: what is written from here on is forgotten at `pop` (a loop body, a branch)."""
        self._known.append({})

    def pop(self) -> None:
        """Leave a scope."""
        self._known.pop()

    def pure(self, text: str, kind: str, lanes: int) -> Value:
        """Write an instruction without side effects and return its value; an equal one is shared."""
        slot = (text, kind)
        for known in reversed(self._known):
            found = known.get(slot)
            if found is not None:
                return found
        value = self.impure(text, kind, lanes)
        self._known[-1][slot] = value
        return value

    def impure(self, text: str, kind: str, lanes: int) -> Value:
        """Write an instruction that must not be shared (loads, phis) and return its value."""
        value = Value(self.fresh(), kind, lanes)
        self.lines.append(f"  {value.name} = {text}")
        return value

    # Constants.

    def number(self, value: float | int | bool, kind: str, lanes: int = 1) -> Value:
        """Return a literal in all lanes."""
        if kind in ("float", "double"):
            text = float_text(float(value), kind)
        elif kind == "i1":
            text = "true" if value else "false"
        else:
            text = str(int(value))
        if lanes > 1:
            text = f"splat ({kind} {text})"
        return Value(text, kind, lanes)

    # Instructions. Operands of one instruction have the same type, unless said otherwise.

    def binary(self, op: str, a: Value, b: Value) -> Value:
        """Write ``op a, b``: fadd, fsub, fmul, fdiv, frem, add, sub, mul, sdiv, udiv, srem, urem, and, or, xor, shl,
        lshr, ashr."""
        return self.pure(f"{op} {a.type} {a.name}, {b.name}", a.kind, a.lanes)

    def negate(self, a: Value) -> Value:
        """Write ``fneg``."""
        return self.pure(f"fneg {a.type} {a.name}", a.kind, a.lanes)

    def compare(self, condition: str, a: Value, b: Value) -> Value:
        """Write ``fcmp`` or ``icmp`` with one of LLVM's conditions (olt, oeq, une, uno; slt, ult, eq, ne ...)."""
        op = "fcmp" if a.kind in FLOATS else "icmp"
        return self.pure(f"{op} {condition} {a.type} {a.name}, {b.name}", "i1", a.lanes)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """Write ``select``: a where the condition holds, else b. A scalar condition may choose between vectors."""
        return self.pure(
            f"select {condition.type} {condition.name}, {a.type} {a.name}, {b.type} {b.name}", a.kind, a.lanes
        )

    def convert(self, op: str, a: Value, kind: str) -> Value:
        """Write a conversion: fpext, fptrunc, sitofp, uitofp, fptosi, fptoui, sext, zext, trunc, bitcast."""
        if a.kind == kind:
            return a
        target = Value("", kind, a.lanes)
        return self.pure(f"{op} {a.type} {a.name} to {target.type}", kind, a.lanes)

    def intrinsic(
        self, name: str, *args: Value, kind: str | None = None, overload: Sequence[Value] | None = None,
        is_scalar: bool = False,
    ) -> Value:  # fmt: skip
        """Call an LLVM intrinsic that is overloaded on the type of its first argument: ``fabs``, ``floor``, ``fmuladd``,
        ``maximum``, ``copysign``, ``sqrt``, ``rint`` ..."""
        first = args[0]
        result = Value("", kind or first.kind, 1 if is_scalar else first.lanes)
        suffix = ".".join(_mangled(v) for v in (overload or (first,)))
        types = ", ".join(v.type for v in args)
        self.declarations.add(f"declare {result.type} @llvm.{name}.{suffix}({types})")
        operands = ", ".join(f"{v.type} {v.name}" for v in args)
        return self.pure(f"call {result.type} @llvm.{name}.{suffix}({operands})", result.kind, result.lanes)

    def splat(self, a: Value, lanes: int) -> Value:
        """Repeat a scalar in all lanes."""
        if a.lanes == lanes:
            return a
        if a.name[0] != "%":  # a literal
            return Value(f"splat ({a.kind} {a.name})", a.kind, lanes)
        vector = f"<{lanes} x {a.kind}>"
        one = self.pure(f"insertelement {vector} poison, {a.type} {a.name}, i32 0", a.kind, lanes)
        mask = f"<{lanes} x i32> zeroinitializer"
        return self.pure(f"shufflevector {vector} {one.name}, {vector} poison, {mask}", a.kind, lanes)

    def extract(self, a: Value, lane: int) -> Value:
        """Return one lane as a scalar."""
        if a.lanes == 1:
            return a
        return self.pure(f"extractelement {a.type} {a.name}, i32 {lane}", a.kind, 1)

    def gather_lanes(self, scalars: Sequence[Value]) -> Value:
        """Return a vector of the given scalars; one scalar as it is."""
        if len(scalars) == 1:
            return scalars[0]
        vector = Value("poison", scalars[0].kind, len(scalars))
        for lane, scalar in enumerate(scalars):
            text = f"insertelement {vector.type} {vector.name}, {scalar.type} {scalar.name}, i32 {lane}"
            vector = self.pure(text, vector.kind, vector.lanes)
        return vector

    def any_lane(self, a: Value) -> Value:
        """Return whether a truth value holds in any lane, as a scalar."""
        if a.lanes == 1:
            return a
        name = f"llvm.vector.reduce.or.{_mangled(a)}"
        self.declarations.add(f"declare i1 @{name}({a.type})")
        return self.pure(f"call i1 @{name}({a.type} {a.name})", "i1", 1)

    def shuffle(self, a: Value, lanes: Sequence[int], b: Value | None = None) -> Value:
        """Return some lanes of a vector, in the given order; those of a second one are counted on."""
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        other = "poison" if b is None else b.name
        text = f"shufflevector {a.type} {a.name}, {a.type} {other}, <{len(lanes)} x i32> <{mask}>"
        return self.pure(text, a.kind, len(lanes))

    def offset(self, pointer: Value, index: Value, kind: str) -> Value:
        """Return the address of element `index` (an i64) behind a pointer."""
        stored = "i8" if kind == "i1" else kind
        return self.pure(f"getelementptr {stored}, ptr {pointer.name}, i64 {index.name}", "ptr", 1)

    def load(self, pointer: Value, kind: str, lanes: int = 1) -> Value:
        """Load `lanes` neighbouring elements; a truth value is a byte in memory."""
        stored = Value("", "i8" if kind == "i1" else kind, lanes)
        value = self.impure(
            f"load {stored.type}, ptr {pointer.name}, align {max(1, BITS[stored.kind] // 8)}", stored.kind, lanes
        )
        return self.convert("trunc", value, "i1") if kind == "i1" else value

    def store(self, value: Value, pointer: Value, align: int = 0) -> None:
        """Store neighbouring elements, at an address that is a multiple of their size unless said otherwise."""
        if value.kind == "i1":
            value = self.convert("zext", value, "i8")
        self.line(
            f"store {value.type} {value.name}, ptr {pointer.name}, align {align or max(1, BITS[value.kind] // 8)}"
        )

    # Control.

    def jump(self, label: str) -> None:
        """End the block with a jump."""
        self.line(f"br label %{label}")

    def branch(self, condition: Value, yes: str, no: str, *, is_rare: bool = False) -> None:
        """End the block with a branch on a scalar truth value; code for what is rare lies out of the way."""
        hint = ""
        if is_rare:
            self.declarations.add('!0 = !{!"branch_weights", i32 1, i32 2000}')
            hint = ", !prof !0"
        self.line(f"br i1 {condition.name}, label %{yes}, label %{no}{hint}")

    def detour(self, condition: Value, usual: Sequence[Value], write: Callable[[], Sequence[Value]]) -> list[Value]:
        """Return values as they are, or, where a scalar condition holds, those that `write` writes in a block of its own.

        The block of the builder is another one afterwards: a loop around this takes `block` at its end for its phis.
        """
        before, detour, after = self.block, self.label("detour"), self.label("after")
        self.branch(condition, detour, after, is_rare=True)
        self.begin(detour)
        self.push()
        others = write()
        self.pop()
        end = self.block
        self.jump(after)
        self.begin(after)
        return [
            self.impure(f"phi {a.type} [ {a.name}, %{before} ], [ {b.name}, %{end} ]", a.kind, a.lanes)
            for a, b in zip(usual, others, strict=True)
        ]

    def repeat(
        self, start: Sequence[Value], goes_on: Callable[[Sequence[Value]], Value],
        step: Callable[[Sequence[Value]], Sequence[Value]],
    ) -> list[Value]:  # fmt: skip
        """Write a loop: while a scalar condition of the carried values holds, `step` makes new ones. Return the last.

        The block of the builder is another one afterwards, as after `detour`.
        """
        before, head, body, after = self.block, self.label("head"), self.label("again"), self.label("after")
        self.jump(head)
        self.begin(head)
        mark = len(self.lines)
        self.push()
        carried = [Value(self.fresh("c"), value.kind, value.lanes) for value in start]
        self.branch(goes_on(carried), body, after)
        self.begin(body)
        self.push()
        following = step(carried)
        self.pop()
        end = self.block
        self.jump(head)
        self.pop()
        self.lines[mark:mark] = [
            f"  {c.name} = phi {c.type} [ {a.name}, %{before} ], [ {z.name}, %{end} ]"
            for c, a, z in zip(carried, start, following, strict=True)
        ]
        self.begin(after)
        return carried

    def text(self) -> str:
        """Return the finished function."""
        parameters = ", ".join(f"{type_} %{name}" for name, type_ in self.parameters)
        head = f"define {self.linkage + ' ' if self.linkage else ''}void @{self.name}({parameters}) #0 {{\nentry:"
        return "\n".join([head, *self.lines, "}"])


def _mangled(value: Value) -> str:
    """The suffix of an overloaded intrinsic's name."""
    scalar = {"float": "f32", "double": "f64", "half": "f16", "bfloat": "bf16", "ptr": "p0"}.get(value.kind, value.kind)
    return scalar if value.lanes == 1 else f"v{value.lanes}{scalar}"
