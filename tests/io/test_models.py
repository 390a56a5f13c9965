"""Whole models in a file."""

import os
import subprocess
import sys

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.io import load_model, save_model, save_weights

X = np.random.default_rng(0).random((3, 1, 6, 6), np.float32)


def make():
    st.random.seed(0)
    return nn.Sequential(nn.Conv2D(2, 3, "relu"), nn.BatchNorm(), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(4))


def test_a_model_comes_back_and_computes_the_same(tmp_path):
    model, path = make(), tmp_path / "model.safetensors"
    model(X)
    save_model(model, path, X, {"classes": list("abcd")})
    before = st.random.get_state()
    twin, metadata = load_model(path)
    assert metadata["classes"] == list("abcd") and metadata["input_shape"] == [1, 6, 6]
    assert repr(twin) == repr(model) and not twin.is_training
    assert np.array_equal(model.eval()(X), twin(X))
    assert twin[1].mean.role == "statistic" and before is not None


def test_a_saved_model_predicts_the_same_bits_in_a_fresh_process(tmp_path):
    model = make()
    model.fit((X, np.array([0, 1, 2])), epochs=2, verbose=False)
    model.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys, numpy as np; from septet import nn\n"
        "np.save('y.npy', nn.Module.load('model.safetensors').predict(np.load('x.npy')))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert np.array_equal(np.load(tmp_path / "y.npy"), model.predict(X))


def test_inputs_are_those_of_the_first_call_or_of_examples(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(st.errors.ArgumentError, match="has not seen an input yet"):
        save_model(nn.Dense(2), path)
    with pytest.raises(st.errors.ArgumentError, match="whose first axis is the batch"):
        save_model(nn.Dense(2).build_for(X[0]), path, np.float32(1))
    left, right = nn.Input((3,)), nn.Input((2,))
    model = nn.Model([left, right], [nn.Dense(2)(left), nn.Dense(2)(right)])
    a, b = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    model(a, b)
    model.save(path)
    pairs = zip(nn.Module.load(path)(a, b), model.eval()(a, b), strict=True)
    assert all(np.array_equal(found.numpy(), expected.numpy()) for found, expected in pairs)


def test_weights_without_a_model_are_refused(tmp_path):
    model, path = make(), tmp_path / "weights.safetensors"
    model(X)
    save_weights(model, path)
    with pytest.raises(st.errors.FileFormatError, match="8 tensors, but no model"):
        load_model(path)


def test_a_configuration_that_lies_is_refused(tmp_path):
    model, path = make(), tmp_path / "model.safetensors"
    model(X)
    config = nn.to_config(model)
    for shape, dtype, text in (([2, 6, 6], "float32", "shape"), ([1], "float32", "takes"), ([1, 6, 6], "no", "no")):
        save_weights(model, path, {"model": config, "input_shape": shape, "input_dtype": dtype})
        with pytest.raises(st.errors.FileFormatError, match=text):
            load_model(path)
    save_weights(model, path, {"model": {"class": "os.system"}, "input_shape": [1], "input_dtype": "float32"})
    with pytest.raises(st.errors.FileFormatError, match=r"'os.system', which is not a layer"):
        load_model(path)


def test_a_model_with_functions_cannot_be_saved_whole(tmp_path):
    model = nn.Sequential(st.tanh)
    model(X)
    with pytest.raises(st.errors.NotSupportedError, match="activation is"):
        save_model(model, tmp_path / "m.safetensors", X)
    assert not list(tmp_path.iterdir())
