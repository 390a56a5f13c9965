"""Layers as experiment files write them: ``Conv2D(16, 3, padding="same")``, read without running anything."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from septet import nn
from septet.base.errors import SeptetError, SettingError
from septet.base.text import did_you_mean
from septet.nn.config import layers


def read_layers(texts: Sequence[str], place: str) -> nn.Sequential:
    """Return the layers in a row.

    Parameters
    ----------
    texts : sequence of str
        Each the name of a layer of ``st.nn``, or a call of it with plain values.
    place : str
        Where they stand, for messages.

    Raises
    ------
    SettingError
        If a text is no such call, or a layer does not take these values.
    """
    return nn.Sequential(*[read_layer(text, f"{place}, layer {number}") for number, text in enumerate(texts, 1)])


def read_layer(text: str, place: str) -> nn.Module:
    """Return one layer; see `read_layers`."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise SettingError(f"{place}: {text!r} is no layer: {error.msg}") from None
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    name = call.func.id if isinstance(call.func, ast.Name) else None
    if name is None:
        raise SettingError(f'{place}: {text!r} is no layer; write it like Dense(10) or Conv2D(16, 3, padding="same")')
    known = layers()
    if name not in known:
        hint = did_you_mean(name, known) or f" The layers are {', '.join(sorted(known))}"
        raise SettingError(f"{place}: there is no layer {name!r}.{hint}")
    try:
        values = [_value(item, place) for item in call.args]
        words = {str(word.arg): _value(word.value, place) for word in call.keywords if word.arg}
        return known[name](*values, **words)
    except SettingError:
        raise
    except (SeptetError, TypeError, ValueError) as error:
        raise SettingError(f"{place}: {text!r}: {getattr(error, 'message', error)}") from None


def _value(tree: ast.expr, place: str) -> Any:
    if isinstance(tree, ast.Call):  # a layer inside a layer, as in Sequential(Dense(3), ReLU())
        return read_layer(ast.unparse(tree), place)
    try:
        return ast.literal_eval(tree)
    except ValueError:
        raise SettingError(
            f"{place}: {ast.unparse(tree)} is no plain value; numbers, texts, tuples, lists, True, False and None are"
        ) from None
