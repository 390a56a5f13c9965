"""tools/generate_coverage.py says of each name of an original what it is here."""

from types import SimpleNamespace

import pytest

COVERAGE = SimpleNamespace(
    DIFFERS={"tensor.exp": "is slower."},
    REFUSED={"graph": ("No graphs here", "base"), "tensor.Tensor": ("No tensors.", "")},
)


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("generate_coverage")


def test_a_name_is_the_same_differs_is_refused_or_is_missing(tool):
    def state(name):
        return tool.state("theano", name, "", COVERAGE)

    assert state("tensor.dot") == ("same", "")
    assert state("tensor.TensorVariable.dot") == ("same", "")
    assert state("tensor.exp") == ("differs", "is slower.")
    assert state("tensor.no_such_name") == ("missing", "")
    assert state("no.such.module") == ("missing", "")
    assert state("graph.anything") == ("refused", "No graphs here. Nearest: `base`")
    assert state("tensor.Tensor") == ("refused", "No tensors.")


def test_a_parameter_that_is_not_taken_is_a_difference(tool):
    def function(x, axis=None):
        pass

    assert tool.absent_parameters(function, "(x, axis=None)") == []
    assert tool.absent_parameters(function, "(x, axis=(0, 1), keepdims=False, *rest, **more)") == ["keepdims"]
    assert tool.absent_parameters(lambda *names, **more: None, "(a, b=[1, 2], c='x, y')") == []
    assert tool.absent_parameters(3, "") == []


def test_pages_that_differ_are_noticed(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "FOLDER", tmp_path)
    assert tool.main(["--check"]) == 1
    assert "run python tools/generate_coverage.py" in capsys.readouterr().err
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    text = (tmp_path / "theano.md").read_text(encoding="utf-8")
    assert "| `theano.tensor` |" in text and "Same: " in text
