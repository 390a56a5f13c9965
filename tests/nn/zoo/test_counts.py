"""The zoo has as many parameters as the papers and well-known implementations; counting makes none of them."""

import tracemalloc

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.nn import zoo

IMAGE, TOKENS = (1, 3, 224, 224), np.zeros((1, 8), np.int64)

# Figures: torchvision 0.21 (VGG, ResNet, MobileNet v2, DenseNet, GoogLeNet with normalization, Inception v3, ViT),
# Caffe (GoogLeNet), Keras (MobileNet v1, without the statistics), GPT-2's checkpoints, and the examples of PyTorch:
# VAE, DCGAN.
COUNTS = [
    (lambda: zoo.LeNet5(), (1, 1, 28, 28), 61_706),
    (lambda: zoo.VGG(11), IMAGE, 132_863_336),
    (lambda: zoo.VGG(13), IMAGE, 133_047_848),
    (lambda: zoo.VGG(16), IMAGE, 138_357_544),
    (lambda: zoo.VGG(19), IMAGE, 143_667_240),
    (lambda: zoo.ResNet(18), IMAGE, 11_689_512),
    (lambda: zoo.ResNet(34), IMAGE, 21_797_672),
    (lambda: zoo.ResNet(50), IMAGE, 25_557_032),
    (lambda: zoo.ResNet(101), IMAGE, 44_549_160),
    (lambda: zoo.ResNet(152), IMAGE, 60_192_808),
    (lambda: zoo.MobileNetV1(), IMAGE, 4_231_976),
    (lambda: zoo.MobileNetV2(), IMAGE, 3_504_872),
    (lambda: zoo.DenseNet(121), IMAGE, 7_978_856),
    (lambda: zoo.DenseNet(169), IMAGE, 14_149_480),
    (lambda: zoo.DenseNet(201), IMAGE, 20_013_928),
    (lambda: zoo.GoogLeNet(), IMAGE, 6_998_552),
    (lambda: zoo.GoogLeNet(has_auxiliary=True), IMAGE, 13_378_280),
    (lambda: zoo.GoogLeNet(has_norm=True), IMAGE, 6_624_904),
    (lambda: zoo.GoogLeNet(has_norm=True, has_auxiliary=True), IMAGE, 13_004_888),
    (lambda: zoo.InceptionV3(has_auxiliary=False), (1, 3, 299, 299), 23_834_568),
    (lambda: zoo.InceptionV3(), (1, 3, 299, 299), 27_161_264),
    (lambda: zoo.ViT(), IMAGE, 86_567_656),
    (lambda: zoo.GPT(), TOKENS, 124_439_808),
    (lambda: zoo.GPT.gpt2("medium"), TOKENS, 354_823_168),
    (lambda: zoo.GPT.gpt2("large"), TOKENS, 774_030_080),
    (lambda: zoo.GPT.gpt2("xl"), TOKENS, 1_557_611_200),
    (lambda: zoo.VAE(), (1, 784), 652_824),
    (lambda: zoo.DCGANGenerator(), (1, 100), 3_576_704),
    (lambda: zoo.DCGANDiscriminator(), (1, 3, 64, 64), 2_765_568),
]


def test_counts():
    for make, example, expected in COUNTS:
        model = make()
        assert nn.count_parameters(model, example) == expected, repr(model)[:20]
        assert not model.is_built and not model.variables()


def test_counting_takes_no_memory():
    tracemalloc.start()
    nn.count_parameters(zoo.VGG(), IMAGE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # the parameters are 553 MB


def test_counts_by_formulas():
    """Models of the zoo that have no well-known number."""
    width, total, channels = 64, 0, 1
    pairs = [width * 2**level for level in range(5)]
    for filters in pairs:
        total += 9 * filters * (channels + filters) + 2 * filters
        channels = filters
    for filters in reversed(pairs[:-1]):
        total += 4 * 2 * filters * filters + filters + 9 * filters * (2 * filters + filters) + 2 * filters
    assert nn.count_parameters(zoo.UNet(), (1, 1, 572, 572)) == total + 2 * (64 + 1)
    lstm = sum(4 * 128 * (128 + 128 + 1) for _ in range(2))
    assert nn.count_parameters(zoo.CharRNN(65), TOKENS) == 65 * 128 + lstm + 65 * (128 + 1)

    def gru(inputs, units):
        return 3 * units * (inputs + units + 2)

    units = 16
    attention = units * units + 2 * units * units + 2 * units
    parts = [
        20 * units, 30 * units, 2 * gru(units, units), (units + 1) * units, gru(3 * units, units), attention,
        30 * (3 * units + 1),
    ]  # fmt: skip
    assert nn.count_parameters(zoo.Seq2Seq(20, 30, units=units), TOKENS, TOKENS) == sum(parts)


def test_a_model_that_is_built_is_counted_as_it_is():
    model = nn.Sequential(nn.Dense(3), nn.BatchNorm())
    assert nn.count_parameters(model, st.symbol("x", (None, 5))) == 5 * 3 + 3 + 2 * 3
    model.build_for(np.zeros((2, 5), np.float32))
    assert nn.count_parameters(model) == 5 * 3 + 3 + 2 * 3
    with pytest.raises(st.errors.ShapeError):
        nn.count_parameters(nn.Sequential(nn.Conv2D(3, 3)), (1, 5))
