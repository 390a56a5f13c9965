"""Each model of the zoo, tiny: shapes, one step forward and backward, what it writes or makes."""

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.nn import zoo
from septet.nn.sketch import sketching

RNG = np.random.default_rng(0)


def images(batch, channels, size):
    return RNG.random((batch, channels, size, size)).astype(np.float32)


def tokens(*shape, count=11):
    return RNG.integers(0, count, shape)


TINY = {
    "LeNet5": (zoo.LeNet5(), [images(2, 1, 28)], (2, 10)),
    "VGG": (zoo.VGG(11, 5, width=2, hidden=6, dropout=0.0), [images(2, 3, 32)], (2, 5)),
    "VGG with normalization": (
        zoo.VGG(11, 5, width=2, hidden=6, dropout=0.0, has_norm=True),
        [images(2, 3, 64)],
        (2, 5),
    ),
    "ResNet": (zoo.ResNet(18, 5, width=2), [images(2, 3, 33)], (2, 5)),
    "ResNet with bottlenecks": (zoo.ResNet(50, 5, width=2, is_small=True), [images(2, 3, 8)], (2, 5)),
    "MobileNetV1": (zoo.MobileNetV1(5, width=0.1), [images(2, 3, 33)], (2, 5)),
    "MobileNetV2": (zoo.MobileNetV2(5, width=0.1), [images(2, 3, 33)], (2, 5)),
    "DenseNet": (zoo.DenseNet(121, 5, growth=2), [images(2, 3, 33)], (2, 5)),
    "GoogLeNet": (zoo.GoogLeNet(5, width=0.05, dropout=0.0), [images(2, 3, 33)], (2, 5)),
    "GoogLeNet with normalization": (zoo.GoogLeNet(5, width=0.05, has_norm=True), [images(2, 3, 64)], (2, 5)),
    "InceptionV3": (zoo.InceptionV3(5, width=0.05, has_auxiliary=False), [images(2, 3, 75)], (2, 5)),
    "UNet": (zoo.UNet(3, width=2, depth=2), [images(1, 1, 44)], (1, 3, 4, 4)),
    "UNet with padding": (zoo.UNet(3, width=2, depth=2, is_padded=True), [images(1, 2, 12)], (1, 3, 12, 12)),
    "ViT": (zoo.ViT(5, patch=4, layers=2, heads=2, width=8), [images(2, 3, 8)], (2, 5)),
    "GPT": (zoo.GPT(11, 9, layers=2, heads=2, width=8), [tokens(2, 7)], (2, 7, 11)),
    "CharRNN": (zoo.CharRNN(11, units=6, kind="gru"), [tokens(2, 7)], (2, 7, 11)),
    "Seq2Seq": (zoo.Seq2Seq(11, 12, units=6, padding=0), [tokens(2, 5), tokens(2, 4)], (2, 4, 12)),
    "DCGANGenerator": (zoo.DCGANGenerator(5, 2, 16, width=2), [images(1, 2, 5)[0, :, 0]], (2, 2, 16, 16)),
    "DCGANDiscriminator": (zoo.DCGANDiscriminator(16, width=2), [images(2, 3, 16)], (2,)),
}


@pytest.mark.parametrize("name", TINY)
def test_forward_and_backward(name):
    st.random.seed(0)
    model, inputs, shape = TINY[name]

    y = model(*inputs)
    (y * y).mean().backward()
    gradients = [variable.grad for variable in model.parameters()]
    assert None not in gradients
    st.evaluate((y, gradients))
    assert y.shape == shape and np.isfinite(y).all() and all(np.isfinite(gradient).all() for gradient in gradients)
    moved = [bool(gradient.numpy().any()) for gradient in gradients]
    assert np.mean(moved) > 0.8  # some see nothing: zeros of relu, rows of a table that are not looked up ...
    assert model.eval()(*inputs).shape == shape
    model.train()


def test_every_model_is_here():
    assert {name.split()[0] for name in TINY} | {"VAE"} == set(zoo.__all__)


def test_the_second_classifier_of_inception():
    model, x = zoo.InceptionV3(5, width=0.05), st.symbol("x", (2, 3, 299, 299))
    with sketching(), nn.collect_updates():
        assert model.eval()(x).shape == (2, 5) and model.is_built
        y, second = model.train()(x)
    assert y.shape == second.shape == (2, 5)


