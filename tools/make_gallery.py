"""Run the examples, and make docs/gallery.md with their pictures and what they have reached.

Usage: python tools/make_gallery.py [--words NAME=WORDS ...] [NAME ...]

Without names all examples run; words are handed to an example, such as ``gpt='--data shakespeare.txt'``. What they
reach is kept in ``docs/gallery/results.json``, from which the page is written: `--page` only writes the page. A picture
may have 60 KB.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import resource
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES, GALLERY, PAGE = ROOT / "examples", ROOT / "docs" / "gallery", ROOT / "docs" / "gallery.md"
LARGEST = 60_000  # bytes of a picture

# The order of the page, and what is said about the results; the keys are those that `main` returns.
REACHED = {
    "digits": "{accuracy:.1%} of the 359 test digits are right.",
    "fashion_mnist": "{accuracy:.1%} of the 10,000 test images are right.",
    "char_rnn": "A character of the test text takes {bits:.2f} bits; by their frequencies alone {plain_bits:.2f}.",
    "sentiment": "{accuracy:.1%} of the test sentences are judged right; always the same answer: {plain:.1%}.",
    "autoencoder": (
        "With two numbers for an image the squared error of a pixel is {error:.4f}, with the mean image for all "
        "{mean_image:.4f}. The variational one needs {nats:.1f} nats for a test image."
    ),
    "gan": (
        "The Frechet distance to the test images falls from {untrained:.2f} to {distance:.2f}; training images have "
        "{yardstick:.2f}."
    ),
    "dates": "{accuracy:.1%} of 1,000 test dates are wholly right.",
    "time_series": (
        "Over the next 52 weeks the root mean squared error is {network:.2f} parts per million. Naive forecasts have "
        "{the last value:.2f} (the last value), {a year before:.2f} (the value a year before) and "
        "{a year before + a year's growth:.2f} (the same with a year's growth)."
    ),
    "gpt": "A character of the test text takes {bits:.2f} bits; by their frequencies alone {plain_bits:.2f}.",
    "transfer": (
        "With five images of each new class {transferred:.1%} of the test images are right; from scratch "
        "{from scratch:.1%}."
    ),
}


def processor_seconds() -> float:
    """Return what all threads of this process have used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def shrink(source: Path, target: Path) -> None:
    """Copy a picture; one that is too large gets a palette of 256 colours."""
    from PIL import Image

    target.write_bytes(source.read_bytes())
    if target.stat().st_size > LARGEST:
        with Image.open(source) as picture:
            picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    if target.stat().st_size > LARGEST:
        raise SystemExit(f"{target}: {target.stat().st_size} bytes, at most {LARGEST} are wanted")


def run(name: str, words: list[str]) -> dict[str, Any]:
    """Run an example; keep its picture, and return what it reached and how long it took."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as folder:
        started, used = time.perf_counter(), processor_seconds()
        results = module.main(["--out", folder, *words])
        times = {"seconds": time.perf_counter() - started, "processor_seconds": processor_seconds() - used}
        picture = name.replace("_", "-") + ".png"
        GALLERY.mkdir(exist_ok=True)
        shrink(Path(folder) / picture, GALLERY / picture)
        sample = Path(folder) / "sample.txt"
        text = {"sample": sample.read_text("utf-8")} if sample.exists() else {}
    told = [Path(word).name if Path(word).exists() else word for word in words]
    return {"command": shlex.join(["python", f"examples/{name}.py", *told]), "reached": results, **times, **text}


def page(results: dict[str, Any]) -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for name, reached in REACHED.items():
        lines = (ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text("utf-8"))) or "").split("\n\n")
        title, _, subtitle = lines[0].partition(": ")
        parts.append(f"## {title}\n\n{subtitle[0].upper()}{subtitle[1:]} [The script](../examples/{name}.py).\n")
        entry = results[name]
        minutes = f"{entry['processor_seconds']:.0f} s of processor time"
        parts.append(f"{reached.format(**entry['reached'])} `{entry['command']}`, {minutes}.\n")
        parts.append(f"![{title}: the picture that the script makes](gallery/{name.replace('_', '-')}.png)\n")
        if "sample" in entry:
            parts.append("```text\n" + entry["sample"].strip("\n") + "\n```\n")
    return "\n".join([*parts, FOOT])


HEAD = """# Gallery

Ten programs on real data, [each a page long](../examples/README.md): what they reach, from one run each by the command
that stands beside it, and the pictures that they make. Times are processor time, of both cores of a machine with two
together. With `--short` each takes a few seconds. `python tools/make_gallery.py` runs them and writes this page.
"""

FOOT = """## What Septet draws

Made by [the guide to seeing](guide/seeing.md) and by `septet train`.

| picture | made by |
|---|---|
| graph of a model or a training step, as a page that folds | `st.view.graph(model, x).save("graph.html")` |
| learning curves | `st.view.plot_curves(history, "curves.png")` |
| images with predictions | `st.view.plot_predictions(images, labels, None, probabilities, names, "predictions.png")` |
| confusion matrix | `st.view.plot_confusion(counts, names, "confusion.png")` |
| filters | `st.view.plot_filters(model, "filters.png")` |
| activations of each layer | `st.view.plot_activations(model, images, "activations.png")` |
| attention | `st.view.plot_attention(weights, "attention.png", queries=words)` |
| histograms of weights | `st.view.plot_histograms(model, "weights.png")` |
| embedding, by principal components | `st.view.plot_embedding(vectors, labels, names, "embedding.png")` |
"""


def main() -> None:
    """Run the examples that are named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="examples; by default all")
    parser.add_argument("--words", action="append", default=[], metavar="NAME=WORDS", help="for an example")
    parser.add_argument("--page", action="store_true", help="only write the page")
    options = parser.parse_args()
    words = dict(pair.split("=", 1) for pair in options.words)
    file = GALLERY / "results.json"
    results = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for name in [] if options.page else options.names or REACHED:
        print(f"== {name}", file=sys.stderr)
        results[name] = run(name, shlex.split(words.get(name, "")))
        file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
    if results.keys() == REACHED.keys():
        PAGE.write_text(page(results), "utf-8")


if __name__ == "__main__":
    main()
