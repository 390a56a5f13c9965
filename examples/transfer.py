"""Transfer learning: what was learned from five kinds of clothes helps to tell five others apart from few examples.

A network learns five classes of Fashion-MNIST. Then its first two convolutions are frozen, and a new head learns the
other five classes from a handful of images of each. The same network, trained from scratch on the same handful, is the
comparison; both are tested on images that neither has seen.

    python examples/transfer.py
    python examples/transfer.py --short
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn

KNOWN = (0, 2, 5, 7, 8)  # T-shirt, pullover, sandal, sneaker, bag
NEW = (1, 3, 4, 6, 9)  # trouser, dress, coat, shirt, ankle boot


def stage(channels):
    return [nn.Conv2D(channels, 3, padding="same"), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2D(2)]


def features():
    """The part that is handed on."""
    return nn.Sequential(*stage(16), *stage(32))


def head(classes):
    """The part that each task learns anew."""
    return nn.Sequential(*stage(64), nn.GlobalAveragePool(), nn.Dense(classes))


def choose(images, labels, classes, count=None, seed=0):
    """Return `count` images of each of some classes, or all, with labels 0, 1, 2 ..."""
    random = np.random.default_rng(seed)
    places = [random.permutation(np.flatnonzero(labels == each))[:count] for each in classes]
    return images[np.concatenate(places)], np.repeat(np.arange(len(classes)), [len(each) for each in places])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="of the first training; by default 2, with --short 1")
    parser.add_argument("--short", action="store_true", help="fewer images for the first training, and one comparison")
    parser.add_argument("--data", help="the folder with the files of Fashion-MNIST")
    parser.add_argument("--out", type=Path, default=Path("transfer-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    images, labels = st.data.load("fashion-mnist", "train", folder=options.data)
    known = choose(images, labels, KNOWN, 1500 if options.short else None, options.seed)
    test = choose(*st.data.load("fashion-mnist", "test", folder=options.data), NEW, 200 if options.short else None)

    body = features()
    print(f"training on {len(known[0])} images of {len(KNOWN)} classes")
    teacher = nn.Sequential(body, head(len(KNOWN)))
    epochs = options.epochs or (1 if options.short else 2)
    teacher.fit(known, epochs=epochs, batch_size=32, learning_rate=2e-3, seed=options.seed)
    body.freeze()  # its variables, and the statistics of its normalizations

    counts, draws = ((5,), 3) if options.short else ((1, 2, 5, 10, 20, 50), 3)
    results = {"from scratch": [], "transferred": []}
    for count in counts:
        for name, line in results.items():
            found = []
            for draw in range(draws):
                few = choose(images, labels, NEW, count, seed=1000 * options.seed + draw)
                model = nn.Sequential(body if name == "transferred" else features(), head(len(NEW)))
                model.fit(few, epochs=60, batch_size=len(few[0]), learning_rate=5e-3, verbose=False)
                found.append(model.evaluate(test)["accuracy"])
            line.append(float(np.mean(found)))
        print(
            f"{count:2} images of each new class: accuracy from scratch {results['from scratch'][-1]:.3f}, "
            f"transferred {results['transferred'][-1]:.3f} (means of {draws} draws)"
        )

    figure, panel = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for (name, line), marker in zip(results.items(), "os"):
        panel.plot(counts, line, marker=marker, label=name)
    panel.set(xlabel="images of each of five new classes", ylabel="accuracy on the test images", xscale="log")
    panel.set_xticks(counts, labels=counts, minor=False)
    panel.minorticks_off()
    panel.legend()
    panel.grid(alpha=0.3)
    figure.savefig(options.out / "transfer.png", dpi=80)
    plt.close(figure)

    st.io.save_model(model, options.out / "model.safetensors", test[0])  # the last one that was transferred
    model, _ = st.io.load_model(options.out / "model.safetensors")
    names = st.data.class_names("fashion-mnist")
    print(f"a test image of class {names[NEW[0]]} is taken for {names[NEW[model.predict(test[0][:1]).argmax()]]}")
    return {name: line[counts.index(5)] for name, line in results.items()}


if __name__ == "__main__":
    main()
