"""What plans an op is imported with the first such op."""

from __future__ import annotations

import subprocess
import sys

import pytest

import septet as st
from septet.backends.cpu.ops import conv, library, matmul, pool

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="the native backend")

ELEMENTWISE = """
import sys
import septet as st
print(st.compile(lambda x: st.tanh(x).mean())(st.ones((4000,))).item() > 0.7)
print([name for name in ("conv", "pool", "matmul") if "septet.backends.cpu.ops." + name in sys.modules])
"""


def test_a_program_of_elementwise_ops_does_without() -> None:
    done = subprocess.run([sys.executable, "-c", ELEMENTWISE], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["True", "[]"], done.stderr


def test_families_that_come_later_are_named_in_full() -> None:
    for names, family in ((library.PRODUCTS, matmul), (library.CONVOLUTIONS, conv), (library.POOLINGS, pool)):
        assert sorted(names) == sorted(family.TABLE)
        assert set(family.ORDERS) <= set(names)
