"""tools/check_floors.py finds each kind of violation in small trees, and none in the real one."""

import subprocess
import sys

import pytest


@pytest.fixture
def findings(load_tool, tmp_path):
    """Return a function that writes a tree of files and gives the findings as (path, line, rule)."""
    tool = load_tool("check_floors")

    def run(files: dict[str, str]) -> list[tuple[str, int, str]]:
        write(tmp_path, files)
        return [(f.path.removeprefix("septet/"), f.line, f.rule) for f in tool.check(tmp_path)]

    return run


def write(root, files):
    for name, text in files.items():
        path = root / "septet" / name
        for folder in [*path.parents]:
            if folder == root:
                break
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "__init__.py").exists():
                (folder / "__init__.py").write_text("")
        path.write_text(text)


def test_a_clean_tree_has_no_findings(findings):
    tree = {
        "__init__.py": "from septet.nn import layer\nfrom septet.base import errors\n",
        "base/errors.py": "import os\nimport numpy\n",
        "base/text.py": "from . import errors\nfrom .errors import x\n",
        "graph/node.py": "from septet.base import errors\nfrom septet.base.errors import x\n",
        "graph/__init__.py": "from septet.graph.node import Node\nfrom . import node\n",
        "nn/layer.py": "from ..graph import node\n",
        "optim/adam.py": "from septet.nn import layer\n",
        "backends/base.py": "",
        "backends/cpu/lower.py": "from septet.backends import base\nfrom septet.backends.cpu import tables\n",
        "backends/cpu/tables.py": "",
        "backends/__init__.py": "from septet.backends.cpu import lower\n",
        "dialects/keras.py": "import septet as st\n",
        "cli/main.py": "import septet\n\ndef main():\n    from septet.nn import layer\n    import rich\n",
    }
    assert findings(tree) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import septet.graph.node",
        "from septet.graph import node",
        "from septet.graph.node import Node",
        "from septet import graph",
        "from ..graph import node",
        "from ..graph.node import Node as N",
        "if True:\n    import septet.graph.node",
        "try:\n    import septet.graph.node\nexcept ImportError:\n    pass",
        "class A:\n    import septet.graph.node",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from septet.graph import node",
        "import importlib\nimportlib.import_module('septet.graph.node')",
        "from importlib import import_module\nname = 'x'\nimport_module(f'septet.graph.{name}')",
    ],
)
def test_an_import_up_the_floors_is_found_in_every_form(findings, statement):
    line = 1 + max(i for i, text in enumerate(statement.splitlines()) if "graph" in text)
    found = findings({"base/shapes.py": statement + "\n", "graph/node.py": ""})
    assert found == [("base/shapes.py", line, "floor")]


def test_an_import_up_inside_a_function_breaks_two_rules(findings):
    found = findings({"base/shapes.py": "def f():\n    from septet.graph import node\n", "graph/node.py": ""})
    assert found == [("base/shapes.py", 2, "floor"), ("base/shapes.py", 2, "local")]


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("transform/vjp.py", "optimize"),
        ("optimize/fuse.py", "transform"),
        ("data/arrays.py", "nn"),
        ("nn/dense.py", "data"),
        ("train/loop.py", "view"),
        ("optim/sgd.py", "train"),
        ("view/plots.py", "metrics"),
    ],
)
def test_siblings_do_not_import_each_other(findings, importer, imported):
    found = findings({importer: f"from septet.{imported} import thing\n", f"{imported}/thing.py": ""})
    assert found == [(importer, 1, "sibling")]


@pytest.mark.parametrize("importer", ["optim", "train", "metrics", "io", "parallel", "view"])
def test_the_library_may_import_nn(findings, importer):
    assert findings({f"{importer}/m.py": "from septet.nn import dense\n", "nn/dense.py": ""}) == []


@pytest.mark.parametrize(
    "statement", ["from septet.backends import reference", "import septet.backends.reference.table"]
)
def test_backends_do_not_import_each_other(findings, statement):
    found = findings({"backends/cpu/lower.py": statement + "\n", "backends/reference/table.py": ""})
    assert found == [("backends/cpu/lower.py", 1, "backend")]


def test_a_dialect_imports_those_that_it_is_made_of_only(findings):
    tree = {
        "dialects/lasagne/layers.py": "from septet.dialects import theano\n",
        "dialects/theano/tensor.py": "import septet.dialects.lasagne.layers\n",
    }
    assert findings(tree) == [("dialects/theano/tensor.py", 1, "dialect")]


def test_the_protocol_does_not_import_a_backend(findings):
    found = findings({"backends/base/protocol.py": "from septet.backends import cpu\n", "backends/cpu/lower.py": ""})
    assert found == [("backends/base/protocol.py", 1, "backend")]


@pytest.mark.parametrize("statement", ["import septet", "from septet import Tensor", "from .. import Tensor"])
def test_only_upper_floors_import_the_root(findings, statement):
    assert findings({"nn/dense.py": statement + "\n"}) == [("nn/dense.py", 1, "root")]


