"""Names of arguments."""

from __future__ import annotations

import functools

import pytest

from septet.base.errors import CallError
from septet.run.names import argument_names, check_call, function_name, leaf_names, signature


def example(a, /, b, *rest, c=1, **more):
    """Take everything."""


@pytest.mark.parametrize(
    ("args", "words", "names"),
    [
        ((), {}, []),
        ((1,), {"b": 2}, ["a", "b"]),
        ((1, 2, 3, 4), {"c": 5, "d": 6}, ["a", "b", "*rest[0]", "*rest[1]", "c", "d"]),
    ],
)
def test_argument_names(args, words, names):
    assert argument_names(signature(example), args, words) == names


def test_more_arguments_than_parameters():
    assert argument_names(signature(lambda x: x), (1, 2), {}) == ["x", "argument 1"]
    assert argument_names(None, (1, 2), {"k": 3}) == ["argument 0", "argument 1", "k"]


def test_leaf_names():
    args, words = ({"b": [1, 2], "a": 3}, None), {"z": (4,), "c": 5}
    names = argument_names(signature(example), args, words)
    assert leaf_names(names, args, words) == ["a['a']", "a['b'][0]", "a['b'][1]", "c", "z[0]"]


def test_function_names():
    assert function_name(example) == "example"
    assert function_name(functools.partial(example)) == "partial"


def test_a_module_s_parameters_are_those_of_forward():
    class Model:
        def __call__(self, *inputs, **words):
            return self.forward(*inputs, **words)

        def forward(self, image, mask=None):
            return image

    assert list(signature(Model()).parameters) == ["image", "mask"]


def test_calls_are_checked():
    check_call(signature(example), (1, 2), {"anything": 3})
    check_call(None, (1, 2, 3), {})
    with pytest.raises(CallError, match=r"it takes \(a, b, \*rest, c=..., \*\*more\)"):
        check_call(signature(example), (), {})
    with pytest.raises(CallError) as caught:
        check_call(signature(lambda image: image), (), {"imge": 1})
    assert caught.value.hint == "did you mean 'image'?"
