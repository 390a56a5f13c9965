"""Sentiment: is a sentence from a film review for or against the film? A convolution over words, trained by `fit`.

The sentences are those of the sentence polarity data set (B. Pang, L. Lee, 2005), which `st.data.load` finds, or the
same ones as twenty people have rated them, ``movieReviewSnippets_GroundTruth.txt`` from the source distribution of
vaderSentiment (C. J. Hutto, E. Gilbert, 2014).

    python examples/sentiment.py
    python examples/sentiment.py --data folder/with/sentence_polarity.zip
    python examples/sentiment.py --data movieReviewSnippets_GroundTruth.txt --short
"""

import argparse
import re
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn

LENGTH = 40  # words; longer sentences are cut, shorter ones padded by 0
UNKNOWN = 1


def network(words, size):
    """Y. Kim, "Convolutional Neural Networks for Sentence Classification", 2014, with windows of three words."""
    return nn.Sequential(
        nn.Embedding(words, size, padding=0), nn.Dropout(0.5),  # (B, T, size)
        nn.Permute((2, 1)), nn.Conv1D(2 * size, 3, padding="same"), nn.ReLU(),  # (B, 2 * size, T)
        nn.GlobalMaxPool(), nn.Dropout(0.5), nn.Dense(2),
    )  # fmt: skip


def read_sentences(path):
    """Return sentences, and 1 for those in favour of the film, 0 for those against it."""
    if path is None or path.is_dir():
        return st.data.load("sentence-polarity", folder=path)
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    pairs = [(text, int(float(rating) > 0)) for _, rating, text in rows if float(rating)]
    return [text for text, _ in pairs], np.array([label for _, label in pairs])


def words_of(sentence):
    return re.findall(r"[a-z']+|[!?]", sentence.lower())


def encode(sentences, vocabulary):
    """Return the numbers of the words: (N, LENGTH)."""
    codes = np.zeros((len(sentences), LENGTH), np.int64)
    for row, sentence in zip(codes, sentences):
        found = [vocabulary.get(word, UNKNOWN) for word in words_of(sentence)[:LENGTH]]
        row[: len(found)] = found
    return codes


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 4, with --short 3")
    parser.add_argument("--short", action="store_true", help="a smaller network")
    parser.add_argument("--data", type=Path, help="a folder or a table, see above")
    parser.add_argument("--out", type=Path, default=Path("sentiment-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    sentences, labels = read_sentences(options.data)
    train, test = st.data.split_indices(len(labels), 0.9, seed=0, stratify=labels)
    counts = Counter(word for place in train for word in words_of(sentences[place]))
    vocabulary = {word: number for number, (word, count) in enumerate(counts.most_common(), 2) if count > 1}
    codes = encode(sentences, vocabulary)
    print(f"{len(train)} sentences to train on, {len(test)} to test with, {len(vocabulary)} words")

    model = network(len(vocabulary) + 2, 32 if options.short else 100)
    epochs = options.epochs or (3 if options.short else 4)
    model.fit(
        (codes[train], labels[train]), epochs=epochs, validation=(codes[test], labels[test]), batch_size=50,
        learning_rate=3e-3 if options.short else 1e-3, seed=options.seed,
    )  # fmt: skip
    accuracy = model.evaluate((codes[test], labels[test]))["accuracy"]
    plain = float(np.bincount(labels[test]).max() / len(test))
    print(f"accuracy on the test sentences {accuracy:.3f}; the more frequent answer has {plain:.3f}")
    st.io.save_model(model, options.out / "model.safetensors", codes, {"vocabulary": vocabulary})

    model, metadata = st.io.load_model(options.out / "model.safetensors")
    reviews = ["a warm , funny and moving film .", "dull , lifeless and far too long ."]
    for review, scores in zip(reviews, model.predict(encode(reviews, metadata["vocabulary"]))):
        print(f"{'for' if scores.argmax() else 'against'} the film: {review}")

    frequent = [word for word, count in counts.most_common() if count >= 20 and len(word) > 2]
    scores = model.predict(encode(frequent, vocabulary))
    leaning = scores[:, 1] - scores[:, 0]  # what the model thinks of a sentence of this one word
    order = np.argsort(leaning)
    shown = np.concatenate([order[:12], order[-12:]])
    figure, panel = plt.subplots(figsize=(6, 4.5), layout="constrained")
    panel.barh(range(len(shown)), leaning[shown], color=["#d55e00"] * 12 + ["#0072b2"] * 12)
    panel.set_yticks(range(len(shown)), labels=[frequent[place] for place in shown], fontsize=8)
    panel.set(xlabel="against the film  <  score of the word  >  for the film")
    figure.savefig(options.out / "sentiment.png", dpi=80)
    plt.close(figure)
    return {"accuracy": accuracy, "plain": plain}


if __name__ == "__main__":
    main()
