"""Compiles: what was made ready to run, why it was needed, what it took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from septet.backends.base_work import Made
from septet.base.text import plural, seconds_text
from septet.run.sheets import Sheet, Shown


class Compile(NamedTuple):
    """One compile.

    Attributes
    ----------
    arguments : str
        The types of the arguments, and the values of those that are not tensors.
    reason : str
        What made it necessary.
    nodes : int
        How many the graph has after optimization.
    seconds : float
        For tracing, optimizing, planning and machine code.
    kernels : int
        Functions of machine code that the process did not have yet.
    new : int
        Those of them that were compiled; the others were found on disk.
    error : str
        Why it failed, if it did.
    how : str
        Where there were plans for other sizes: whether one of them was adapted, or why it was not.
    """

    arguments: str
    reason: str
    nodes: int
    seconds: float = 0.0
    kernels: int = 0
    new: int = 0
    error: str = ""
    how: str = ""


class Compiles(list[Compile], Shown):
    """Compiles in the order in which they happened; ``print`` shows them as a table.

    Attributes
    ----------
    name : str
        Of what was compiled.
    """

    def __init__(self, name: str, compiles: Iterable[Compile] = ()) -> None:
        super().__init__(compiles)
        self.name = name

    def heading(self) -> str:
        """Return how many there are and what they took."""
        seconds = seconds_text(sum(each.seconds for each in self))
        new, all_ = sum(each.new for each in self), sum(each.kernels for each in self)
        text = f"{self.name}: {plural(len(self), 'compile')}"
        return text + (f", {seconds}, {plural(all_, 'kernel')}: {new} new, {all_ - new} from disk" if self else "")

    def sheets(self) -> list[Sheet]:
        """Return the table."""
        rows = [
            (
                each.reason, each.arguments, each.nodes, seconds_text(each.seconds), each.new,
                each.kernels - each.new, each.how, each.error,
            )
            for each in self
        ]  # fmt: skip
        headers = ("reason", "arguments", "nodes", "time", "new", "from disk", "plan", "error")
        flexible = {1: "end", 7: "end"}  # reasons are never cut
        return [Sheet("", headers, rows, "llrrrrll", flexible, spare=(1, 5, 4, 6, 7))] if rows else []


def with_made(compile: Compile, made: Made | None) -> Compile:
    """Return a compile with what the backend says about its part."""
    return compile if made is None else compile._replace(kernels=made.kernels, new=made.new, how=made.how)


def other_sizes(before: Made | None, made: Made) -> list[str]:
    """Return how the sizes that values have decided differ from those before."""
    old = dict(before.decided) if before else {}
    pairs = [(label, old.get(label), size) for label, size in made.decided]
    return [f"{label}: {size if own is None else f'{own} -> {size}'}" for label, own, size in pairs if own != size]
