"""Groups: which parameters of an optimizer have a learning rate or a weight decay of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import listing, nearest
from septet.optim.schedules import Schedule, as_schedule
from septet.tensor.variable import ROLES, Variable


class Group:
    """Settings for the parameters that a filter selects; where several are given, all of them must agree.

    An optimizer takes a list of groups; a parameter belongs to the first one that selects it, or to none.

    Parameters
    ----------
    role : str or sequence of str, optional
        What a parameter is for: "weight", "bias", "scale", "embedding" ...
    path : str or sequence of str, optional
        Patterns of the parameter's path, such as ``"encoder.*"`` or ``"*.bias"``.
    where : callable, optional
        Is given the variable, and tells whether it belongs to the group.
    learning_rate : float or Schedule, optional
        Instead of the optimizer's.
    scale : float
        What the learning rate is multiplied by.
    weight_decay : float, optional
        Instead of the optimizer's.

    Raises
    ------
    ArgumentError
        If there is no filter, or a role does not exist.

    Examples
    --------
    >>> from septet import nn, optim
    >>> optimizer = optim.AdamW(nn.Dense(3), 1e-3, groups=[optim.Group(role=("bias", "scale"), weight_decay=0)])
    """

    def __init__(
        self, *, role: str | Sequence[str] | None = None, path: str | Sequence[str] | None = None,
        where: Callable[[Variable], bool] | None = None, learning_rate: float | Schedule | None = None,
        scale: float = 1.0, weight_decay: float | None = None,
    ) -> None:  # fmt: skip
        self.roles = (role,) if isinstance(role, str) else tuple(role or ())
        self.paths = (path,) if isinstance(path, str) else tuple(path or ())
        self.where = where
        if not (self.roles or self.paths or where):
            raise ArgumentError("Group: there is no filter", hint="give role=, path= or where=")
        wrong = [name for name in self.roles if name not in ROLES]
        if wrong:
            raise ArgumentError(f"Group: role {wrong[0]!r} does not exist; the roles are {', '.join(ROLES)}")
        self.learning_rate = None if learning_rate is None else as_schedule("Group", learning_rate)
        self.scale = scale
        self.weight_decay = weight_decay

    def selects(self, path: str, parameter: Variable) -> bool:
        """Tell whether a parameter belongs to the group."""
        return (
            (not self.roles or parameter.role in self.roles)
            and (not self.paths or any(fnmatchcase(path, pattern) for pattern in self.paths))
            and (self.where is None or bool(self.where(parameter)))
        )

    def __repr__(self) -> str:
        words = {"role": self.roles, "path": self.paths, "where": self.where, "learning_rate": self.learning_rate}
        shown = [f"{name}={value!r}" for name, value in words.items() if value not in (None, ())]
        shown += [f"scale={self.scale:g}"] if self.scale != 1 else []
        shown += [] if self.weight_decay is None else [f"weight_decay={self.weight_decay:g}"]
        return f"Group({', '.join(shown)})"


def assign_groups(owner: str, groups: Sequence[Group], named: Sequence[tuple[str, Variable]]) -> dict[Variable, int]:
    """Return the index of each parameter's group, for those that have one.

    Raises
    ------
    ArgumentError
        If a group selects nothing: a misspelled pattern would go unnoticed.
    """
    found: dict[Variable, int] = {}
    for index, group in enumerate(groups):
        selected = [variable for path, variable in named if group.selects(path, variable)]
        if not selected:
            paths = [path for path, _ in named]
            near = nearest(group.paths[0], paths) if group.paths else None
            raise ArgumentError(
                f"{owner}: {group!r} selects none of {len(named)} parameters: {listing(paths[:8])}"
                + (" ..." if len(paths) > 8 else ""),
                hint=f"did you mean {near!r}?" if near else "a path is matched as a whole: '*.bias', 'encoder.*'",
            )
        for variable in selected:
            found.setdefault(variable, index)
    return found


def check_groups(owner: str, groups: Any) -> tuple[Group, ...]:
    """Return groups as a tuple."""
    found = (groups,) if isinstance(groups, Group) else tuple(groups)
    wrong = [item for item in found if not isinstance(item, Group)]
    if wrong:
        raise ArgumentError(f"{owner}: groups must be Group objects, got {wrong[0]!r}")
    return found
