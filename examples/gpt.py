"""GPT: a small transformer learns a text, character by character, and writes on from a prompt.

Any text will do: give a file by ``--data``. Without one it reads the reference of the Python language, which comes with
Python (`pydoc_data.topics`, 465,000 characters). The model is `nn.zoo.GPT`; with its default sizes it would be GPT-2.

    python examples/gpt.py --data shakespeare.txt --prompt "JULIET:"
    python examples/gpt.py --short
"""

import argparse
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn
from septet.nn import zoo


def windows(codes, length):
    """Cut a text into pieces, and return them with what comes next at each place: (N, length) twice."""
    count = (len(codes) - 1) // length
    return codes[: count * length].reshape(count, length), codes[1 : count * length + 1].reshape(count, length)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 2, with --short 1")
    parser.add_argument("--short", action="store_true", help="a small model and the first 200,000 characters")
    parser.add_argument("--data", type=Path, help="a text file; by default the reference of the Python language")
    parser.add_argument("--out", type=Path, default=Path("gpt-output"), help="the folder of the results")
    parser.add_argument("--prompt", default="The ", help="what the model writes on from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    text = options.data.read_text("utf-8") if options.data else "\n".join(topics[name] for name in sorted(topics))
    text = text[:200_000] if options.short else text
    if len(text) < 20_000:
        parser.error(f"the text has {len(text)} characters; it takes 20,000 to learn and to test anything")
    letters = sorted(set(text))
    if not options.prompt or not set(options.prompt) <= set(letters):
        parser.error(f"the prompt {options.prompt!r} must be made of characters of the text")
    codes = np.searchsorted(letters, list(text))
    begin = int(0.95 * len(codes))
    frequencies = np.bincount(codes[:begin], minlength=len(letters)) / begin
    plain = -np.log2(frequencies[codes[begin:]].clip(1 / begin)).mean()
    print(
        f"{len(text)} characters, {len(letters)} different ones; by their frequencies alone {plain:.2f} bits for each"
    )

    if options.short:
        model, batch_size, rate = zoo.GPT(len(letters), 64, layers=2, heads=2, width=64, dropout=0.0), 4, 5e-3
    else:
        model, batch_size, rate = zoo.GPT(len(letters), 128, layers=3, heads=4, width=128, dropout=0.0), 16, 3e-3
    inputs, targets = windows(codes[:begin], model.length)
    epochs = options.epochs or (1 if options.short else 2)
    steps = epochs * -(-len(inputs) // batch_size)
    warm = steps // 10
    schedule = st.optim.schedules.Warmup(warm, st.optim.schedules.Cosine(rate, steps - warm))
    optimizer = st.optim.AdamW(
        model.parameters(), schedule, weight_decay=0.1, clip_global_norm=1.0,
        groups=[st.optim.Group(role=("bias", "scale", "embedding"), weight_decay=0)],
    )  # fmt: skip
    history = model.fit(
        (inputs, targets), epochs=epochs, validation=windows(codes[begin:], model.length), optimizer=optimizer,
        loss="cross_entropy", metrics=[], batch_size=batch_size, seed=options.seed,
    )  # fmt: skip
    bits = history[-1]["val_loss"] / np.log(2)
    print(f"{bits:.3f} bits for each character of the test text")
    st.io.save_model(model, options.out / "model.safetensors", inputs, {"letters": "".join(letters)})

    model, metadata = st.io.load_model(options.out / "model.safetensors")
    letters = metadata["letters"]
    prompt = np.array([[letters.index(letter) for letter in options.prompt]])
    written = model.generate(prompt, model.length - prompt.shape[1], temperature=0.7)
    sample = "".join(letters[code] for code in written.numpy()[0])
    (options.out / "sample.txt").write_text(sample, "utf-8")

    test_inputs, test_targets = windows(codes[begin:], model.length)
    losses = nn.losses.cross_entropy(model.predict(test_inputs), test_targets, reduction="none")  # (N, length)
    figure, panel = plt.subplots(figsize=(6, 3.4), layout="constrained")
    panel.plot(range(1, model.length + 1), losses.numpy().mean(axis=0) / np.log(2), label="GPT")
    panel.axhline(plain, color="#6b6b6b", linestyle="--", label="by frequencies alone")
    panel.set(xlabel="characters that it has read", ylabel="bits for the next one", ylim=(0, None))
    panel.legend()
    panel.grid(alpha=0.3)
    figure.savefig(options.out / "gpt.png", dpi=80)
    plt.close(figure)
    print(f"it writes:\n{sample}\nthe results are in {options.out}")
    return {"bits": float(bits), "plain_bits": float(plain)}


if __name__ == "__main__":
    main()
