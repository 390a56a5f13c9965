"""Texts as numbers: vocabularies of characters or words, and tokenizers that learn parts of words."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.base.files import open_atomic
from septet.data.collate import pad
from septet.data.sources.extras import needs

__all__ = ["Tokenizer", "Vocabulary", "pad_tokens", "split_words"]

PADDING, UNKNOWN = "<pad>", "<unk>"
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")  # a word, with apostrophes inside of it, or one sign
_VERSION = 1


def split_words(text: str) -> list[str]:
    """Split a text into words and signs, in lower case.

    Examples
    --------
    >>> split_words("It's a Cat, isn't it?")
    ["it's", 'a', 'cat', ',', "isn't", 'it', '?']
    """
    return _WORD.findall(text.lower())


class Vocabulary:
    """Numbers for characters or words.

    Parameters
    ----------
    entries : sequence of str
        Entry `i` has the number `i`.
    kind : {"characters", "words"}
        How texts are split: into characters, or as by `split_words`.
    unknown : str, optional
        The entry that stands for what is not in the vocabulary. Without it, encoding such a text is an error.

    Examples
    --------
    >>> words = Vocabulary.of(["a cat", "a dog", "a cat again"], kind="words")
    >>> words.entries
    ('<pad>', '<unk>', 'a', 'cat', 'again', 'dog')
    >>> words.encode("a bird"), words.decode([2, 3])
    (array([2, 1]), 'a cat')
    """

    def __init__(self, entries: Sequence[str], kind: str = "words", unknown: str | None = None) -> None:
        if kind not in ("characters", "words"):
            raise ArgumentError(f"Vocabulary: kind must be 'characters' or 'words', received {kind!r}")
        self.entries, self.kind, self.unknown = tuple(entries), kind, unknown
        self._numbers = {entry: number for number, entry in enumerate(self.entries)}
        if len(self._numbers) < len(self.entries):
            twice = Counter(self.entries).most_common(1)[0][0]
            raise ArgumentError(f"Vocabulary: {twice!r} is there twice")
        if unknown is not None and unknown not in self._numbers:
            raise ArgumentError(f"Vocabulary: unknown={unknown!r} is not among the entries")

    @classmethod
    def of(
        cls, texts: Iterable[str], kind: str = "words", *, size: int | None = None, least: int = 1,
        special: Sequence[str] = (PADDING, UNKNOWN),
    ) -> Vocabulary:  # fmt: skip
        """Make a vocabulary of what is in some texts.

        Parameters
        ----------
        texts : iterable of str
        kind : {"characters", "words"}
        size : int, optional
            How many entries there are at most, the special ones included.
        least : int
            How often something must occur.
        special : sequence of str
            The first entries: ``<pad>`` gets the number 0. ``<unk>``, where it is among them, stands for the unknown.

        Returns
        -------
        Vocabulary
            After the special entries the most frequent ones come first, those as frequent by their code points.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text if kind == "characters" else split_words(text))
        for entry in special:
            counts.pop(entry, None)
        found = sorted((entry for entry, count in counts.items() if count >= least), key=lambda e: (-counts[e], e))
        entries = [*special, *found][: None if size is None else max(size, len(special))]
        return cls(entries, kind, UNKNOWN if UNKNOWN in special else None)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, entry: str) -> bool:
        return entry in self._numbers

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} {self.kind})"

    def encode(self, text: str) -> numpy.ndarray:
        """Return the numbers of a text's characters or words, as int64.

        Raises
        ------
        ArgumentError
            When one is not in the vocabulary, and there is no entry for the unknown.
        """
        parts = text if self.kind == "characters" else split_words(text)
        fallback = None if self.unknown is None else self._numbers[self.unknown]
        numbers = [self._numbers.get(part, fallback) for part in parts]
        if None in numbers:
            raise ArgumentError(
                f"Vocabulary.encode: {parts[numbers.index(None)]!r} is not in the vocabulary",
                hint="a vocabulary with unknown='<unk>' has a number for it",
            )
        return numpy.array(numbers, dtype=numpy.int64)

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of some numbers; words are joined by spaces."""
        parts = []
        for number in numpy.asarray(list(numbers), dtype=numpy.int64).tolist():
            if not 0 <= number < len(self.entries):
                raise ArgumentError(f"Vocabulary.decode: {number} is no number from 0 to {len(self.entries) - 1}")
            parts.append(self.entries[number])
        return ("" if self.kind == "characters" else " ").join(parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary as JSON."""
        value = {"version": _VERSION, "kind": self.kind, "unknown": self.unknown, "entries": self.entries}
        with open_atomic(path) as file:
            file.write(json.dumps(value, ensure_ascii=False, indent=0).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read a vocabulary that `save` wrote."""
        name = os.fspath(path)
        try:
            with open(name, "rb") as file:
                value = json.load(file)
            if value["version"] != _VERSION:
                raise DataError(f"Vocabulary.load: {name!r} has version {value['version']!r}, expected {_VERSION}")
            return cls(value["entries"], value["kind"], value["unknown"])
        except FileNotFoundError:
            raise MissingDataError(f"Vocabulary.load: there is no file {name!r}") from None
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"Vocabulary.load: {name!r} is no vocabulary: {error}") from error


class Tokenizer:
    """Parts of words as tokens: byte-pair encoding or WordPiece, by the library ``tokenizers``.

    Made by `train` or `load`. It can be sent to worker processes.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "the dog sat on the log"] * 4
    >>> tokenizer = Tokenizer.train(texts, kind="bpe", size=300)  # doctest: +SKIP
    >>> tokenizer.decode(tokenizer.encode("the cat"))  # doctest: +SKIP
    'the cat'
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @classmethod
    def train(
        cls, texts: Iterable[str], kind: str = "bpe", *, size: int = 30000, least: int = 2,
        special: Sequence[str] = (PADDING, UNKNOWN), lower: bool = False,
    ) -> Tokenizer:  # fmt: skip
        """Learn tokens from texts.

        Parameters
        ----------
        texts : iterable of str
        kind : {"bpe", "wordpiece"}
            Byte-pair encoding of UTF-8 (every text can be encoded and comes back as it was), or WordPiece.
        size : int
            How many tokens there are at most.
        least : int
            How often a pair must occur to become a token.
        special : sequence of str
            The first tokens.
        lower : bool
            Whether texts are made lower case before.

        Raises
        ------
        NotSupportedError
            When the library is not installed.

        Source
        ------
        R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016; M. Schuster,
        K. Nakajima, "Japanese and Korean Voice Search", 2012.
        """
        with needs("tokenizers", "Tokenizer", "text"):
            from tokenizers import Tokenizer as Inner
            from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers
        limits = {"vocab_size": size, "min_frequency": least, "special_tokens": list(special), "show_progress": False}
        if kind == "bpe":
            inner = Inner(models.BPE())
            inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            inner.decoder = decoders.ByteLevel()
            trainer: Any = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **limits)
        elif kind == "wordpiece":
            if UNKNOWN not in special:
                raise ArgumentError(f"Tokenizer.train: WordPiece needs {UNKNOWN!r} among the special tokens")
            inner = Inner(models.WordPiece(unk_token=UNKNOWN))
            inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            inner.decoder = decoders.WordPiece()
            trainer = trainers.WordPieceTrainer(**limits)
        else:
            raise ArgumentError(f"Tokenizer.train: kind must be 'bpe' or 'wordpiece', received {kind!r}")
        if lower:
            inner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        inner.train_from_iterator(texts, trainer)
        return cls(inner)

    def __len__(self) -> int:
        return self._inner.get_vocab_size()

    def __repr__(self) -> str:
        return f"Tokenizer({len(self)} tokens)"

    def number(self, token: str) -> int:
        """Return the number of a token, such as ``<pad>``."""
        found = self._inner.token_to_id(token)
        if found is None:
            raise ArgumentError(f"Tokenizer.number: there is no token {token!r}")
        return found

    def encode(self, text: str) -> numpy.ndarray:
        """Return the numbers of a text's tokens, as int64."""
        return numpy.array(self._inner.encode(text).ids, dtype=numpy.int64)

    def encode_batch(self, texts: Sequence[str], multiple: int = 1) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return the numbers of several texts, filled up with ``<pad>``, and how many tokens each has.

        Shape
        -----
        N texts -> (N, T), (N,)
        """
        found = [numpy.array(each.ids, dtype=numpy.int64) for each in self._inner.encode_batch(list(texts))]
        return pad_tokens(found, self.number(PADDING), multiple)

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of some tokens, without the special ones."""
        return self._inner.decode([int(number) for number in numbers], skip_special_tokens=True)

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text, as the library writes them."""
        return self._inner.encode(text).tokens

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer as JSON, in the library's format."""
        with open_atomic(path) as file:
            file.write(self._inner.to_str().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read a tokenizer in the library's format: one that `save` wrote, or another ``tokenizer.json``."""
        with needs("tokenizers", "Tokenizer", "text"):
            from tokenizers import Tokenizer as Inner
        name = os.fspath(path)
        if not os.path.isfile(name):
            raise MissingDataError(f"Tokenizer.load: there is no file {name!r}")
        try:
            return cls(Inner.from_file(name))
        except Exception as error:  # the library raises nothing more exact
            raise DataError(f"Tokenizer.load: {name!r} is no tokenizer: {error}") from error


def pad_tokens(
    sequences: Sequence[numpy.ndarray], value: int = 0, multiple: int = 1
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Fill sequences of different lengths up to a batch, and return their lengths beside it.

    Examples
    --------
    >>> batch, lengths = pad_tokens([numpy.array([5, 6]), numpy.array([7])])
    >>> batch.tolist(), lengths.tolist()
    ([[5, 6], [7, 0]], [2, 1])
    """
    return pad(list(sequences), value, multiple)
