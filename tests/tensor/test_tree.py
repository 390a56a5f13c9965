"""Nested tuples, lists and dicts taken apart and put together again."""

from __future__ import annotations

from collections import namedtuple

from hypothesis import given
from hypothesis import strategies as some

from septet.tensor import tree

Point = namedtuple("Point", "x y")

nested = some.recursive(
    some.integers() | some.none() | some.text(max_size=3),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.tuples(inner, inner)
        | some.builds(Point, inner, inner)
        | some.dictionaries(some.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(nested)
def test_round_trip(value):
    leaves, structure = tree.flatten(value)
    again = tree.unflatten(structure, leaves)
    assert again == value
    assert type(again) is type(value)
    assert structure.count == len(leaves) == len(tree.paths(value))
    assert hash(structure) == hash(tree.flatten(value)[1])


@given(nested)
def test_paths_reach_their_leaves(value):
    leaves, _ = tree.flatten(value)
    for path, leaf in zip(tree.paths(value), leaves):
        assert eval(f"value{path}", {"value": value}) == leaf


def test_order_of_keys_is_kept_but_does_not_matter():
    first, second = {"b": 1, "a": 2}, {"a": 2, "b": 1}
    assert tree.flatten(first) == tree.flatten(second)
    assert list(tree.unflatten(tree.flatten(first)[1], [5, 6])) == ["b", "a"]


def test_kinds_differ():
    structures = [
        tree.flatten(value)[1] for value in ([1, 2], (1, 2), Point(1, 2), {"x": 1, "y": 2}, [1, [2]], 1, None)
    ]
    assert len(set(structures)) == len(structures)


def test_text():
    assert repr(tree.flatten({"a": 1, "b": [2, None, (3,)]})[1]) == "{'a': *, 'b': [*, None, (*,)]}"
    assert repr(tree.flatten(Point(1, 2))[1]) == "Point(*, *)"
