"""Digits: a small convolutional network on handwritten digits, trained by a loop of your own.

The data is scikit-learn's: 1,797 images of 8 x 8 pixels, which come with Septet. The style is define-by-run: each line
of the loop does what it says, and any Python may stand between.

    python examples/digits.py
    python examples/digits.py --short
"""

import argparse
import time
from pathlib import Path

import septet as st
from septet import nn


def network():
    """Two convolutions and a dense layer; the sizes of the inputs are inferred at first use."""
    return nn.Sequential(
        nn.Conv2D(16, 3, padding="same"), nn.ReLU(),
        nn.Conv2D(32, 3, padding="same"), nn.ReLU(), nn.MaxPool2D(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Dense(10),
    )  # fmt: skip


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 20, with --short 4")
    parser.add_argument("--short", action="store_true", help="a small setting, for a first look")
    parser.add_argument("--data", default="digits", help="another data set of st.data.load, such as mnist")
    parser.add_argument("--out", type=Path, default=Path("digits-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    train = st.data.load(options.data, "train")  # (1438, 1, 8, 8) float32, (1438,) int64
    test_images, test_labels = test = st.data.load(options.data, "test")
    model = network()
    optimizer = st.optim.Adam(model.parameters(), learning_rate=2e-3)
    batches = st.data.Batches(train, batch_size=32, shuffle=True, seed=options.seed)

    log = []
    for epoch in range(1, (options.epochs or (4 if options.short else 20)) + 1):
        started, total = time.perf_counter(), 0.0
        model.train()  # dropout drops
        for images, labels in batches:
            loss = nn.losses.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += float(loss) / len(batches)
        model.eval()
        result = model.evaluate(test)
        row = {"epoch": epoch, "loss": total, "val_loss": result["loss"], "val_accuracy": result["accuracy"]}
        log.append(row | {"seconds": time.perf_counter() - started})
        print(f"epoch {epoch}: loss {total:.4f}, of the test {result['loss']:.4f}, accuracy {result['accuracy']:.4f}")

    st.io.save_model(model, options.out / "model.safetensors", test_images)
    st.view.plot_curves(log, options.out / "curves.png", title="Digits")

    model, _ = st.io.load_model(options.out / "model.safetensors")  # anywhere else, and later
    probabilities = st.softmax(st.asarray(model.predict(test_images)), axis=-1).numpy()  # (N, 10)
    names = st.data.class_names(options.data)
    st.view.plot_predictions(
        test_images, test_labels, None, probabilities, names, options.out / "digits.png", columns=8, rows=3,
        title="Digits that the model has not seen",
    )  # fmt: skip
    print(f"the first test image shows {names[probabilities[0].argmax()]}; the results are in {options.out}")
    return {"accuracy": result["accuracy"]}


if __name__ == "__main__":
    main()
