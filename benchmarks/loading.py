"""How fast data is read, shuffled, decoded and batched: Septet, PyTorch's DataLoader and tf.data take turns.

Two tasks: `fashion`, Fashion-MNIST in memory (uint8), shuffled, in batches of 128, normalized to float32; and `jpeg`,
a folder of JPEG photographs, shuffled, decoded, resized to 224 x 224, normalized, in batches of 32, with two workers.
Pillow, which Septet and the PyTorch variants use, averages over pixels when it makes an image smaller; tf.image does
that with `antialias`. Each framework runs in a process of its own, which waits while others run; one round is one epoch
of each.

Usage: python benchmarks/loading.py --torch PYTHON --tensorflow PYTHON --photos FOLDER --output FILE
    --torch, --tensorflow   interpreters that have them; without, they are left out
    --photos                a folder of large photographs, from which the folder of JPEGs is made (random parts of
                            them, 500 x 375, quality 90); without, it is made of enlarged Fashion-MNIST
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

BATCH, JPEG_BATCH, SIZE, WORKERS = 128, 32, 224, 2
MEAN, STD = 0.2860, 0.3530  # of Fashion-MNIST's training images
COLOR_MEAN, COLOR_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
VARIANTS = {
    "septet": ("fashion", "fashion threads", "jpeg threads", "jpeg processes"),
    "torch": ("fashion", "fashion batches", "jpeg processes", "jpeg processes, draft"),
    "tensorflow": ("fashion", "jpeg threads", "jpeg threads, antialias"),
}
SIDE = (375, 500)  # height and width of the photographs: about the mean of ImageNet's


# --- the frameworks: each function returns a function that goes through one epoch, and counts images


def septet(variant, arrays, folder):
    """Septet."""
    from septet import data
    from septet.data import images

    workers = {"workers": WORKERS} if "threads" in variant else {}
    if variant.startswith("fashion"):
        stream = data.Batches(arrays, batch_size=BATCH, shuffle=True, transform=fashion_batch, **workers)
    else:
        source = data.ImageFolder(folder, size=(SIZE, SIZE))
        stream = data.Stream(source, shuffle=True).map(images.Normalize(COLOR_MEAN, COLOR_STD)).batch(JPEG_BATCH)
        stream = stream.parallel(WORKERS, processes="processes" in variant)
    return lambda: sum(len(labels) for _, labels in stream)


def fashion_batch(batch):
    """Normalize a batch of Fashion-MNIST."""
    pixels, labels = batch
    result = pixels[:, None] * numpy.float32(1 / 255 / STD)
    result -= numpy.float32(MEAN / STD)
    return result, labels


class TorchFashion:
    """Fashion-MNIST, as PyTorch's users write data sets."""

    def __init__(self, arrays):
        import torch

        self.pixels, self.labels = torch.from_numpy(arrays[0]), torch.from_numpy(arrays[1])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return (self.pixels[index].unsqueeze(-3) / 255.0 - MEAN) / STD, self.labels[index]

    def __getitems__(self, indices):  # used with lists of numbers only
        raise NotImplementedError


class TorchImages:
    """A folder of images."""

    def __init__(self, folder, draft):
        self.paths = sorted(str(path) for path in Path(folder).rglob("*.jpg"))
        names = sorted({Path(path).parent.name for path in self.paths})
        self.labels = [names.index(Path(path).parent.name) for path in self.paths]
        self.draft = draft

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        import torch
        from PIL import Image

        with Image.open(self.paths[index]) as opened:
            if self.draft:
                opened.draft("RGB", (SIZE, SIZE))
            image = opened.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1).float().div_(255)
        mean, std = torch.tensor(COLOR_MEAN)[:, None, None], torch.tensor(COLOR_STD)[:, None, None]
        return pixels.sub_(mean).div_(std), self.labels[index]


def torch(variant, arrays, folder):
    """PyTorch's DataLoader."""
    import torch
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler

    torch.set_num_threads(WORKERS)
    if variant == "fashion":
        dataset = TorchFashion(arrays)
        del TorchFashion.__getitems__
        loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)
    elif variant == "fashion batches":  # whole batches by index: its fastest way for arrays in memory
        dataset = TorchFashion(arrays)
        loader = DataLoader(dataset, batch_size=None, sampler=BatchSampler(RandomSampler(dataset), BATCH, False))
    else:
        loader = DataLoader(
            TorchImages(folder, "draft" in variant), batch_size=JPEG_BATCH, shuffle=True, num_workers=WORKERS,
            persistent_workers=True,
        )  # fmt: skip
    return lambda: sum(len(labels) for _, labels in loader)


