"""Configurations."""

import json

import numpy as np
import pytest

import septet as st
from septet import nn

MODEL = (
    nn.Conv2D(4, (3, 2), "relu", padding="same", stride=2), nn.BatchNorm(0.8), nn.LeakyReLU(0.2), nn.MaxPool2D(2),
    nn.Sequential(nn.Flatten(), nn.Dropout(0.1)), nn.Dense(3, use_bias=False), nn.LayerNorm(), nn.Activation("tanh"),
    nn.Reshape((3, 1)), nn.Softmax(axis=1),
)  # fmt: skip


def test_a_model_goes_round_through_json():
    model = nn.Sequential(*MODEL)
    twin = nn.from_config(json.loads(json.dumps(nn.to_config(model))))
    assert repr(twin) == repr(model)
    x = np.random.default_rng(0).random((2, 1, 8, 8), np.float32)
    model.build_for(x), twin.build_for(x)
    twin.load_state_dict(model.state_dict())
    assert np.array_equal(model.eval()(x), twin.eval()(x))


def test_every_layer_is_known():
    from septet.nn.config import layers

    own = {name for name in nn.__all__ if name[0].isupper()} - {"Input", "Module", "Parameters"}
    assert own == {name for name, cls in layers().items() if not cls.__module__.startswith("septet.nn.zoo.")}


def test_what_a_file_cannot_hold_is_refused():
    class Mine(nn.Module):
        pass

    with pytest.raises(st.errors.NotSupportedError, match="Mine is not a layer of Septet"):
        nn.to_config(nn.Sequential(Mine()))
    with pytest.raises(st.errors.NotSupportedError, match="activation is <function"):
        nn.to_config(nn.Dense(3, activation=lambda x: x))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (3, "names 3"),
        ({"class": "Module"}, "names 'Module'"),
        ({"class": "Dense", "with": {"unitz": 3}}, "it takes units"),
        ({"class": "Dense", "with": {"units": -3}}, "units must be an integer of at least 1"),
        ({"class": "Dense"}, "cannot be used"),
        ({"class": "Sequential"}, "no list of children"),
    ],
)
def test_foreign_configurations_are_refused(config, text):
    with pytest.raises(st.errors.FileFormatError, match=text):
        nn.from_config(config)
