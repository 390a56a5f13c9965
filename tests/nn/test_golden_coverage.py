"""Every layer is compared with an independent implementation, or it is said here why not."""

import inspect

from septet import nn
from tests.nn import test_golden, test_golden_options, test_golden_padding
from tests.nn.attention import test_golden as attention
from tests.nn.recurrent import test_golden as recurrent

RANDOM = "what it draws is its own: tests/nn/test_forms.py checks values and gradients, given what was drawn"
BASE = "a base without a computation"
HOLDS = "it only holds layers"
UNCOMPARED = {
    "AlphaDropout": RANDOM,
    "Dropout": RANDOM,
    "GaussianDropout": RANDOM,
    "GaussianNoise": RANDOM,
    "SpatialDropout": RANDOM,
    "Attention": BASE,
    "Cell": BASE,
    "Module": BASE,
    "Model": HOLDS,
    "ModuleList": HOLDS,
}


def compared():
    cases = [
        *(make() for make, _ in test_golden.CASES.values()),
        *(case[0] for case in test_golden_options.CASES.values()),
        *test_golden_padding.CASES.values(),
        *(case[0] for table in (attention.OF_TORCH, attention.OF_KERAS) for case in table.values()),
        *attention.DECODERS.values(),
        *recurrent.LAYERS.values(),
        *recurrent.OF_KERAS.values(),
    ]
    return {type(module).__name__ for case in cases for module in case.modules()}


def test_every_layer_is_compared():
    transformers = {"Dropout"}  # which they hold, switched off
    layers = {name for name, thing in vars(nn).items() if inspect.isclass(thing) and issubclass(thing, nn.Module)}
    assert layers - compared() == UNCOMPARED.keys() - transformers