def tensorflow(variant, arrays, folder):
    """tf.data."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(WORKERS)
    auto = tf.data.AUTOTUNE
    if variant == "fashion":

        def normalize(pixels, labels):
            return (tf.cast(pixels[:, None], tf.float32) / 255.0 - MEAN) / STD, labels

        stream = tf.data.Dataset.from_tensor_slices(arrays).shuffle(len(arrays[1])).batch(BATCH)
        stream = stream.map(normalize, num_parallel_calls=auto).prefetch(auto)
    else:
        paths = sorted(str(path) for path in Path(folder).rglob("*.jpg"))
        names = sorted({Path(path).parent.name for path in paths})
        labels = [names.index(Path(path).parent.name) for path in paths]
        mean, std = tf.constant(COLOR_MEAN), tf.constant(COLOR_STD)

        def read(path, label):
            image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            image = tf.image.resize(image, (SIZE, SIZE), antialias="antialias" in variant) / 255.0
            return tf.transpose((image - mean) / std, (2, 0, 1)), label

        stream = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(paths))
        stream = stream.map(read, num_parallel_calls=auto).batch(JPEG_BATCH).prefetch(auto)
    options = tf.data.Options()
    options.threading.private_threadpool_size = WORKERS
    stream = stream.with_options(options)
    return lambda: sum(len(labels) for _, labels in stream.as_numpy_iterator())


# --- the harness


def serve(framework, variant, arrays_file, folder):
    """Go through one epoch for each line of standard input, and answer with (images, seconds)."""
    arrays = None
    if variant.startswith("fashion"):
        with numpy.load(arrays_file) as archive:
            arrays = archive["images"], archive["labels"]
    epoch = {"septet": septet, "torch": torch, "tensorflow": tensorflow}[framework](variant, arrays, folder)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        count = epoch()
        print(json.dumps([count, time.perf_counter() - start]), flush=True)


class Runner:
    """A framework in a process of its own."""

    def __init__(self, python, framework, variant, arrays_file, folder):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1]) if framework == "septet" else ""
        command = [python, __file__, "--serve", framework, variant, "--arrays", arrays_file, "--folder", folder]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )  # fmt: skip
        self.name = f"{framework}: {variant}"
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{self.name} did not start")

    def epoch(self):
        """Return images per second of one epoch, and milliseconds of processor time for each, workers included."""
        before = processor_seconds(self.process.pid)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        count, seconds = json.loads(self.process.stdout.readline())
        return round(count / seconds, 1), round((processor_seconds(self.process.pid) - before) / count * 1e3, 4)

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait(30)


def processor_seconds(pid):
    """Return the processor time that a process and its children have taken (Linux)."""
    total = 0.0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if int(folder.name) == pid or int(fields[1]) == pid:
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def make_images(folder, photos, count, pixels):
    """Write JPEG files in two class folders: parts of photographs, or enlarged images of clothes."""
    from PIL import Image

    random = numpy.random.default_rng(0)
    sources = []
    if photos:
        paths = sorted(p for p in Path(photos).rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
        opened = [Image.open(path) for path in paths]
        sources = [image.convert("RGB") for image in opened if min(image.size) >= 400 and image.mode in ("RGB", "RGBA")]
    for number in range(count):
        if sources:
            source = sources[number % len(sources)]
            share = random.uniform(0.6, 1.0)
            width, height = (int(side * share) for side in source.size)
            left, top = int(random.integers(source.width - width + 1)), int(random.integers(source.height - height + 1))
            image = source.crop((left, top, left + width, top + height)).resize(SIDE[::-1], Image.Resampling.LANCZOS)
        else:
            image = Image.fromarray(pixels[number]).convert("RGB").resize(SIDE[::-1], Image.Resampling.BICUBIC)
        place = folder / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{number:05}.jpg", quality=90)
    return f"parts of {len(sources)} photographs" if sources else "enlarged Fashion-MNIST"


def main():
    """Run the rounds, and write results as JSON and as a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch")
    parser.add_argument("--tensorflow")
    parser.add_argument("--photos")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--only", choices=("fashion", "jpeg"))
    parser.add_argument("--output", default=str(Path(__file__).parent / "results" / "loading.json"))
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--arrays", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(*options.serve, options.arrays, options.folder)
    from septet.data import load_fashion_mnist

    images, labels = load_fashion_mnist("train")
    pixels = numpy.rint(images[:, 0] * 255).astype(numpy.uint8)
    with tempfile.TemporaryDirectory() as place:
        arrays_file, folder = os.path.join(place, "arrays.npz"), Path(place) / "jpeg"
        numpy.savez(arrays_file, images=pixels, labels=labels)
        what = make_images(folder, options.photos, options.images, pixels)
        size = sum(path.stat().st_size for path in folder.rglob("*.jpg")) / options.images
        results = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "load": round(os.getloadavg()[0], 1),
            "jpeg": f"{options.images} files of {SIDE[1]} x {SIDE[0]}, {size / 1024:.0f} KiB each: {what}",
            "rates": measure(options, arrays_file, str(folder)),
        }
    Path(options.output).write_text(json.dumps(results, indent=1) + "\n")
    table = as_table(results)
    Path(options.output).with_suffix(".md").write_text(table)
    print(table)


def measure(options, arrays_file, folder):
    """Return (images per second, processor milliseconds), round by round, for each task and variant."""
    pythons = {"septet": sys.executable, "torch": options.torch, "tensorflow": options.tensorflow}
    rates = {}
    for task in ("fashion", "jpeg"):
        if options.only not in (None, task):
            continue
        runners = [
            Runner(python, framework, variant, arrays_file, folder)
            for framework, python in pythons.items() if python
            for variant in VARIANTS[framework] if variant.startswith(task)
        ]  # fmt: skip
        for runner in runners:
            runner.epoch()  # starts workers, fills the cache of files
        rows = {runner.name: [] for runner in runners}
        for _ in range(options.rounds):
            for runner in runners:
                rows[runner.name].append(runner.epoch())
        for runner in runners:
            runner.close()
        rates[task] = rows
    return rates


def as_table(results):
    """Write medians, and ratios to Septet's best variant, round by round."""
    lines = [
        "# Loading data",
        "",
        "*Written by `benchmarks/loading.py`.* Images per second, and processor time for each image (with workers):",
        "medians of the rounds, in which all took turns. Beside a busy process, the second says more.",
        "",
        f"{results['machine']}; load {results['load']} when it began. JPEG: {results['jpeg']}.",
    ]
    for task, rows in results["rates"].items():
        lines += ["", f"## {task}", "", "| | images/s | processor ms per image |", "|---|---|---|"]
        medians = {name: [statistics.median(column) for column in zip(*row)] for name, row in rows.items()}
        for name, (rate, cost) in sorted(medians.items(), key=lambda row: -row[1][0]):
            lines.append(f"| {name} | {rate:,.0f} | {cost:.3g} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
