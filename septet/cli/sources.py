"""Where an experiment's examples come from: named data sets, folders of images, tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import septet as st
from septet.base.errors import SettingError
from septet.cli import images, tables
from septet.data.arrays import split_indices


class Source(NamedTuple):
    """Examples to train on and held-out ones.

    Attributes
    ----------
    train, held_out : (inputs, labels)
        Arrays; images may be uint8, which `transform` makes floats of.
    classes : list of str
        Empty where numbers are learned: labels are (N, 1) then, in units of their spread.
    about : dict
        What a saved model keeps, so that other inputs can be made into the same form.
    transform : callable or None
        For batches.
    vary : Chain or None
        Makes another picture of each one that is trained on, in each epoch.
    """

    train: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray]
    classes: list[str]
    about: dict[str, Any]
    transform: Callable[[Any], Any] | None = None
    vary: st.data.images.Chain | None = None

    def batches(self, size: int, seed: int) -> st.data.Stream:
        """Return shuffled batches to train on."""
        if self.vary is not None:
            return st.data.Stream(self.train, shuffle=True, seed=seed).map(self.vary, seed=seed).batch(size)
        return st.data.Batches(self.train, batch_size=size, shuffle=True, seed=seed, transform=self.transform)

    def tests(self) -> st.data.Batches:
        """Return batches of the held-out examples, in order."""
        return tests(self.held_out, self.transform)

    def example(self) -> np.ndarray:
        """Return one input as the model gets it, (1, ...)."""
        return as_inputs((self.train[0][:1],), self.transform)


def tests(data: tuple[np.ndarray, np.ndarray], transform: Callable[[Any], Any] | None) -> st.data.Batches:
    """Return batches of some examples, in order."""
    return st.data.Batches(data, batch_size=256, transform=transform)


def as_inputs(arrays: tuple[np.ndarray, ...], transform: Callable[[Any], Any] | None) -> np.ndarray:
    """Return what a model gets of some arrays, of which the first are inputs."""
    found: np.ndarray = (transform(arrays) if transform else arrays)[0]
    return found


def open_source(settings: dict[str, Any], seed: int, bar: images.Bar | None = None) -> Source:
    """Read the data of an experiment.

    Parameters
    ----------
    settings : dict
        Its section "data".
    seed : int
        Of the choice of what is held out.
    bar : callable, optional
        Shows how far reading is.

    Raises
    ------
    SettingError
        If the section names neither a data set nor a folder nor a table.
    MissingDataError, DataError
        If the data are not there, or damaged.
    """
    if settings["name"] is not None:
        found = named(settings["name"], settings["folder"])
    elif settings["folder"] is not None:
        found = image_folder(
            Path(settings["folder"]), settings["size"], settings["held_out"], seed, bar, settings["skip_damaged"]
        )
        found = found if settings["augment"] else found._replace(vary=None)
    elif settings["table"] is not None:
        found = table(Path(settings["table"]), settings["target"], settings["held_out"], seed)
    else:
        raise SettingError(
            "the section data needs a key: name (a data set), folder (images, a sub-folder per class) or table (CSV)"
        )
    limit = settings["limit"]
    if limit is None or limit >= len(found.train[0]):
        return found
    chosen = np.linspace(0, len(found.train[0]) - 1, limit).astype(np.int64)  # of all classes, where they are in order
    return found._replace(train=(found.train[0][chosen], found.train[1][chosen]))


def named(name: str, folder: str | None) -> Source:
    """Return a data set that Septet knows."""
    if name == "digits":
        train, held_out = st.data.load_digits("train"), st.data.load_digits("test")
    else:
        train, held_out = (st.data.load(name, part, folder) for part in ("train", "test"))
    classes = list(st.data.class_names(name))
    return Source(train, held_out, classes, {"kind": "images", "dataset": name, "classes": classes})


def image_folder(
    folder: Path, size: int | None, share: float, seed: int, bar: images.Bar | None, skips_damaged: bool = False
) -> Source:  # fmt: skip
    """Return the images of a folder, divided as its sub-folders say, or by chance."""
    files, held_files, classes = images.divide(folder, share, seed)
    form = images.choose_form(files.paths, size)
    whole = images.Files([*files.paths, *held_files.paths], np.concatenate([files.labels, held_files.labels]))
    pixels, places = whole.read(form, bar, skips_damaged)
    labels, count = whole.labels[places], int((places < len(files.paths)).sum())
    about = {
        "kind": "images", "dataset": folder.resolve().name, "classes": classes, "form": form._asdict(),
        "held_out": {"folder": str(folder.resolve()), "share": share, "seed": seed, "skip_damaged": skips_damaged},
    }  # fmt: skip
    return Source(
        (pixels[:count], labels[:count]), (pixels[count:], labels[count:]), classes, about, images.as_floats,
        images.variations(form),
    )  # fmt: skip


def table(path: Path, target: str | None, share: float, seed: int) -> Source:
    """Return the rows of a CSV file, of which one column is a class, or a number."""
    arrays, name = tables.read_table(path, target)
    classes = tables.find_classes(path, name, arrays[name])
    known: dict[str, Any] = {}
    if classes:
        labels = tables.labels_of(path, name, arrays[name], classes)
        first, second = split_indices(len(labels), 1 - share, seed=seed, stratify=labels)
    else:
        numbers = tables.numbers_of(path, name, arrays[name])
        first, second = split_indices(len(numbers), 1 - share, seed=seed)
        known["scale"] = scale = tables.scale_of(numbers[first])
        labels = ((numbers - scale["mean"]) / scale["std"]).astype(np.float32)
    columns = tables.describe(arrays, name, first)
    inputs = tables.encode(path, arrays, columns)
    about = {
        "kind": "table", "dataset": path.stem, "classes": classes, "columns": columns, "target": name, **known,
        "held_out": {"table": str(path.resolve()), "share": share, "seed": seed},
    }  # fmt: skip
    return Source((inputs[first], labels[first]), (inputs[second], labels[second]), classes, about)
