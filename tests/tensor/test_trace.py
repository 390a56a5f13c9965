"""Notes of a trace: what Python state was read, and what the traced function set itself."""

from __future__ import annotations

import pytest

from septet.graph.context import changes, context
from septet.tensor.trace import Note, Trace, note, note_change


class Level(Note):
    __slots__ = ()

    def read(self):
        return self.owner["level"]


def test_the_first_reading_counts_in_every_trace_under_way():
    owner = {"level": 1}
    with Trace() as outer:
        note(Level, owner)
        owner["level"] = 2
        with Trace() as inner:
            note(Level, owner)
    (first,), (second,) = outer.notes.values(), inner.notes.values()
    assert (first.value, second.value) == (1, 2)
    assert not first.holds()
    assert second.holds()


def test_what_a_trace_has_set_is_not_noted_any_more():
    owner, stamp = {"level": 1}, changes.stamp
    with Trace() as trace:
        note_change(Level, owner)
        note(Level, owner)
    assert list(trace.notes.values()) == [None]
    assert changes.stamp is not stamp


def test_what_was_read_before_it_was_set_stays_noted():
    owner = {"level": 1}
    with Trace() as trace:
        note(Level, owner)
        note_change(Level, owner)
    (found,) = trace.notes.values()
    assert found.value == 1


def test_outside_a_trace_nothing_is_noted():
    assert context.trace is None
    note(Level, {"level": 1})


def test_a_note_without_a_way_to_read_is_refused():
    with pytest.raises(NotImplementedError), Trace():
        note(Note, {})
