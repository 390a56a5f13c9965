"""`import septet` stays cheap: little time on top of numpy, and nothing heavy loaded before it is used."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from septet.ops import LATER

ROOT = Path(__file__).resolve().parents[1]
BUDGET_MS = 100
HEAVY = {
    *("matplotlib", "PIL", "rich", "click", "scipy", "safetensors", "asyncio", "multiprocessing", "dataclasses"),
    *("numpy.polynomial", "numpy.typing", "numpy.random", "numpy.fft", "numpy.testing"),
    *("septet.nn", "septet.train", "septet.view", "septet.optimize"),  # loaded when they are first used
    *("septet.run.compile", "septet.run.function", "septet.run.hot", "septet.run.memory", "septet.run.sheets"),
    *("septet.run.check", "septet.run.explain", "septet.run.profile", "septet.backends.base_work"),
    *("septet.tensor.control", "septet.tensor.io", "septet.tensor.random", "septet.tensor.standard"),
    *("septet.transform.custom", "septet.transform.functional", "septet.transform.jacobian", "septet.transform.jvp"),
    *("septet.transform.vmap", "septet.transform.batch"),
    *[f"septet.ops.{family}" for family in LATER],
}


# What the first compiled step of an elementwise function does without.
NOT_FOR_ELEMENTWISE = {
    *("matplotlib", "PIL", "rich", "click", "scipy", "safetensors", "asyncio", "multiprocessing", "dataclasses"),
    *[f"septet.{folder}" for folder in ("nn", "optim", "data", "train", "metrics", "io", "view")],
    *[f"septet.ops.{family}" for family in LATER if family != "transcendental"],
    *[f"septet.optimize.{name}" for name in ("loops", "loop_moves", "loop_parts", "blocks", "products", "hidden")],
    *[f"septet.backends.cpu.{name}" for name in ("describing", "stepwise", "openblas", "onednn", "philox", "pieces")],
    *[f"septet.backends.cpu.ops.{name}" for name in ("assembling", "control", "conv", "indexing", "matmul", "random")],
    *[f"septet.backends.cpu.vectormath.{name}" for name in ("arcs", "exact", "gamma", "logarithm", "trigonometric")],
    *("septet.run.explain", "septet.run.function", "septet.run.hot", "septet.run.profile", "septet.run.recorder"),
}


def fresh_python(code: str, *arguments: str) -> str:
    """Run code in a new process that finds this checkout first, and return what it printed."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.budget
def test_importing_septet_costs_little_more_than_numpy(tmp_path):
    output = tmp_path / "import_time.json"
    script = ROOT / "benchmarks" / "import_time.py"
    command = [sys.executable, str(script), "--runs", "7", "--output", str(output)]
    best = {}
    for _ in range(4):  # more runs only where the first ones were disturbed
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        result = json.loads(output.read_text())
        # The minima: other processes share the cores and their caches, and only ever add time.
        best = {name: min(time, best.get(name, time)) for name, time in result["min_ms"].items()}
        if best["septet"] - best["numpy"] <= BUDGET_MS:
            break
    assert best["septet"] - best["numpy"] <= BUDGET_MS, f"over the budget of {BUDGET_MS} ms: {best}"


def test_importing_septet_loads_nothing_heavy():
    # What numpy loads by itself on this version is not septet's to answer for.
    names = "print(*sys.modules)"
    with_numpy = set(fresh_python(f"import numpy\n{names}").split())
    with_septet = set(fresh_python(f"import septet\n{names}").split())
    assert "septet" in with_septet
    assert not sorted((with_septet - with_numpy) & HEAVY)


def test_the_first_compiled_step_loads_what_it_needs():
    code = """
    import septet as st
    x = st.tensor([1.0] * 1000)
    print(st.compile(lambda x: (st.tanh(x + 1.0) * st.exp(-x * x)).mean())(x).item())
    import sys
    print(*sys.modules)
    """
    value, names = fresh_python(dedent(code)).splitlines()
    assert abs(float(value) - 0.35464) < 1e-4
    loaded = set(names.split())
    assert not sorted(loaded & NOT_FOR_ELEMENTWISE)
    own = [name for name in loaded if name.startswith("septet.")]
    assert "septet.optimize.pipeline" in loaded and len(own) <= 150, sorted(own)


def test_importing_septet_loads_no_backend_but_the_reference():
    names = "import septet\nprint(*sorted(name for name in sys.modules if name.startswith('septet.backends.')))"
    assert {name.split(".")[2] for name in fresh_python(names).split()} == {"base", "reference"}


def test_importing_septet_is_silent_and_starts_nothing():
    code = "import threading, septet\nprint('threads', threading.active_count())"
    assert fresh_python(code) == "threads 1\n"


def test_what_is_imported_later_is_found_under_its_name():
    code = """
    import septet, sys
    from septet import vmap, einsum
    names = dir(septet)
    assert {"vmap", "einsum", "linalg", "attention", "sum", "random", "nn", "Tensor", "compile"} <= {*names}
    assert {"vmap", "einsum", "linalg", "attention", "sum", "random", "Tensor", "compile"} <= {*septet.__all__}
    assert len(septet.__all__) == len({*septet.__all__})
    assert not [name for name in names if not hasattr(septet, name)]
    assert not hasattr(septet, "svd") and not hasattr(septet, "conv_kernel") and not hasattr(septet, "no_such_name")
    space = {}
    exec("from septet import *", space)
    assert not [name for name in septet.__all__ if space[name] is not getattr(septet, name)]
    assert septet.sum is septet.sum and septet.linalg.svd.__name__ == "svd"
    """
    fresh_python(dedent(code))


def test_type_checkers_see_what_is_imported_later():
    tree = ast.parse((ROOT / "septet" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        f"{statement.module.removeprefix('septet.')}.{alias.name}"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    code = "import septet\nprint(*[f'{septet._PLACES[name]}.{name}' for name in septet._PLACES])"
    assert seen == {*fresh_python(code).split(), "tensor.random"}