def test_a_cycle_in_one_folder_is_found_once(findings):
    tree = {
        "ops/a.py": "import os\nfrom septet.ops import b\n",
        "ops/b.py": "from septet.ops.c import x\n",
        "ops/c.py": "from . import a\n",
        "ops/d.py": "from . import a\n",
    }
    assert findings(tree) == [("ops/a.py", 2, "cycle")]


def test_a_module_that_imports_its_own_package_for_a_name_is_a_cycle(findings):
    tree = {"ops/__init__.py": "from septet.ops.a import f\n", "ops/a.py": "from septet.ops import g\n"}
    assert [rule for _, _, rule in findings(tree)] == ["cycle"]


def test_importing_a_submodule_runs_the_package_above_it(findings):
    tree = {
        "ops/composite/__init__.py": "from septet.ops import loop\n",
        "ops/composite/losses.py": "",
        "ops/loop.py": "from septet.ops.composite.losses import x\n",
    }
    assert [rule for _, _, rule in findings(tree)] == ["cycle"]


def test_type_checking_blocks_make_no_cycle(findings):
    guard = (
        "from __future__ import annotations\nimport typing\nif typing.TYPE_CHECKING:\n    from septet.ops import b\n"
    )
    assert findings({"ops/a.py": guard, "ops/b.py": "from septet.ops import a\n"}) == []


def test_the_else_branch_of_a_type_checking_block_does_make_a_cycle(findings):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    from septet.ops import b\n"
    assert [r for _, _, r in findings({"ops/a.py": text, "ops/b.py": "from septet.ops import a\n"})] == ["cycle"]


def test_a_function_level_import_is_no_way_around_a_cycle(findings):
    tree = {"ops/a.py": "def f():\n    from septet.ops import b\n", "ops/b.py": "from septet.ops import a\n"}
    assert findings(tree) == [("ops/a.py", 2, "local")]


@pytest.mark.parametrize(
    ("importer", "imported", "rules"),
    [
        ("run/programs.py", "optimize", []),
        ("run/programs.py", "nn", ["floor"]),
        ("run/eager.py", "optimize", ["local"]),
    ],
)
def test_programs_load_the_optimizer_when_they_need_it(findings, importer, imported, rules):
    tree = {importer: f"def f():\n    from septet.{imported} import thing\n", f"{imported}/thing.py": ""}
    assert findings(tree) == [(importer, 2, rule) for rule in rules]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    import matplotlib.pyplot\n", []),
        ("def f():\n    from PIL import Image\n    import rich\n    import asyncio\n", []),
        ("async def f():\n    import colorama\n", [("view/m.py", 2, "local")]),
        ("def f():\n    import re\n", [("view/m.py", 2, "local")]),
        ("f = lambda: __import__('re')\n", [("view/m.py", 1, "local")]),
        ("import matplotlib\n", [("view/m.py", 1, "extra")]),
        ("try:\n    from PIL import Image\nexcept ImportError:\n    Image = None\n", [("view/m.py", 2, "extra")]),
        ("def f():\n    import sklearn.datasets\n", [("view/m.py", 2, "test-only")]),
        ("from hypothesis import given\n", [("view/m.py", 1, "test-only")]),
        ("from septet.base import nowhere\nfrom septet.bass import x\n", [("view/m.py", 2, "missing")]),
        ("import importlib\ndef f(n):\n    return importlib.import_module(n)\n", [("view/m.py", 3, "dynamic")]),
        (
            "import importlib\ndef f(n):\n    return importlib.import_module(f'septet.{n}')\n",
            [("view/m.py", 3, "dynamic")],
        ),
        ("import importlib\ndef f(n):\n    return importlib.import_module('.x', n)\n", [("view/m.py", 3, "dynamic")]),
    ],
)
def test_what_may_be_imported_where(findings, text, expected):
    assert findings({"view/m.py": text, "base/errors.py": ""}) == expected


def test_a_folder_without_a_floor_is_found(findings):
    assert findings({"misc/m.py": "", "base/errors.py": ""}) == [
        ("misc/__init__.py", 1, "unknown"),
        ("misc/m.py", 1, "unknown"),
    ]


def test_the_command_names_place_and_rule_and_fails(repository, tmp_path):
    write(tmp_path, {"base/shapes.py": "\nimport septet.graph.node\n", "graph/node.py": "def f():\n    import rich\n"})
    command = [sys.executable, str(repository / "tools" / "check_floors.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "septet/base/shapes.py:2: [floor] septet.base.shapes (F0 base) imports septet.graph.node (F1 graph)"
        in done.stdout
    )
    assert "rich: septet/graph/node.py:2" in done.stdout
    (tmp_path / "septet" / "base" / "shapes.py").write_text("")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "0 findings" in done.stdout


def test_the_command_says_when_there_is_nothing_to_check(load_tool, tmp_path, capsys):
    assert load_tool("check_floors").main([str(tmp_path)]) == 2
    assert "no folder septet/" in capsys.readouterr().out


def test_the_real_tree_keeps_the_rules(load_tool, repository):
    findings = load_tool("check_floors").check(repository)
    assert not findings, "\n".join(map(str, findings))
