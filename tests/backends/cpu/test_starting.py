"""What all programs need is made by another thread, and what goes wrong there is told to who needs it."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

import septet as st

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="the native backend")


def output(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(("threads", "count"), [(2, 1), (1, 0)])
def test_it_is_begun_once_with_the_first_program_where_there_is_a_second_core(threads: int, count: int) -> None:
    code = f"""
    import threading, sys
    begun, start = [], threading.Thread.start
    threading.Thread.start = lambda self: (begun.append(self.name), start(self))[1]
    import septet as st
    from septet.run import programs
    from septet.backends.cpu import starting
    st.config.set(threads={threads})
    x = st.tensor([1.0, 2.0, 3.0])
    for scale in (2.0, 3.0):
        print(st.compile(lambda x: (x * scale).sum())(x).item())
    print(begun.count("septet-start"), *begun[:1])
    """
    assert output(code) == ["12.0", "18.0", str(count), *["septet-start"] * count]


def test_errors_of_that_thread_are_met_where_the_functions_are_needed() -> None:
    code = """
    import septet as st
    from septet.backends.cpu import calling, llvm, starting
    from septet.base.errors import CompilerError
    compile_text, refused = llvm.compile_text, []
    def refuse(text, level, **options):
        refused.append(text)
        raise CompilerError("no")
    llvm.compile_text = refuse
    starting.begin()
    import threading
    for thread in threading.enumerate():
        if thread.name == "septet-start":
            thread.join()
    print(bool(refused))
    x = st.tensor([1.0, 2.0, 3.0])
    double = st.compile(lambda x: x * 2.0)
    try:
        double(x)
    except CompilerError as error:
        print("error")
    llvm.compile_text = compile_text
    print(*double(x).tolist())
    """
    found = output(f"import os, tempfile; os.environ['SEPTET_CACHE_DIR'] = tempfile.mkdtemp()\n{dedent(code)}")
    assert found == ["True", "error", "2.0", "4.0", "6.0"]
