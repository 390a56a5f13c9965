"""Training on streams: the same with and without workers, and with batches whose number is not known."""

from __future__ import annotations

import numpy as np

from septet import data, nn
from septet.tensor import random


def sample(value, generator):
    image, label = value
    return image + np.float32(0.01) * generator.standard_normal(image.shape, np.float32), label


def trained(change):
    """The losses of two epochs on a stream of the digits, changed by a function."""
    random.seed(3)
    images, labels = data.load_digits("test")
    model = nn.Sequential(nn.Flatten(), nn.Dense(10))
    stream = change(data.Stream((images, labels), shuffle=True, seed=1).map(sample, seed=2).batch(64))
    history = model.fit(stream, epochs=2, verbose=False, learning_rate=0.01)
    return [row["loss"] for row in history], stream


def test_losses_do_not_depend_on_workers():
    expected, _ = trained(lambda stream: stream)
    assert expected[1] < expected[0]
    for change in (lambda stream: stream.parallel(2), lambda stream: stream.prefetch(2)):
        losses, stream = trained(change)
        assert losses == expected and stream.epoch == 2
        stream.close()


def test_the_number_of_batches_need_not_be_known():
    losses, stream = trained(lambda stream: stream.filter(lambda batch: len(batch[1]) == 64))
    assert stream.length is None and len(losses) == 2
    assert losses[1] < losses[0]
