"""Events reach those who watch, and nobody else."""

from __future__ import annotations

import threading

from septet.base.watch import PLAN, RUN, add, remove, span, tell, watch


class List:
    def __init__(self):
        self.events = []

    def take(self, event):
        self.events.append(event)


def test_events_while_somebody_watches():
    seen = List()
    with span(RUN, "before"):
        pass
    add(seen)
    try:
        with span(RUN, "outer", detail=1), span(PLAN, "inner"):
            pass
        tell(RUN, "told", 3, 5)
    finally:
        remove(seen)
    with span(RUN, "after"):
        pass
    assert [event.name for event in seen.events] == ["inner", "outer", "told"]
    inner, outer, told = seen.events
    assert outer.start <= inner.start <= inner.end <= outer.end
    assert (inner.kind, outer.detail, told.start, told.end) == (PLAN, 1, 3, 5)
    assert outer.thread == threading.get_ident()


def test_several_watch_and_an_error_ends_a_span():
    first, second = List(), List()
    add(first)
    add(second)
    try:
        try:
            with span(RUN, "failing"):
                raise ValueError
        except ValueError:
            pass
        remove(first)
        tell(RUN, "for the second", 0, 1)
    finally:
        remove(first)
        remove(second)
    assert [event.name for event in first.events] == ["failing"]
    assert [event.name for event in second.events] == ["failing", "for the second"]
    assert watch.observers == ()


def test_a_span_that_began_before_the_watching_is_not_told():
    seen = List()
    own = span(RUN, "early")
    own.__enter__()
    add(seen)
    own.__exit__(None, None, None)
    remove(seen)
    assert seen.events == []
