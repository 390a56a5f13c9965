"""The generated pages of docs/, and the index of ops, are up to date, and what they say is complete."""

import re

import pytest

TOOLS = ["generate_tree", "generate_errors", "generate_ops", "generate_index", "generate_layers", "generate_coverage"]


@pytest.mark.parametrize("name", TOOLS)
def test_the_page_is_up_to_date(load_tool, name):
    assert load_tool(name).main(["--check"]) == 0, f"run python tools/{name}.py"


@pytest.mark.parametrize("name", ["generate_tree", "generate_ops", "generate_index", "generate_layers"])
def test_a_page_that_differs_is_noticed(load_tool, name, tmp_path, monkeypatch, capsys):
    tool = load_tool(name)
    monkeypatch.setattr(tool, "PAGE", tmp_path / "page.md")
    assert tool.main(["--check"]) == 1
    assert "run python tools/" in capsys.readouterr().err
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    (tmp_path / "page.md").write_text(tool.page() + "x", encoding="utf-8")
    assert tool.main(["--check"]) == 1


def test_error_pages_that_differ_are_noticed(load_tool, tmp_path, monkeypatch):
    tool = load_tool("generate_errors")
    monkeypatch.setattr(tool, "FOLDER", tmp_path)
    assert tool.main(["--check"]) == 1
    (tmp_path / "S999.md").write_text("a class that is gone", encoding="utf-8")
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    assert not (tmp_path / "S999.md").exists()


def test_every_error_has_a_code_of_its_own_and_a_page_with_cause_and_fix(load_tool):
    from septet.base.errors import all_errors

    classes = [cls for cls in all_errors() if cls.__module__ == "septet.base.errors"]
    assert len({cls.code for cls in classes}) == len(classes)
    pages = load_tool("generate_errors").pages()
    for cls in classes[1:]:
        text = pages[f"{cls.code}.md"]
        assert "## Cause" in text and "## Fix" in text, cls
        assert cls.command() == f"septet errors {cls.code}"


def test_every_op_says_why_it_has_no_gradient_or_batching(load_tool):
    from septet.graph.op import ITEM, all_ops

    tool = load_tool("generate_ops")
    for op in set(all_ops()) - {ITEM}:
        assert "no: |" not in tool.row(op), op


def test_the_map_names_every_module_and_each_has_a_subject(load_tool, repository):
    text = load_tool("generate_tree").page()
    for path in (repository / "septet").rglob("*.py"):
        if path.name != "__init__.py" and (path.parent / "__init__.py").exists():
            assert f"(../{path.relative_to(repository).as_posix()})" in text, path
    assert "|  |" not in text


def test_the_examples_of_the_error_pages_raise_what_they_say():
    import septet as st
    from septet import nn
    from septet.base import errors

    examples = {}
    for cls in errors.all_errors():
        found = re.search(r"Example\n\s+``((?:st|nn)\..*?)``", cls.__doc__ or "")
        if found and cls.__module__ == "septet.base.errors":
            examples[cls] = found[1]
    assert {cls.code for cls in examples} >= {"S101", "S102", "S103", "S104"}
    for cls, text in examples.items():
        with pytest.raises(cls) as caught:
            eval(text, {"st": st, "nn": nn}).numpy()
        assert type(caught.value) is cls, text


def test_every_layer_says_what_it_does(load_tool):
    tool = load_tool("generate_layers")
    found = [cls for classes in tool.layers().values() for cls in classes]
    assert all(cls.__doc__ and tool.row(cls).split("|")[2].strip() for cls in found)
    dense = tool.names_elsewhere(next(cls for cls in found if cls.__name__ == "Dense"))
    assert dense == {"Keras": ["Dense"], "Lasagne": ["DenseLayer", "NINLayer"], "PyTorch": ["Linear"]}
