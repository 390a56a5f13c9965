"""Experiment files: what they say, and where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from septet import nn
from septet.base.errors import SettingError
from septet.cli import experiment, schema
from septet.cli.layers import read_layers

TOML = """\
# digits, small
[data]
name = "digits"

[model]
layers = [
    "Conv2D(8, 3, activation='relu')",
    "Flatten",
    "Dense(10)",
]

[optimizer]
name = "sgd"
learning_rate = 0.1

[training]
epochs = 3
"""

YAML = """\
# digits, small
data:
  name: digits
model:
  layers:
    - Conv2D(8, 3, activation='relu')
    - Flatten
    - Dense(10)
optimizer: {name: sgd, learning_rate: 0.1}
training:
  epochs: 3
"""


def written(folder: Path, text: str, name: str) -> Path:
    """A file with the text."""
    path = folder / name
    path.write_text(text)
    return path


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    toml = experiment.read(written(tmp_path, TOML, "a.toml"))
    pytest.importorskip("yaml", reason="PyYAML is not installed (pip install septet[yaml])")
    assert experiment.read(written(tmp_path, YAML, "a.yaml")) == toml
    assert toml["training"]["batch_size"] == 32 and toml["optimizer"]["name"] == "sgd"
    experiment.write(toml, tmp_path / "b.toml")
    assert experiment.read(tmp_path / "b.toml") == toml


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 3", "epochs = 0", "line 17: training.epochs must be an integer of at least 1, not 0"),
        (
            "epochs = 3",
            "epoch = 3",
            "line 17: training has no key 'epoch'. Did you mean 'epochs'? The keys are epochs,",
        ),
        ("[optimizer]", "[optimiser]", "line 12: there is no section 'optimiser'. Did you mean 'optimizer'?"),
        ('"sgd"', '"sdg"', "line 13: optimizer.name must be one of sgd, adam, "),
        ("= 0.1", '= "fast"', "line 14: optimizer.learning_rate must be a number of at least 0, not 'fast'"),
        ("epochs = 3", "epochs = true", "line 17: training.epochs must be an integer"),
        ('[data]\nname = "digits"', "data = 3", "line 2: 'data' is a section with keys (name, folder,"),
        ("epochs = 3", "epochs = ", "this is no TOML: Invalid value (at line 17"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = written(tmp_path, TOML.replace(old, new), "a.toml")
    with pytest.raises(SettingError) as caught:
        experiment.read(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_yaml_names_lines_too(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed (pip install septet[yaml])")
    with pytest.raises(SettingError, match=r"a\.yaml, line 9: optimizer has no key 'rate'"):
        experiment.read(written(tmp_path, YAML.replace("learning_rate", "rate"), "a.yaml"))
    with pytest.raises(SettingError, match=r"a\.yaml, line \d+: this is no YAML"):
        experiment.read(written(tmp_path, YAML + "  x: [1", "a.yaml"))


def test_layers_are_read_without_running_anything() -> None:
    model = read_layers(["Conv2D(8, (3, 3), padding='same')", "ReLU", "Sequential(Flatten(), Dense(3))"], "model")
    assert [type(layer) for layer in model] == [nn.Conv2D, nn.ReLU, nn.Sequential]
    for text, message in {
        "Dens(3)": "model, layer 1: there is no layer 'Dens'. Did you mean 'Dense'?",
        "Dense(open('x'))": "there is no layer 'open'",
        "Dense(1 + x)": "1 + x is no plain value",
        "Dense(-1)": "'Dense(-1)': Dense: units",
        "Dense(3": "'Dense(3' is no layer",
        "nn.Dense(3)": "write it like Dense(10)",
        "Dense(unitz=3)": "'Dense(unitz=3)'",
    }.items():
        with pytest.raises(SettingError) as caught:
            read_layers([text], "model")
        assert message in str(caught.value)


def test_every_key_says_what_it_is_for() -> None:
    for keys in schema.SECTIONS.values():
        for key in keys.values():
            assert key.about and key.allowed()
            assert key.default is None or key.accepts(key.default)
