"""The cheapest cut, against all choices there are."""

from __future__ import annotations

import itertools
import random

import pytest

from septet.optimize.costs import NEVER
from septet.optimize.cut import values_to_keep


def cost_of(kept, inputs, again, keep, wanted):
    """What keeping some values costs, with computing the others again where they are needed."""
    total = sum(keep[value] for value in kept)
    pending, seen = [value for value in wanted if value not in kept], set()
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        total += again[value]
        pending.extend(own for own in inputs[value] if own not in kept)
    return total


@pytest.mark.parametrize("seed", range(60))
def test_no_other_choice_is_cheaper(seed):
    draw = random.Random(seed)
    values = list(range(draw.randint(1, 8)))
    inputs = {value: sorted(draw.sample(range(value), min(value, draw.randint(0, 2)))) for value in values}
    again = {value: draw.choice([0, 1, 3, 10, NEVER]) for value in values}
    keep = {value: draw.choice([0, 1, 2, 5, 20]) for value in values}
    wanted = draw.sample(values, draw.randint(1, len(values)))
    chosen = values_to_keep(inputs, again, keep, wanted)
    choices = itertools.chain.from_iterable(itertools.combinations(values, n) for n in range(len(values) + 1))
    best = min(cost_of(set(own), inputs, again, keep, wanted) for own in choices)
    assert cost_of(set(chosen), inputs, again, keep, wanted) == best


def test_of_equal_choices_the_one_closest_to_what_is_wanted():
    chain = {"a": [], "b": ["a"], "c": ["b"]}
    assert values_to_keep(chain, {"a": NEVER, "b": 0, "c": 0}, dict.fromkeys(chain, 4), ["c"]) == ["c"]


def test_a_long_chain_is_no_problem():
    size = 5000
    inputs = {value: [value - 1] if value else [] for value in range(size)}
    again = {value: NEVER if value == 0 else 0 for value in range(size)}
    keep = {value: 1 if value == 700 else 2 for value in range(size)}
    assert values_to_keep(inputs, again, keep, [size - 1]) == [700]
