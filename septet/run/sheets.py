"""Tables that fit the terminal, and the same as a page of HTML: how everything that explains is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from septet.base.config import config
from septet.base.files import open_atomic
from septet.base.text import table

LEAST = 8
"""Characters that a cell keeps, however narrow the terminal is."""
READABLE = 12
"""Characters of a cell down to which cutting is better than leaving a column out."""


class Sheet(NamedTuple):
    """A table.

    Attributes
    ----------
    title : str
    headers : sequence of str
    rows : list of sequences
    align : str
        One letter for each column, as in `base.text.table`.
    flexible : dict of int to str
        Columns that may be cut where the terminal is narrow, at their "end" or their "start".
    note : str
        A line below.
    spare : tuple of int
        Columns that may be left out, the first one first; they are when they are empty, too.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    align: str = ""
    flexible: Mapping[int, str] = {}
    note: str = ""
    spare: tuple[int, ...] = ()

    def text(self, width: int) -> str:
        """Return the table in at most that many columns, as far as cells can be cut."""
        lines = [self.title] if self.title else []
        if self.rows:
            own = self._narrowed(width)
            lines.append(table(fitted(own.rows, own.headers, own.flexible, width), own.headers, own.align))
        if self.note:
            lines.append(self.note)
        return "\n".join(lines)

    def _narrowed(self, width: int) -> Sheet:
        """Return the table without columns that say nothing, or for which there is no room."""
        own = self
        for column in sorted([c for c in self.spare if not any(row[c] for row in self.rows)], reverse=True):
            own = own._without(column)
        while own.spare:
            widths = [max([len(name), *[len(str(row[i])) for row in own.rows]]) for i, name in enumerate(own.headers)]
            needed = [min(size, READABLE) if i in own.flexible else size for i, size in enumerate(widths)]
            if sum(needed) + 2 * (len(needed) - 1) <= width:
                break
            own = own._without(own.spare[0])
        return own

    def _without(self, column: int) -> Sheet:
        def moved(index: int) -> int:
            return index - (index > column)

        return self._replace(
            headers=[name for i, name in enumerate(self.headers) if i != column],
            rows=[[cell for i, cell in enumerate(row) if i != column] for row in self.rows],
            align=self.align[:column] + self.align[column + 1 :],
            flexible={moved(i): side for i, side in self.flexible.items() if i != column},
            spare=tuple([moved(i) for i in self.spare if i != column]),
        )

    def html(self) -> str:
        """Return the table as HTML, with nothing cut."""
        parts = [f"<h3>{_escape(self.title)}</h3>"] if self.title else []
        if self.rows:
            head = "".join([f"<th>{_escape(name)}</th>" for name in self.headers])
            body = "".join([self._row(row) for row in self.rows])
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if self.note:
            parts.append(f"<p>{_escape(self.note)}</p>")
        return "\n".join(parts)

    def _row(self, row: Sequence[Any]) -> str:
        sides = {"r": ' style="text-align:right"'}
        cells = [
            f"<td{sides.get(self.align[i : i + 1], '')}>{_escape(str(cell)).replace('  ', '&emsp;')}</td>"
            for i, cell in enumerate(row)
        ]
        return f"<tr>{''.join(cells)}</tr>"


class Shown:
    """What is shown as sheets: by ``print``, in a notebook, as a page of HTML. Subclasses say what and how."""

    def heading(self) -> str:
        """Return the first line."""
        raise NotImplementedError

    def sheets(self) -> list[Sheet]:
        """Return the tables."""
        raise NotImplementedError

    def __str__(self) -> str:
        width = terminal_width()
        return "\n\n".join([self.heading(), *[sheet.text(width) for sheet in self.sheets()]])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "\n".join([f"<p>{_escape(self.heading())}</p>", *[sheet.html() for sheet in self.sheets()]])

    def to_html(self, path: Any) -> None:
        """Write a page of HTML.

        Parameters
        ----------
        path : path-like
        """
        title = _escape(self.heading())
        with open_atomic(path) as file:
            file.write(PAGE.format(title=title, body=self._repr_html_()).encode("utf-8"))


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: 2px 10px; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }}
</style></head><body>
{body}
</body></html>
"""


def _escape(text: str) -> str:
    import html

    return html.escape(text)


def terminal_width() -> int:
    """Return how many columns tables may take: those of the terminal, or the setting ``print_width``."""
    if config.origin("print_width") == "default":
        try:
            return max(os.get_terminal_size(sys.stdout.fileno()).columns, 40)
        except (OSError, ValueError, AttributeError):  # no terminal
            pass
    return config.print_width


def fitted(
    rows: Iterable[Sequence[Any]], headers: Sequence[str], flexible: Mapping[int, str], width: int, gap: int = 2
) -> list[list[str]]:
    """Cut cells so that a table fits into some columns: the widest of the flexible ones first.

    Parameters
    ----------
    rows : iterable of sequences
    headers : sequence of str
    flexible : dict of int to str
        Column -> the side at which it is cut, "start" or "end".
    width : int
    gap : int
        Spaces between columns.

    Returns
    -------
    list of list of str

    Examples
    --------
    >>> fitted([("add+multiply+tanh", "1 ms")], ("step", "time"), {0: "end"}, 18)
    [['add+multip..', '1 ms']]
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(name), *[len(row[i]) for row in cells if i < len(row)]]) for i, name in enumerate(headers)]
    limits = list(widths)
    over = sum(widths) + gap * (len(widths) - 1) - width
    while over > 0:
        column = max(flexible, key=lambda i: limits[i], default=None)
        if column is None or limits[column] <= max(LEAST, len(headers[column])):
            break
        limits[column] -= 1
        over -= 1
    return [
        [cut(cell, limits[i], flexible.get(i, "end")) if i in flexible else cell for i, cell in enumerate(row)]
        for row in cells
    ]


def cut(text: str, width: int, side: str = "end") -> str:
    """Shorten a text to a width; two dots stand for what is left out at its start or end."""
    if len(text) <= width:
        return text
    return text[: width - 2] + ".." if side == "end" else ".." + text[len(text) - width + 2 :]
