"""Put numbers, shapes and tables into words: the small helpers behind messages, summaries and listings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
COUNT_UNITS = ("", " k", " M", " G", " T", " P", " E")
SECOND_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


class HasType(Protocol):
    """Whatever has a dtype and a shape."""

    @property
    def dtype(self) -> Any:
        """The dtype, which has a name."""

    @property
    def shape(self) -> Iterable[int | None]:
        """The sizes; None where one is unknown."""


def edit_distance(first: str, second: str) -> int:
    """Count the insertions, deletions, replacements and swaps of neighbours that turn one text into another.

    Parameters
    ----------
    first, second : str
        The two texts; the result does not depend on their order.

    Returns
    -------
    int
        0 for equal texts, at most the length of the longer one.

    Source
    ------
    Damerau (1964), in the restricted form ("optimal string alignment"): no part of the text is edited twice.

    Examples
    --------
    >>> edit_distance("thread", "threads"), edit_distance("sede", "seed")
    (1, 1)
    """
    before: list[int] = []
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = min(above[column] + 1, current[column - 1] + 1, above[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and other == first[row - 2]:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, above = above, current
    return above[-1]


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Find the choice that a misspelled name most probably means.

    Case, `_` and `-` do not count. A choice is near when at most a third of the longer of the two has to be edited
    (at least one edit is always allowed), or when one of the two begins with the other (three letters at least).

    Parameters
    ----------
    name : str
        What was written.
    choices : iterable of str
        What could have been meant; the first of several equally near ones is taken.

    Returns
    -------
    str or None
        The nearest choice, or None when nothing is near enough to be worth suggesting.

    Examples
    --------
    >>> nearest("tread", ["seed", "threads", "cache_dir"])
    'threads'
    >>> nearest("banana", ["seed", "threads", "cache_dir"]) is None
    True
    """
    written = _plain(name)
    best: tuple[int, str] | None = None
    for choice in choices:
        meant = _plain(choice)
        longer = max(len(written), len(meant))
        shorter = min(len(written), len(meant))
        limit = max(1, longer // 3)
        begins = shorter >= 3 and written[:shorter] == meant[:shorter]
        if not begins and longer - shorter > limit:
            continue  # the lengths alone take more edits than are allowed
        distance = edit_distance(written, meant)
        # A single letter is within one edit of every other single letter: only the same letter is near it.
        if (begins or (distance <= limit and distance < longer)) and (best is None or distance < best[0]):
            best = (distance, choice)
    return None if best is None else best[1]


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Write the hint that ends an "unknown name" message: ` Did you mean 'threads'?`, or nothing.

    Examples
    --------
    >>> "No such setting." + did_you_mean("thread", ["threads"])
    "No such setting. Did you mean 'threads'?"
    """
    found = nearest(name, choices)
    return "" if found is None else f" Did you mean {found!r}?"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def shape_text(shape: Iterable[object]) -> str:
    """Write a shape as a tuple; an unknown size is a question mark, a named one its name.

    Parameters
    ----------
    shape : iterable of int, str or None
        The sizes.

    Examples
    --------
    >>> shape_text((3, None, "B")), shape_text((5,)), shape_text(())
    ('(3, ?, B)', '(5,)', '()')
    """
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def type_text(value: HasType) -> str:
    """Write dtype and shape, as everywhere in errors, listings and files of graphs: ``float32[64, 10]``.

    Parameters
    ----------
    value : anything with a dtype and a shape
        A type, a node, an array. An unknown size is a question mark.

    Examples
    --------
    >>> import numpy as np
    >>> type_text(np.zeros((3, 1), np.float32)), type_text(np.int64(7))
    ('float32[3, 1]', 'int64[]')
    """
    return f"{value.dtype.name}[{', '.join(['?' if size is None else str(size) for size in value.shape])}]"


def bytes_text(count: int) -> str:
    """Write a number of bytes with three significant digits, in units of 1024.

    Examples
    --------
    >>> bytes_text(0), bytes_text(1023), bytes_text(1536), bytes_text(3 * 1024**3)
    ('0 B', '1023 B', '1.50 KiB', '3.00 GiB')
    """
    if abs(count) < 1024:
        return f"{count} B"
    value, unit = _scaled(float(count), 1024.0, len(BYTE_UNITS))
    return f"{_three_digits(value)} {BYTE_UNITS[unit]}"


def count_text(count: int) -> str:
    """Write a large count short, with three significant digits: 62006 is `62.0 k`. Exact below a thousand.

    Examples
    --------
    >>> count_text(999), count_text(62006), count_text(1_234_567)
    ('999', '62.0 k', '1.23 M')
    """
    if abs(count) < 1000:
        return str(count)
    value, unit = _scaled(float(count), 1000.0, len(COUNT_UNITS))
    return _three_digits(value) + COUNT_UNITS[unit]


def _scaled(value: float, base: float, units: int) -> tuple[float, int]:
    """Divide by the base until the value, as it will be rounded, is below it."""
    unit = 0
    while unit < units - 1 and float(_three_digits(abs(value))) >= base:
        value /= base
        unit += 1
    return value, unit


def _three_digits(value: float) -> str:
    """Write three significant digits and no exponent; four where the integer part has them."""
    size = abs(value)
    if size < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if size < 99.95 else f"{value:.0f}"


def seconds_text(seconds: float) -> str:
    """Write a duration in the unit that people would use for it, from nanoseconds to days.

    Examples
    --------
    >>> seconds_text(3.2e-7), seconds_text(0.0123), seconds_text(59.96), seconds_text(3725)
    ('320 ns', '12.3 ms', '1 min 0 s', '1 h 2 min')
    """
    if seconds != seconds or seconds in (float("inf"), float("-inf")):
        return f"{seconds} s"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds == 0:
        return "0 s"
    if seconds >= 59.95:  # what `_three_digits` would round to 60.0
        return sign + _long_duration(round(seconds))
    for unit, (size, name) in enumerate(SECOND_UNITS):
        if seconds >= size * 0.9995 or unit == len(SECOND_UNITS) - 1:
            return f"{sign}{_three_digits(seconds / size)} {name}"
    raise AssertionError("the last unit takes everything")


def _long_duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Write a count with its noun in the right number.

    Parameters
    ----------
    count : int
        How many.
    noun : str
        The singular.
    many : str, optional
        The plural, where it is not the singular with `s`, or with `es` after s, x, z, ch and sh (but "epochs"), or
        `ies` for a final consonant and y.

    Examples
    --------
    >>> plural(1, "axis", "axes"), plural(0, "batch"), plural(62006, "parameter"), plural(2, "entry")
    ('1 axis', '0 batches', '62,006 parameters', '2 entries')
    """
    if count in (1, -1):
        return f"{count} {noun}"
    if many is None:
        if noun.endswith(("s", "x", "z", "ch", "sh")) and not noun.endswith("poch"):
            many = noun + "es"
        elif noun.endswith("y") and noun[-2:-1] not in ("", "a", "e", "i", "o", "u"):
            many = noun[:-1] + "ies"
        else:
            many = noun + "s"
    return f"{count:,} {many}"


def listing(names: Iterable[object], last: str = "and") -> str:
    """Join names as in a sentence.

    Examples
    --------
    >>> listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"], "or")
    ('a', 'a and b', 'a, b or c')
    """
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def indent(text: str, prefix: str | int = 4) -> str:
    """Put a prefix (or that many spaces) before every line that is not blank.

    Examples
    --------
    >>> indent("a\\n\\nb", 2)
    '  a\\n\\n  b'
    """
    lead = " " * prefix if isinstance(prefix, int) else prefix
    return "\n".join(lead + line if line.strip() else line for line in text.split("\n"))


def table(rows: Iterable[Sequence[object]], headers: Sequence[str] = (), align: str = "", gap: int = 2) -> str:
    """Lay out rows in columns of plain text.

    Parameters
    ----------
    rows : iterable of sequences
        The cells, written with `str`; a short row is filled with empty cells. Line breaks become spaces.
    headers : sequence of str, optional
        One line above, set off by dashes.
    align : str, optional
        One letter per column, `l`, `r` or `c`. A column without a letter is set to the right when all its cells that
        are not empty begin with a digit (after a sign), else to the left.
    gap : int
        Spaces between columns.

    Returns
    -------
    str
        Lines without spaces at their ends and without a final line break.

    Examples
    --------
    >>> print(table([("conv", 320), ("dense", 1010)], ["layer", "parameters"]))
    layer  parameters
    -----  ----------
    conv          320
    dense        1010
    """
    body = [[" ".join(str(cell).splitlines()) for cell in row] for row in rows]
    head = [str(cell) for cell in headers]
    columns = max([len(row) for row in body] + [len(head)], default=0)
    lines = [row + [""] * (columns - len(row)) for row in ([head] if head else []) + body]
    first = 1 if head else 0
    widths = [max(len(line[column]) for line in lines) for column in range(columns)]
    sides = [
        align[column] if column < len(align) else _side([line[column] for line in lines[first:]])
        for column in range(columns)
    ]
    if head:
        lines.insert(1, ["-" * width for width in widths])
    space = " " * gap
    return "\n".join(space.join(map(_set, line, widths, sides)).rstrip() for line in lines)


def _side(cells: list[str]) -> str:
    filled = [cell for cell in cells if cell]
    return "r" if filled and all(cell.lstrip("+-")[:1].isdigit() for cell in filled) else "l"


def _set(cell: str, width: int, side: str) -> str:
    return cell.rjust(width) if side == "r" else cell.center(width) if side == "c" else cell.ljust(width)
