"""Transfer learning: what was learned from seven kinds of clothes helps to tell three others apart, with few examples.

A network learns seven classes of Fashion-MNIST. Then its convolutions are frozen, and a new last layer learns the other
three classes from ten images of each. The same network, trained from scratch on these thirty images, is the comparison.

    python examples/transfer.py
    python examples/transfer.py --short
"""

import argparse
from pathlib import Path

import numpy as np

import septet as st
from septet import nn

KNOWN, NEW = (0, 1, 3, 5, 7, 8, 9), (2, 4, 6)  # new: pullover, coat and shirt, which are hard to tell apart


def features():
    """The part that is handed on: images to 64 numbers."""
    stages = []
    for channels in (16, 32, 64):
        stages += [nn.Conv2D(channels, 3, padding="same"), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2D(2)]
    return nn.Sequential(*stages, nn.GlobalAveragePool())


def choose(images, labels, classes, count=None, seed=0):
    """Return `count` images of each of some classes, or all, with labels 0, 1, 2 ..."""
    random = np.random.default_rng(seed)
    places = [random.permutation(np.flatnonzero(labels == each))[:count] for each in classes]
    return images[np.concatenate(places)], np.repeat(np.arange(len(classes)), [len(each) for each in places])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="of the first training; by default 4, with --short 1")
    parser.add_argument("--short", action="store_true", help="fewer images for the first training")
    parser.add_argument("--data", help="the folder with the files of Fashion-MNIST")
    parser.add_argument("--out", type=Path, default=Path("transfer-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    images, labels = st.data.load("fashion-mnist", "train", folder=options.data)
    test_images, test_labels = st.data.load("fashion-mnist", "test", folder=options.data)
    known = choose(images, labels, KNOWN, 1000 if options.short else None, options.seed)
    few = choose(images, labels, NEW, 10, options.seed)
    test = choose(test_images, test_labels, NEW)  # 3,000 images

    body = features()
    print(f"training on {len(known[0])} images of {len(KNOWN)} classes")
    nn.Sequential(body, nn.Dense(len(KNOWN))).fit(
        known, epochs=options.epochs or (1 if options.short else 4), batch_size=64, learning_rate=2e-3, seed=options.seed
    )

    model = nn.Sequential(body.freeze(), nn.Dense(len(NEW)))  # the statistics of its normalizations stay as well
    print(f"a new head for {len(NEW)} classes, {len(few[0])} images")
    words = dict(epochs=40, batch_size=10, learning_rate=5e-3, seed=options.seed, verbose=False)
    model.fit(few, **words)
    transferred = model.evaluate(test)["accuracy"]

    scratch = nn.Sequential(features(), nn.Dense(len(NEW)))
    scratch.fit(few, **words)
    alone = scratch.evaluate(test)["accuracy"]
    print(f"accuracy on {len(test[0])} test images: from scratch {alone:.3f}, transferred {transferred:.3f}")

    st.io.save_model(model, options.out / "model.safetensors", test[0])
    model, _ = st.io.load_model(options.out / "model.safetensors")
    return {"scratch": alone, "transferred": transferred}


if __name__ == "__main__":
    main()
