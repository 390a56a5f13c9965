"""Writing the transforms of minimal filtering: small matrices of known numbers times vectors, in few operations.

Points in pairs a, -a make pairs of rows (of data and kernels) or of columns (of outputs) that differ in signs only: their
sums and differences are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from septet.backends.cpu.builder import Builder, Value
from septet.backends.cpu.winograd_matrices import Matrix
from septet.backends.cpu.writing import Writer

Row = Sequence[Fraction]


def transform(
    w: Writer,
    lines: Matrix,
    columns: Matrix,
    middle: Value,
    read: Callable[[int, int], Value],
    write: Callable[[int, int, Value], None],
) -> None:
    """Write lines @ elements @ transpose(columns), for each lane.

    Parameters
    ----------
    w : Writer
    lines, columns : matrix
    middle : Value
        Address of memory for the first product, on the stack: more than there are registers.
    read : callable
        ``read(i, j)`` returns an element.
    write : callable
        ``write(i, j, value)`` takes an element of the result.
    """
    height, width = len(lines[0]), len(columns[0])
    kind, lanes = "float", 1
    for j in range(width):
        for i, value in enumerate(multiply(w.b, lines, [read(i, j) for i in range(height)])):
            kind, lanes = value.kind, value.lanes
            w.b.store(value, w.at(middle, (width * i + j) * lanes, kind))
    for i in range(len(lines)):
        row = [w.b.load(w.at(middle, (width * i + j) * lanes, kind), kind, lanes) for j in range(width)]
        for j, value in enumerate(multiply(w.b, columns, row)):
            write(i, j, value)


def multiply(b: Builder, matrix: Matrix, values: Sequence[Value]) -> list[Value]:
    """Return a matrix times a column of values."""
    columns = _paired_columns(matrix)
    if columns:
        return _by_columns(b, matrix, values, columns)
    partners = _paired_rows(matrix)
    found: dict[int, Value] = {}
    for number, row in enumerate(matrix):
        if number in found:
            continue
        partner = partners.get(number)
        if partner is None:
            found[number] = linear(b, row, values)
            continue
        even = [x if x == y else Fraction(0) for x, y in zip(row, matrix[partner], strict=True)]
        odd = [x if x != y else Fraction(0) for x, y in zip(row, matrix[partner], strict=True)]
        factor = next(x for x in reversed(odd) if x)
        first, second = linear(b, even, values), linear(b, [x / factor for x in odd], values)
        found[number] = _multiply_add(b, factor, second, first)
        found[partner] = _multiply_add(b, -factor, second, first)
    return [found[number] for number in range(len(matrix))]


def linear(b: Builder, row: Row, values: Sequence[Value]) -> Value:
    """Return the sum of values, each times its number. Most numbers are not 0."""
    terms = [(x, value) for x, value in zip(row, values, strict=True) if x]
    terms.sort(key=lambda term: term[0] != 1)  # begin with one that needs no multiplication
    (first, value), *rest = terms
    total = value if first == 1 else b.binary("fmul", _number(b, first, value), value)
    for x, value in rest:
        total = _multiply_add(b, x, value, total)
    return total


def _multiply_add(b: Builder, x: Fraction, value: Value, total: Value) -> Value:
    if abs(x) == 1:
        return b.binary("fadd" if x == 1 else "fsub", total, value)
    return b.intrinsic("fmuladd", _number(b, x, value), value, total)


def _number(b: Builder, x: Fraction, like: Value) -> Value:
    return b.number(float(x), like.kind, like.lanes)


def _paired_rows(matrix: Matrix) -> dict[int, int]:
    """Return pairs of rows that differ in some signs only, the first with the second."""
    return dict(_pairs(matrix))


def _paired_columns(matrix: Matrix) -> list[tuple[int, int]]:
    """Return pairs of columns that differ in some signs only."""
    return _pairs(list(zip(*matrix, strict=True)))


def _pairs(rows: Sequence[Row]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    taken: set[int] = set()
    for i, first in enumerate(rows):
        for j in range(i + 1, len(rows)):
            second = rows[j]
            same = all(abs(x) == abs(y) for x, y in zip(first, second, strict=True))
            signs = {x == y for x, y in zip(first, second, strict=True) if x}
            if same and signs == {True, False} and not {i, j} & taken:
                found.append((i, j))
                taken |= {i, j}
    return found


def _by_columns(b: Builder, matrix: Matrix, values: Sequence[Value], pairs: list[tuple[int, int]]) -> list[Value]:
    """Multiply with the sums and differences of paired values."""
    paired = {column for pair in pairs for column in pair}
    rest = [column for column in range(len(values)) if column not in paired]
    sums = [b.binary("fadd", values[i], values[j]) for i, j in pairs]
    differences = [b.binary("fsub", values[i], values[j]) for i, j in pairs]
    result = []
    for row in matrix:
        numbers = [row[column] for column in rest]
        terms = [values[column] for column in rest]
        for (i, j), total, difference in zip(pairs, sums, differences, strict=True):
            numbers.append(row[i])
            terms.append(total if row[i] == row[j] else difference)
        result.append(linear(b, numbers, terms))
    return result