def test_a_gpt_writes_what_it_would_predict_without_a_cache():
    st.random.seed(1)
    model = zoo.GPT(11, 12, layers=2, heads=2, width=8).eval()
    text = tokens(2, 3)
    found = model.generate(text, 6, temperature=0)
    expected = text
    for _ in range(6):
        best = model(expected)[:, -1].numpy().argmax(-1)
        expected = np.concatenate([expected, best[:, None]], 1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(model.generate(text, 6, top_k=1), expected)
    assert not np.array_equal(model.generate(text, 6, temperature=3.0), model.generate(text, 6, temperature=3.0))
    assert model.generate(text, 0).shape == (2, 3) and model.generate(text, 1).shape == (2, 4)
    with pytest.raises(st.errors.ShapeError, match="12 steps"):
        model.generate(text, 10)
    with pytest.raises(st.errors.ArgumentError, match="temperature must be at least 0"):
        model.generate(text, 1, temperature=-1)
    with pytest.raises(st.errors.ArgumentError, match=r"'smal' does not exist\. Did you mean 'small'\?"):
        zoo.GPT.gpt2("smal")


def test_a_char_rnn_writes():
    model = zoo.CharRNN(11, units=6)
    text = tokens(2, 3)
    found = model.generate(text, 4, temperature=0)
    expected = text
    for _ in range(4):
        expected = np.concatenate([expected, model(expected)[:, -1].numpy().argmax(-1)[:, None]], 1)
    np.testing.assert_array_equal(found, expected)
    assert zoo.CharRNN(11, kind="gru").generate(text, 3, top_k=2).shape == (2, 6)


def test_a_translator_writes_what_it_would_predict():
    model = zoo.Seq2Seq(11, 12, units=6, padding=0)
    source = tokens(2, 5)
    found = model.generate(source, 1, 4)
    target = np.ones((2, 1), np.int64)
    for _ in range(4):
        target = np.concatenate([target, model(source, target)[:, -1].numpy().argmax(-1)[:, None]], 1)
    np.testing.assert_array_equal(found, target[:, 1:])
    shorter = np.concatenate([source, np.zeros((2, 3), np.int64)], 1)
    np.testing.assert_array_equal(model.generate(shorter, 1, 4), found)


def test_a_beam_that_is_wide_enough_finds_the_best_of_all():
    st.random.seed(5)
    model = zoo.Seq2Seq(11, 5, units=6, padding=0)
    source = tokens(2, 5)
    model.build_for(source, np.ones((2, 1), np.int64))
    model.head.kernel.assign(model.head.kernel.value * 8)  # far from equal probabilities
    np.testing.assert_array_equal(model.search(source, 1, 4, width=1)[0][:, 0], model.generate(source, 1, 4))
    # with two tokens all 5 first ones are kept: the search is exhaustive
    every = np.array(list(np.ndindex(5, 5)))
    for end in (None, 3):
        written, scores = model.search(source, 1, 2, width=5, end=end)
        for example in range(2):
            given = np.concatenate([np.ones((25, 1), np.int64), every], 1)
            logs = st.log_softmax(model(source[example : example + 1].repeat(25, 0), given[:, :-1]), axis=-1).numpy()
            each = np.take_along_axis(logs, every[..., None], 2)[..., 0]
            total = each.sum(1)
            if end is not None:
                is_complete = every[:, 0] == end
                total = np.where(is_complete, np.where(every[:, 1] == end, each[:, 0], -np.inf), total)
            order = np.argsort(-total)[:5]
            np.testing.assert_array_equal(written[example], every[order])
            np.testing.assert_allclose(scores[example], total[order], atol=1e-5)
    with pytest.raises(st.errors.ArgumentError, match="width must be at most 5"):
        model.search(source, 1, 2, width=6)


def test_a_variational_autoencoder_learns():
    st.random.seed(2)
    model = zoo.VAE(2, hidden=8)
    x = RNG.random((6, 5)).round().astype(np.float32)
    model.build_for(x)
    optimizer = st.optim.Adam(model.parameters(), learning_rate=1e-2)

    @st.compile
    def step(x):
        loss = model.loss(x)
        loss.backward()
        optimizer.step()
        return loss

    losses = [float(step(x)) for _ in range(60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.2
    np.testing.assert_array_equal(model.eval()(x)[0], model(x)[0])
    found = model.generate(3).numpy()
    assert found.shape == (3, 5) and 0 < found.min() and found.max() < 1


def test_a_gan_makes_images():
    generator, discriminator = zoo.DCGANGenerator(5, 2, 8, width=2), zoo.DCGANDiscriminator(8, width=2)
    found = generator.generate(3)
    assert found.shape == (3, 2, 8, 8) and np.abs(found).max() <= 1
    assert discriminator(found).shape == (3,)
    discriminator(found).sum().backward()
    assert all(v.grad is not None for v in generator.parameters())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: zoo.VGG(12), "depth must be one of 11, 13, 16, 19, got 12"),
        (lambda: zoo.ResNet(20), "depth must be one of 18, 34, 50, 101, 152"),
        (lambda: zoo.MobileNetV2(width=0), "width must be above 0"),
        (lambda: zoo.DCGANGenerator(size=48), "size must be 4 times a power of two, got 48"),
        (lambda: zoo.CharRNN(5, kind="lstn"), "kind must be one of lstm, gru, rnn"),
        (lambda: zoo.ViT(patch=16)(images(1, 3, 20)), r"must be multiples of 16, got \(1, 3, 20, 20\)"),
        (lambda: zoo.UNet(width=2)(images(1, 1, 50)), "cannot be halved"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, text):
    with pytest.raises((st.errors.ArgumentError, st.errors.ShapeError), match=text):
        call()


def test_definitions_go_round_through_configurations():
    for model in (zoo.ResNet(18, 7), zoo.LeNet5(), zoo.DenseNet(169)):
        assert repr(nn.from_config(nn.to_config(model))) == repr(model)
