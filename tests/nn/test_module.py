"""Module: the tree, building, modes, names, state."""

import operator
import re

import numpy as np
import pytest

import septet as st
from septet import nn


class Block(nn.Module):
    def __init__(self):
        self.first = nn.Dense(4)
        self.more = [nn.Dense(4), nn.Dropout(0.5)]
        self.gain = st.Variable(np.ones(4, np.float32), role="scale")

    def forward(self, x):
        for layer in self.more:
            x = layer(self.first(x))
        return x * self.gain


def test_the_tree_is_read_off_attributes():
    model = Block()
    model(st.ones((2, 4)))
    names = [name for name, _ in model.named_variables()]
    assert names == ["gain", "first.kernel", "first.bias", "more.0.kernel", "more.0.bias"]
    assert [v.name for v in model.variables()] == names
    assert [name for name, _ in model.named_modules()] == ["", "first", "more.0", "more.1"]
    assert [v.role for v in model.variables("scale", "bias")] == ["scale", "bias", "bias"]


def test_parameters_may_be_asked_for_before_the_first_input():
    model = nn.Sequential(nn.Dense(3), nn.BatchNorm())
    parameters = model.parameters()
    assert len(parameters) == 0 and not model.is_built
    model.build_for(np.zeros((2, 5), np.float32))
    assert model.is_built and [v.name for v in parameters] == ["0.kernel", "0.bias", "1.scale", "1.shift"]
    assert parameters[0].shape == (5, 3) and len(model.parameters("bias")) == 2


def test_build_for_leaves_modes_statistics_and_random_state_of_layers():
    st.random.seed(0)
    model = nn.Sequential(nn.BatchNorm(), nn.Dropout(0.5))
    before = st.random.get_state()
    model.build_for(np.full((4, 2), 7, np.float32))
    assert model[0].mean.value.tolist() == [0, 0] and model[1].is_training
    assert np.array_equal(before, st.random.get_state())


def test_shared_modules_come_once():
    shared = nn.Dense(3)
    model = nn.Sequential(shared, shared)
    model(st.ones((1, 3)))
    assert len(model.variables()) == 2 and len(list(model.modules())) == 2


def test_modes_reach_everything():
    model = Block().eval()
    assert not any(module.is_training for module in model.modules())
    assert all(module.is_training for module in model.train().modules())


def test_what_is_frozen_stays_while_the_rest_is_trained():
    body = nn.Sequential(nn.Dense(4), nn.BatchNorm(), nn.Dropout(0.5))
    with pytest.raises(st.errors.ArgumentError, match="nothing to freeze yet"):
        body.freeze()
    inputs = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    body.build_for(inputs)
    body[1].shift.trainable = False  # fixed by hand: it stays so
    model = nn.Sequential(body.freeze(), nn.Dense(2))
    before = body.state_dict()
    model.fit((inputs, np.arange(8) % 2), epochs=2, verbose=False)
    assert {name: value.tobytes() for name, value in body.state_dict().items()} == {
        name: value.tobytes() for name, value in before.items()
    }
    model.train()
    assert not any(module.is_training for module in body.modules()) and model[1].is_training
    assert [path for path, _ in model.named_parameters()] == ["1.kernel", "1.bias"]
    body.unfreeze()
    model.train()
    assert body[2].is_training
    assert [path for path, _ in body.named_parameters()] == ["0.kernel", "0.bias", "1.scale"]


def test_errors_show_the_layer_path():
    model = nn.Sequential(nn.Dense(3), nn.Sequential(nn.Dense(2)))
    model(st.ones((1, 4)))
    with pytest.raises(st.errors.ShapeError, match=r"in layer Sequential/0:Dense"):
        model(st.ones((1, 5)))
    with pytest.raises(st.errors.ShapeError, match=r"Sequential/1:Sequential/0:Dense"):
        nn.Sequential(nn.Flatten(), model[1])(st.ones((1, 5)))


def test_labels_follow_the_name():
    layer = nn.Dense(3)
    assert layer(st.ones((2, 4))).node.layers == ("Dense",)
    model = nn.Sequential(layer)
    assert layer.label == "0:Dense"
    assert model(st.ones((2, 4))).node.layers == ("Sequential", "0:Dense")


def test_the_layer_path_ends_with_the_call():
    model = nn.Sequential(nn.Dense(3), nn.Dense(4))
    with pytest.raises(st.errors.ShapeError):
        model(st.tensor(1.0))
    assert st.exp(st.tensor(1.0)).node.layers == ()


def test_a_sequence_holds_what_was_given_to_it():
    model = nn.Sequential(nn.Dense(3), nn.ReLU(), nn.Dense(4))
    assert [type(layer).__name__ for layer in model] == ["Dense", "ReLU", "Dense"]
    assert len(model) == 3 and len(model[1:]) == 2 and model[-1].units == 4


def test_models_are_built_inside_a_trace():
    st.random.seed(1)
    model = nn.Dense(2)
    step = st.compile(lambda x: model(x))
    x = np.ones((3, 4), np.float32)
    assert np.allclose(step(x), x @ model.kernel.value)
    st.random.seed(1)
    twin = nn.Dense(2)
    twin(x)
    assert np.array_equal(twin.kernel.value, model.kernel.value)


def test_state_goes_round():
    model, twin = Block(), Block()
    x = st.ones((2, 4))
    model.eval()(x), twin.eval()(x)
    twin.load_state_dict(model.state_dict())
    assert np.array_equal(model(x), twin(x))


def test_a_state_that_does_not_fit_changes_nothing():
    model = nn.Sequential(nn.Dense(2), nn.Dense(2))
    with pytest.raises(st.errors.ArgumentError, match="not seen an input yet"):
        model.load_state_dict({})
    model(st.ones((1, 3)))
    before = {k: v.copy() for k, v in model.state_dict().items()}
    state = {k: v + 1 for k, v in before.items()}
    state["1.kernal"] = state.pop("1.kernel")
    state["0.bias"] = np.zeros(7, np.float32)
    with pytest.raises(st.errors.FileFormatError) as caught:
        model.load_state_dict(state)
    for text in ("missing 1 tensor: 1.kernel", "unexpected 1 tensor: 1.kernal", "0.bias has shape (7,)"):
        assert text in str(caught.value)
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    model.load_state_dict({"0.bias": np.full(2, 5.0)}, strict=False)
    assert model[0].bias.value.tolist() == [5, 5]


def test_text_shows_the_tree():
    model = nn.Sequential(nn.Conv2D(8, 3, padding="same"), nn.Sequential(nn.ReLU()))
    assert repr(model) == "Sequential(\n  0: Conv2D(8, 3x3, padding='same')\n  1: Sequential(\n    0: ReLU()\n  )\n)"


def test_a_name_that_does_not_exist_gets_help() -> None:
    """Names of other libraries and misspelt ones are told with the name here."""
    for module, name, message in (
        (nn, "Linear", "no attribute 'Linear'. Here it is 'Dense'; docs/coming_from.md has the other names"),
        (nn, "Conv2d", "no attribute 'Conv2d'. Did you mean 'Conv2D'?"),
        (nn, "Unlike", "module 'septet.nn' has no attribute 'Unlike'"),
        (st, "variabel", "no attribute 'variabel'. Did you mean 'Variable'?"),
        (st, "device", "no attribute 'device': Septet computes on the processor"),
        (st, "_hidden", "module 'septet' has no attribute '_hidden'"),
    ):
        with pytest.raises(AttributeError, match=re.escape(message)):
            getattr(module, name)
    for path in nn._ELSEWHERE.values():
        assert path == "septet" or operator.attrgetter(path)(nn)
