"""Fashion-MNIST: a convolutional network on 28 x 28 images of clothes, trained by `fit`.

The data is Fashion-MNIST, 60,000 images to train on and 10,000 to test with: on Debian and Ubuntu
``apt install dataset-fashion-mnist``, elsewhere a folder with its four files.

    python examples/fashion_mnist.py
    python examples/fashion_mnist.py --short
    python examples/fashion_mnist.py --data folder/with/the/files
"""

import argparse
from pathlib import Path

import septet as st
from septet import nn


def network(width, dropout):
    """Three stages of convolution and normalization, each with half the height and width of the one before."""
    stages = []
    for channels in (width, 2 * width, 4 * width):
        stages += [nn.Conv2D(channels, 3, padding="same", use_bias=False), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2D(2)]
    return nn.Sequential(*stages, nn.Flatten(), nn.Dropout(dropout), nn.Dense(10))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 6, with --short 1")
    parser.add_argument("--short", action="store_true", help="a smaller network, and two thirds of the images")
    parser.add_argument("--data", help="the folder with the files of Fashion-MNIST")
    parser.add_argument("--out", type=Path, default=Path("fashion-mnist-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    images, labels = st.data.load("fashion-mnist", "train", folder=options.data)  # (60000, 1, 28, 28), (60000,)
    test_images, test_labels = st.data.load("fashion-mnist", "test", folder=options.data)
    if options.short:
        images, labels = images[:40_000], labels[:40_000]
    model = network(8, dropout=0.0) if options.short else network(16, dropout=0.2)
    epochs, batch_size = options.epochs or (1 if options.short else 6), 32
    steps = epochs * -(-len(images) // batch_size)
    history = model.fit(
        (images, labels),
        epochs=epochs,
        validation=(test_images, test_labels),
        optimizer=st.optim.AdamW(model.parameters(), st.optim.schedules.OneCycle(1e-2, steps), weight_decay=1e-2),
        batch_size=batch_size,
        seed=options.seed,
        callbacks=[st.train.JsonLines(options.out / "log.jsonl")],
    )

    names = st.data.class_names("fashion-mnist")
    st.io.save_model(model, options.out / "model.safetensors", test_images, {"classes": names})
    st.view.plot_curves(history, options.out / "curves.png", title="Fashion-MNIST")

    model, metadata = st.io.load_model(options.out / "model.safetensors")
    logits = model.predict(test_images)
    probabilities = st.softmax(st.asarray(logits), axis=-1).numpy()  # (N, 10)
    st.view.plot_predictions(
        test_images, test_labels, None, probabilities, metadata["classes"], options.out / "fashion-mnist.png",
        columns=8, rows=3, title="Clothes that the model has not seen",
    )  # fmt: skip
    print(f"the first test image shows: {metadata['classes'][logits[0].argmax()]}; the results are in {options.out}")
    return {"accuracy": history[-1]["val_accuracy"]}


if __name__ == "__main__":
    main()
