"""Dates: an encoder and a decoder with attention read dates as people write them and write them as ISO 8601.

The dates are those of the calendar from 1900 to 2099, each written in one of twelve ways, such as "Saturday, March 3rd,
1984"; test dates are never among those to train on. While training, the decoder is given the right signs so far; when
it translates, its own.

    python examples/dates.py
    python examples/dates.py --short
"""

import argparse
import datetime
from pathlib import Path

import numpy as np

import septet as st
from septet import nn

FORMS = (
    "%A, %B {day}, %Y", "%a %b {day} %Y", "{day} %B %Y", "{day}{th} of %B, %Y", "%B {day}{th} %Y", "%b {day}, %Y",
    "%d.%m.%Y", "{day}.%m.%Y", "%d-%b-%Y", "%Y %B {day}", "%Y/%m/%d", "the {day}{th} of %B in %Y",
)  # fmt: skip
SIGNS = "0123456789-"
START = len(SIGNS)  # what the decoder is given first
LETTERS = " abcdefghijklmnopqrstuvwxyz0123456789,./-"  # the first is padding as well
LONGEST = 30


class Translator(nn.Module):
    """D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015."""

    def __init__(self, units):
        self.letters = nn.Embedding(len(LETTERS), 32)
        self.encoder = nn.Bidirectional(nn.GRU(units, return_sequences=True))
        self.signs = nn.Embedding(len(SIGNS) + 1, 32)
        self.decoder = nn.AttentionDecoder(nn.GRUCell(units), nn.AdditiveAttention(units))
        self.scores = nn.Dense(len(SIGNS))

    def forward(self, text, given):
        """Return scores of the next sign after each of those that are given: (B, T, signs)."""
        outputs, _ = self.decoder(self.signs(given), self.encoder(self.letters(text)))
        return self.scores(outputs)

    def translate(self, text):
        """Return the most probable signs (B, 10), each given those before it, and what each looked at (B, 10, S)."""
        memory = self.encoder(self.letters(text))  # (B, S, 2 * units)
        given = st.full((len(text), 1), START, dtype="int64")
        hidden, state = st.zeros((len(text), self.decoder.cell.units)), None
        signs, looks = [], []
        for _ in range(10):
            looks.append(self.decoder.attention(hidden, memory, with_weights=True)[1])  # as the decoder itself asks
            outputs, state = self.decoder(self.signs(given), memory, state)
            hidden = state[0]
            given = self.scores(outputs).argmax(axis=-1)  # (B, 1)
            signs.append(given[:, 0])
        return st.stack(signs, axis=1), st.stack(looks, axis=1)


def written(day, form):
    """Return a date as a person might write it."""
    th = "th" if 10 < day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return day.strftime(form).format(day=day.day, th=th).lower()


def encode(texts, alphabet, length):
    return np.array([[alphabet.index(sign) for sign in text.ljust(length)] for text in texts])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 8, with --short 4")
    parser.add_argument("--short", action="store_true", help="a smaller network and fewer dates")
    parser.add_argument("--data", choices=["calendar"], default="calendar", help="the calendar is all that it needs")
    parser.add_argument("--out", type=Path, default=Path("dates-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)
    random = np.random.default_rng(options.seed)

    first, count = datetime.date(1900, 1, 1), 73_049  # to the end of 2099
    days = [first + datetime.timedelta(int(place)) for place in random.permutation(count)]
    days = days[: 5_000 if options.short else 11_000]
    forms = random.integers(len(FORMS), size=len(days))
    sources = encode([written(day, FORMS[form]) for day, form in zip(days, forms)], LETTERS, LONGEST)
    targets = encode([day.isoformat() for day in days], SIGNS, 10)
    given = np.concatenate([np.full((len(days), 1), START), targets[:, :-1]], axis=1)
    test_sources, test_targets = sources[:1000], targets[:1000]

    model = Translator(48 if options.short else 96)
    epochs, batch_size = options.epochs or (4 if options.short else 8), 64
    steps = epochs * ((len(days) - 1000) // batch_size + 1)
    optimizer = st.optim.Adam(model.parameters(), st.optim.schedules.OneCycle(1.5e-2, steps), clip_global_norm=1.0)

    @st.compile
    def step(source, before, target):
        loss = nn.losses.cross_entropy(model(source, before), target)
        loss.backward()
        optimizer.step()
        return loss

    translate = st.compile(model.translate)
    batches = st.data.Batches(
        (sources[1000:], given[1000:], targets[1000:]), batch_size=batch_size, shuffle=True, seed=options.seed
    )
    for epoch in range(1, epochs + 1):
        loss = np.mean([float(step(*batch)) for batch in batches])
        signs, _ = translate(test_sources)
        accuracy = float((signs.numpy() == test_targets).all(axis=1).mean())
        print(f"epoch {epoch}: loss {loss:.4f}, {100 * accuracy:.1f} % of the test dates are wholly right")

    st.io.save_weights(model, options.out / "model.safetensors")
    model = Translator(model.decoder.cell.units).build_for(test_sources[:1], given[:1])
    st.io.load_weights(model, options.out / "model.safetensors")
    text = "saturday, march 3, 1984"
    signs, looks = model.eval().translate(encode([text], LETTERS, LONGEST))
    answer = "".join(SIGNS[sign] for sign in signs.numpy()[0])
    print(f"{text} -> {answer}")
    st.view.plot_attention(
        looks.numpy()[0, :, : len(text)], options.out / "dates.png", queries=list(answer), keys=list(text),
        title="Which letters each sign looked at",
    )  # fmt: skip
    return {"accuracy": accuracy}


if __name__ == "__main__":
    main()
