"""Hooks."""

import pytest

from septet.base import hooks


def test_a_hook_is_loaded_when_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(hooks, "_hooks", {})
    loaded = []
    hooks.register_hook("thing", lambda: loaded.append(1) or "the thing")
    assert not loaded and hooks.hook("thing") == "the thing" and loaded == [1]
    with pytest.raises(KeyError):
        hooks.hook("other")


def test_models_find_the_training_loops():
    from septet import train

    assert hooks.hook("train") is train
