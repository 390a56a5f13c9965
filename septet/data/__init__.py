"""F7: data sets, the order in which they are visited, and the batches cut from them. NumPy in, NumPy out."""

from septet.data.arrays import ArrayDataset, Sample, split_indices
from septet.data.idx import read_idx, write_idx
from septet.data.schemes import Bucketed, Scheme, Sequential, Sharded, Shuffled, Weighted
from septet.data.sets import class_names, load, load_digits, load_fashion_mnist, load_mnist, names
from septet.data.stage import Cursor, Item, Stage
from septet.data.stream import Batches, Stream

__all__ = [
    "ArrayDataset", "Batches", "Bucketed", "Cursor", "Item", "Sample", "Scheme", "Sequential", "Sharded", "Shuffled",
    "Stage", "Stream", "Weighted", "class_names", "load", "load_digits", "load_fashion_mnist", "load_mnist", "names",
    "read_idx", "split_indices", "write_idx",
]  # fmt: skip
