"""What every test starts from and leaves behind: no trace, no layer path, and gradients on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from septet.graph.context import ALL_FLAGS, context

# The first run of an example may wait for the compiler; how long things take, the benchmarks measure.
settings.register_profile("septet", deadline=None)
settings.load_profile("septet")


@pytest.fixture(autouse=True)
def nothing_is_left_on() -> Iterator[None]:
    """Fail the test that leaves recording in another state than it found it, not the innocent one after it."""
    yield
    left = (context.trace, context.mask, context.layers)
    context.trace, context.mask, context.layers = None, ALL_FLAGS, ()
    assert left == (None, ALL_FLAGS, ()), f"a test left the recording context as {left}"
