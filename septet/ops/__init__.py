"""F2: the cards, one file per family, and the composites made of them.

Importing this package registers the families that nearly every program uses. The others are imported when one of their
cards, functions or methods is first asked for, which `septet.ops.index` finds.
"""

from importlib import import_module

from septet.base.forks import work
from septet.base.garbage import paused
from septet.graph.op import set_families
from septet.ops import (  # noqa: F401  (registration)
    call,
    cast,
    compare,
    elementwise,
    gradient,
    logic,
    matmul,
    reduce,
    shaping,
)
from septet.ops.index import CARDS

LATER = (
    "assembling",
    "blocks",
    "checks",
    "composite.activations",
    "composite.attention",
    "composite.class_losses",
    "composite.images",
    "composite.losses",
    "composite.margin_losses",
    "composite.normalization",
    "composite.overlap_losses",
    "composite.recurrent",
    "control",
    "conv",
    "counting",
    "creation",
    "cumulative",
    "custom",
    "decompositions",
    "diagonals",
    "einsum",
    "exact",
    "fft",
    "gamma",
    "incomplete",
    "indexing",
    "io",
    "keys",
    "linalg",
    "matrices",
    "norms",
    "pool",
    "random",
    "resize",
    "slicing",
    "solvers",
    "sorting",
    "special",
    "statistics",
    "transcendental",
    "updates",
)
"""The families that are imported later; `tools/generate_index.py` writes down what they have."""


def load(families: str) -> None:
    """Import families, given their names separated by spaces."""
    with work, paused:
        for family in families.split():
            import_module(f"septet.ops.{family}")


def load_card(name: str) -> None:
    """Import the family of a card, if it is one of those that are imported later."""
    load(CARDS.get(name, ""))


def load_all() -> None:
    """Import all families."""
    load(" ".join(LATER))


set_families(load_card, load_all)
