"""Character RNN: an LSTM reads a text letter by letter, learns what comes next, and writes on by itself.

Any text will do: give a file by ``--data``. Without one it reads the reference of the Python language, which comes with
Python (`pydoc_data.topics`, 465,000 characters). The step is a compiled function; the state of the LSTM is handed from
each piece of the text to the next.

    python examples/char_rnn.py --data shakespeare.txt
    python examples/char_rnn.py --short
"""

import argparse
import time
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn


class CharacterModel(nn.Module):
    """Scores of the next character after each one, and the state with which to go on."""

    def __init__(self, characters, units):
        self.embedding = nn.Embedding(characters, 32)
        self.lstm = nn.LSTM(units, return_sequences=True, return_state=True)
        self.scores = nn.Dense(characters)

    def forward(self, characters, state=None):
        outputs, state = self.lstm(self.embedding(characters), state)  # (B, T, units)
        return self.scores(outputs), state


def lanes(codes, batch, steps):
    """Cut a text into `batch` lanes that are read side by side, and yield pieces of them and what comes next."""
    length = (len(codes) - 1) // batch
    inputs = codes[: batch * length].reshape(batch, length)
    targets = codes[1 : batch * length + 1].reshape(batch, length)
    for start in range(0, length - steps + 1, steps):
        yield inputs[:, start : start + steps], targets[:, start : start + steps]


def write(model, prompt, count, random, temperature=0.6):
    """Return codes that the model draws one after the other, each given all before it."""
    codes = list(prompt)
    apply = st.compile(model)
    scores, state = model(prompt[None])  # reads the prompt
    for _ in range(count):
        weights = np.exp(scores.numpy()[0, -1].astype(np.float64) / temperature)
        codes.append(random.choice(len(weights), p=weights / weights.sum()))
        scores, state = apply(np.array([codes[-1:]]), state)
    return codes


def picture(path, letters, bits, columns=60):
    """Draw a text, each character on a ground that is the darker the more bits it took."""
    rows = len(letters) // columns
    figure, panel = plt.subplots(figsize=(0.14 * columns, 0.25 * rows + 0.6))
    shades = panel.imshow(bits.reshape(rows, columns), cmap="Oranges", vmin=0, vmax=8, aspect="auto")
    lines = ["".join(letters[row * columns :][:columns]).replace("\n", "\u21b5") for row in range(rows)]
    for place, letter in enumerate("".join(lines)):
        panel.text(
            place % columns, place // columns, letter, ha="center", va="center", family="monospace", fontsize=8,
            parse_math=False,
        )  # fmt: skip
    panel.set(xticks=[], yticks=[])
    figure.colorbar(shades, ax=panel, label="bits", pad=0.01)
    figure.savefig(path, dpi=80, bbox_inches="tight")
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 3, with --short 1")
    parser.add_argument("--short", action="store_true", help="a small LSTM and the first 200,000 characters")
    parser.add_argument("--data", type=Path, help="a text file; by default the reference of the Python language")
    parser.add_argument("--out", type=Path, default=Path("char-rnn-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)
    epochs = options.epochs or (1 if options.short else 3)
    units, batch, steps = (128, 8, 32) if options.short else (192, 32, 64)

    text = options.data.read_text("utf-8") if options.data else "\n".join(topics[name] for name in sorted(topics))
    text = text[:200_000] if options.short else text
    if len(text) < 20_000:
        parser.error(f"the text has {len(text)} characters; it takes 20,000 to learn and to test anything")
    letters = sorted(set(text))
    codes = np.searchsorted(letters, list(text))  # (len(text),)
    train, test = np.split(codes, [int(0.95 * len(codes))])
    frequencies = np.bincount(train, minlength=len(letters)) / len(train)
    plain = -np.log2(frequencies[test].clip(1 / len(train))).mean()
    print(
        f"{len(text)} characters, {len(letters)} different ones; by their frequencies alone {plain:.2f} bits for each"
    )

    model = CharacterModel(len(letters), units)
    rate = st.optim.schedules.Cosine(2e-2 if options.short else 4e-3, epochs * (len(train) // (batch * steps)), 1e-4)
    optimizer = st.optim.Adam(model.parameters(), rate, clip_global_norm=5.0)

    @st.compile
    def step(inputs, targets, state):
        scores, state = model(inputs, state)
        loss = nn.losses.cross_entropy(scores, targets)
        loss.backward()
        optimizer.step()
        return loss, state

    def bits(codes):
        """Return how many bits a character of a text takes, with the model as the code."""
        state, losses = None, []
        for inputs, targets in lanes(codes, 1, 256):
            scores, state = model(inputs, state)
            losses.append(float(nn.losses.cross_entropy(scores, st.asarray(targets))))
        return sum(losses) / len(losses) / np.log(2)

    for epoch in range(1, epochs + 1):
        started, losses = time.perf_counter(), []
        zeros = st.zeros((batch, units))
        state = (zeros, zeros)
        for inputs, targets in lanes(train, batch, steps):
            loss, state = step(inputs, targets, state)
            losses.append(float(loss))
        found = float(np.mean(losses) / np.log(2)), bits(test), time.perf_counter() - started
        print("epoch {}: {:.3f} bits for each character, of the test {:.3f}; {:.1f} s".format(epoch, *found))

    st.io.save_weights(model, options.out / "model.safetensors", {"letters": "".join(letters), "units": units})
    arrays, metadata = st.io.load_arrays(options.out / "model.safetensors")
    letters = metadata["letters"]
    model = CharacterModel(len(letters), metadata["units"]).build_for(codes[None, :2])
    model.load_state_dict(arrays)
    random = np.random.default_rng(options.seed)
    sample = "".join(letters[code] for code in write(model.eval(), test[:20], 100 if options.short else 500, random))
    (options.out / "sample.txt").write_text(sample, "utf-8")
    scores, _ = model(test[None, :300])
    taken = nn.losses.cross_entropy(scores, test[None, 1:301], reduction="none").numpy()[0] / np.log(2)
    picture(options.out / "char-rnn.png", [letters[code] for code in test[1:301]], taken)
    print(f"it writes:\n{sample}\nthe results are in {options.out}")
    return {"bits": float(found[1]), "plain_bits": float(plain)}


if __name__ == "__main__":
    main()
