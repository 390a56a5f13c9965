"""GAN: a generator learns to draw digits, from nothing but a critic that tells drawn ones from real ones.

The data is scikit-learn's digits, 1,797 images of 8 x 8 pixels, which come with Septet. Both networks are trained in
one compiled step. How good the images are is measured: the Frechet distance between the pixels of generated and of held
out digits, for which that of held out and training digits is the yardstick.

    python examples/gan.py
    python examples/gan.py --short
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn

NOISE = 32


def generator():
    return nn.Sequential(
        nn.Dense(128), nn.BatchNorm(), nn.ReLU(),
        nn.Dense(256), nn.BatchNorm(), nn.ReLU(),
        nn.Dense(64, "sigmoid"), nn.Reshape((1, 8, 8)),
    )  # fmt: skip


def critic():
    return nn.Sequential(
        nn.Flatten(), nn.Dense(256), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Dense(128), nn.LeakyReLU(0.2), nn.Dense(1)
    )


def frechet(first, second):
    """Return the Frechet distance of two sets of images, each taken as normally distributed in its pixels."""
    a, b = (images.reshape(len(images), -1).astype(np.float64) for images in (first, second))
    covariances = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + sum(map(np.trace, covariances)) - 2 * cross)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 300, with --short 40")
    parser.add_argument("--short", action="store_true", help="a small setting, for a first look")
    parser.add_argument("--data", default="digits", help="only the digits fit these networks")
    parser.add_argument("--out", type=Path, default=Path("gan-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)
    epochs = options.epochs or (40 if options.short else 300)

    images, _ = st.data.load(options.data, "train")  # (1438, 1, 8, 8)
    test_images, _ = st.data.load(options.data, "test")
    generate, judge = generator(), critic()
    drawing = st.optim.Adam(generate.parameters(), learning_rate=1e-3, beta1=0.5)
    judging = st.optim.Adam(judge.parameters(), learning_rate=5e-4, beta1=0.5)
    is_real = nn.losses.binary_cross_entropy

    @st.compile
    def step(real):
        drawn = generate(st.random.normal((len(real), NOISE)))
        judge.zero_grad()  # the generator's loss left gradients there
        scores, drawn_scores = judge(real), judge(drawn.detach())
        loss = is_real(scores, 0.9 * st.ones_like(scores)) + is_real(drawn_scores, st.zeros_like(drawn_scores))
        loss.backward()
        judging.step()

        drawn_scores = judge(drawn)  # by the critic that has just learned
        deception = is_real(drawn_scores, st.ones_like(drawn_scores))
        deception.backward()
        drawing.step()
        return loss, deception

    noise = st.random.normal((500, NOISE))  # the same at each look
    looks = sorted({0, max(epochs // 20, 1), epochs // 4, epochs})
    rows, batches = [], st.data.Batches(images, batch_size=64, shuffle=True, seed=options.seed, drop_last=True)
    for epoch in range(epochs + 1):
        if epoch in looks:
            drawn = generate.eval()(noise).numpy()
            rows.append((epoch, frechet(drawn, test_images), drawn[:12, 0]))
            print(f"epoch {epoch:3}: Frechet distance to the test images {rows[-1][1]:.3f}")
            generate.train()
        if epoch < epochs:
            for real in batches:
                step(real)
    yardstick = frechet(images, test_images)
    print(f"training images have {yardstick:.3f}")

    st.io.save_model(generate, options.out / "model.safetensors", noise)
    generate, _ = st.io.load_model(options.out / "model.safetensors")
    drawn = generate(st.random.normal((12, NOISE))).numpy()
    shown = [*rows, ("new", None, drawn[:, 0]), ("real", yardstick, test_images[:12, 0])]
    figure, panels = plt.subplots(len(shown), 1, figsize=(7, 0.75 * len(shown)), layout="constrained")
    for panel, (epoch, distance, row) in zip(panels, shown):
        panel.imshow(
            np.hstack(np.pad(row, ((0, 0), (1, 1), (1, 1)))), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"
        )
        label = f"epoch {epoch}" if isinstance(epoch, int) else epoch
        panel.set(xticks=[], yticks=[])
        panel.set_ylabel(
            label if distance is None else f"{label}\n{distance:.2f}", rotation=0, ha="right", va="center", fontsize=9
        )
    figure.savefig(options.out / "gan.png", dpi=80)
    plt.close(figure)
    return {"distance": rows[-1][1], "untrained": rows[0][1], "yardstick": yardstick}


if __name__ == "__main__":
    main()
