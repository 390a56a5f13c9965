"""Autoencoders: images squeezed through two numbers and back; then a variational one, which makes new images.

The data is scikit-learn's digits, 1,797 images of 8 x 8 pixels, which come with Septet. The autoencoder is trained by
`fit`, the variational autoencoder by a loop of its own, since its loss has a second part.

    python examples/autoencoder.py
    python examples/autoencoder.py --short
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn


def encoder(size):
    return nn.Sequential(nn.Flatten(), nn.Dense(128, "relu"), nn.Dense(64, "relu"), nn.Dense(size))


def decoder():
    return nn.Sequential(nn.Dense(64, "relu"), nn.Dense(128, "relu"), nn.Dense(64), nn.Reshape((1, 8, 8)))


class VariationalAutoencoder(nn.Module):
    """Encode to a normal distribution for each image, draw from it, decode.

    D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2014.
    """

    def __init__(self, latent=2):
        self.encoder, self.decoder = encoder(2 * latent), decoder()
        self.latent = latent

    def forward(self, images):
        """Return the logits of the pixels, and the mean and the logarithm of the variance of the code."""
        code = self.encoder(images)  # (B, 2 * latent)
        mean, log_variance = code[:, : self.latent], code[:, self.latent :]
        noise = st.random.normal(mean.shape)
        return self.decoder(mean + noise * st.exp(log_variance / 2)), mean, log_variance


def negative_evidence(logits, images, mean, log_variance):
    """Return how badly pixels are predicted plus how far codes are from a standard normal, for one image."""
    pixels = nn.losses.binary_cross_entropy(logits, images, reduction="none").sum() / len(images)
    divergence = 0.5 * (st.exp(log_variance) + mean**2 - 1 - log_variance).sum() / len(images)
    return pixels + divergence


def picture(path, images, plain, variational, codes, labels, grid):
    """Draw reconstructions, the plane of the codes, and what the decoder makes of a walk over that plane."""
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", width_ratios=(1.2, 1.15, 1))
    rows = [np.hstack(np.pad(row[:10, 0], ((0, 0), (1, 1), (1, 1)))) for row in (images, plain, variational)]
    panels[0].imshow(np.vstack(rows), cmap="gray_r", interpolation="nearest")
    panels[0].set(title="images, plain, variational", xticks=[], yticks=[])
    points = panels[1].scatter(*codes.T, c=labels, cmap="tab10", s=9, vmin=-0.5, vmax=9.5)
    panels[1].set_title("test images by their two numbers")
    figure.colorbar(points, ax=panels[1], ticks=range(10))
    side = int(len(grid) ** 0.5)
    panels[2].imshow(
        np.vstack([np.hstack(grid[i * side : (i + 1) * side, 0]) for i in range(side)]),
        cmap="gray_r",
        interpolation="nearest",
    )
    panels[2].set(title="made from points of the plane", xticks=[], yticks=[])
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 150, with --short 10")
    parser.add_argument("--short", action="store_true", help="a small setting, for a first look")
    parser.add_argument("--data", default="digits", help="only the digits fit these networks")
    parser.add_argument("--out", type=Path, default=Path("autoencoder-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)
    epochs = options.epochs or (10 if options.short else 150)

    images, _ = st.data.load(options.data, "train")  # (1438, 1, 8, 8)
    test_images, test_labels = st.data.load(options.data, "test")

    plain = nn.Sequential(encoder(2), decoder(), nn.Sigmoid())  # its targets are its inputs
    history = plain.fit(
        (images, images), epochs=epochs, validation=(test_images, test_images), loss="mse", metrics=[],
        learning_rate=2e-3, seed=options.seed,
    )  # fmt: skip

    model = VariationalAutoencoder()
    optimizer = st.optim.Adam(model.parameters(), learning_rate=2e-3)
    for epoch in range(epochs):
        batches = st.data.Batches(images, batch_size=32, shuffle=True, seed=options.seed + epoch)
        total = 0.0
        for batch in batches:
            logits, mean, log_variance = model(batch)
            loss = negative_evidence(logits, st.asarray(batch), mean, log_variance)
            loss.backward()
            optimizer.step()
            total += float(loss) / len(batches)
        if (epoch + 1) % max(epochs // 5, 1) == 0:
            print(f"variational, epoch {epoch + 1}: {total:.3f} nats for each image")

    st.io.save_weights(model, options.out / "model.safetensors")  # a class of one's own: weights only
    model = VariationalAutoencoder().build_for(test_images[:1])
    st.io.load_weights(model, options.out / "model.safetensors")
    model.eval()
    logits, mean, log_variance = model(test_images)
    bound = float(negative_evidence(logits, st.asarray(test_images), mean, log_variance))
    error = history[-1]["val_loss"]
    variance = float(((test_images - images.mean(0)) ** 2).mean())
    print(f"test images: squared error {error:.4f} (the mean image {variance:.4f}), variational {bound:.2f} nats")

    corners = np.linspace(-2, 2, 10, dtype=np.float32)
    points = np.stack(np.meshgrid(corners, -corners), -1).reshape(-1, 2)
    grid = st.sigmoid(model.decoder(points)).numpy()  # (100, 1, 8, 8)
    reconstructed = st.sigmoid(model.decoder(mean)).numpy()
    picture(
        options.out / "autoencoder.png", test_images, plain.predict(test_images), reconstructed, mean.numpy(),
        test_labels, grid,
    )  # fmt: skip
    return {"error": error, "mean_image": variance, "nats": bound}


if __name__ == "__main__":
    main()
