"""Stand-ins: arrays in the place of symbols."""

from __future__ import annotations

import numpy as np

import septet as st
from septet.run.target import with_stand_ins


def test_stand_ins_take_no_memory():
    (huge,), words = with_stand_ins(
        (st.symbol(shape=(100_000, 100_000)),), {"pair": [3, st.symbol(shape=(), dtype="int64")]}
    )
    assert huge.shape == (100_000, 100_000) and huge.dtype == np.float32 and huge.strides == (0, 0)
    assert words["pair"][0] == 3 and words["pair"][1].dtype == np.int64
