"""F7: data sets, the order in which they are visited, and the batches cut from them. NumPy in, NumPy out."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from septet.data.arrays import ArrayDataset, Sample, split_indices
from septet.data.schemes import Bucketed, Scheme, Sequential, Sharded, Shuffled, Weighted
from septet.data.stage import Cursor, Item, Stage
from septet.data.stream import Batches, Stream

if _TYPE_CHECKING:
    from septet.data import images
    from septet.data.idx import read_idx, write_idx
    from septet.data.sets import class_names, load, load_digits, load_fashion_mnist, load_mnist, names
    from septet.data.sources.arrow import ArrowDataset, parquet_rows
    from septet.data.sources.cifar import read_cifar
    from septet.data.sources.csv import csv_rows, read_csv
    from septet.data.sources.example import decode_example, encode_example
    from septet.data.sources.hdf5 import HDF5Dataset
    from septet.data.sources.pictures import ImageFolder, decode_image, read_image
    from septet.data.sources.recordio import (
        ImageRecord,
        RecordIO,
        pack_image_record,
        unpack_image_record,
        write_recordio,
    )
    from septet.data.sources.sql import sql_rows
    from septet.data.sources.text import text_lines
    from septet.data.sources.tfrecord import tfrecords, write_tfrecords
    from septet.data.sources.webdataset import web_dataset, write_web_dataset
    from septet.data.text import Tokenizer, Vocabulary, pad_tokens, split_words

__all__ = [
    "Stream", "Batches", "ArrayDataset", "Sample", "split_indices",
    "Scheme", "Sequential", "Shuffled", "Sharded", "Weighted", "Bucketed",
    "Stage", "Cursor", "Item",
    "ArrowDataset", "HDF5Dataset", "ImageFolder", "ImageRecord", "RecordIO",
    "csv_rows", "parquet_rows", "sql_rows", "text_lines", "tfrecords", "web_dataset",
    "read_cifar", "read_csv", "read_idx", "read_image", "decode_example", "decode_image", "unpack_image_record",
    "write_idx", "write_recordio", "write_tfrecords", "write_web_dataset", "encode_example", "pack_image_record",
    "images", "Tokenizer", "Vocabulary", "pad_tokens", "split_words",
    "load", "names", "class_names", "load_digits", "load_fashion_mnist", "load_mnist",
]  # fmt: skip

# What is imported when it is first used: formats, known data sets, images, texts.
_LATER = {
    "idx": ("read_idx", "write_idx"),
    "sets": ("class_names", "load", "load_digits", "load_fashion_mnist", "load_mnist", "names"),
    "sources.arrow": ("ArrowDataset", "parquet_rows"),
    "sources.cifar": ("read_cifar",),
    "sources.csv": ("csv_rows", "read_csv"),
    "sources.example": ("decode_example", "encode_example"),
    "sources.hdf5": ("HDF5Dataset",),
    "sources.pictures": ("ImageFolder", "decode_image", "read_image"),
    "sources.recordio": ("ImageRecord", "RecordIO", "pack_image_record", "unpack_image_record", "write_recordio"),
    "sources.sql": ("sql_rows",),
    "sources.text": ("text_lines",),
    "sources.tfrecord": ("tfrecords", "write_tfrecords"),
    "sources.webdataset": ("web_dataset", "write_web_dataset"),
    "text": ("Tokenizer", "Vocabulary", "pad_tokens", "split_words"),
}
_PLACES = {name: module for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> _Any:
    if name == "images":
        return _import_module("septet.data.images")
    if name not in _PLACES:
        raise AttributeError(f"module 'septet.data' has no attribute {name!r}")
    value = globals()[name] = getattr(_import_module(f"septet.data.{_PLACES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES, "images"})
