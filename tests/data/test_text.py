"""Vocabularies and tokenizers."""

import pickle

import numpy
import pytest

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.data import Stream, Tokenizer, Vocabulary, pad_tokens, split_words

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "lower lowest newer newest"] * 3


def test_words():
    words = Vocabulary.of(["b a", "a c", "a b"], least=2)
    assert words.entries == ("<pad>", "<unk>", "a", "b") and len(words) == 4 and "a" in words
    assert words.encode("A c b").tolist() == [2, 1, 3] and words.decode([2, 3]) == "a b"
    assert Vocabulary.of(["b a a"], size=3).entries == ("<pad>", "<unk>", "a")
    assert split_words("L'été: 3.5, x_y") == ["l'été", ":", "3", ".", "5", ",", "x_y"]
    with pytest.raises(ArgumentError, match="'z' is not in the vocabulary"):
        Vocabulary.of(["a"], special=()).encode("a z")


def test_characters(tmp_path):
    letters = Vocabulary.of(["hello"], kind="characters", special=())
    assert letters.entries == ("l", "e", "h", "o") and letters.decode(letters.encode("hello")) == "hello"
    letters.save(tmp_path / "v.json")
    again = Vocabulary.load(tmp_path / "v.json")
    assert (again.entries, again.kind, again.unknown) == (letters.entries, "characters", None)
    (tmp_path / "v.json").write_text('{"version": 1}')
    with pytest.raises(DataError, match=r"v\.json"):
        Vocabulary.load(tmp_path / "v.json")
    with pytest.raises(MissingDataError):
        Vocabulary.load(tmp_path / "w.json")
    for wrong in (lambda: Vocabulary(["a", "a"]), lambda: Vocabulary(["a"], unknown="b"), lambda: letters.decode([9])):
        with pytest.raises(ArgumentError):
            wrong()


def test_texts_as_padded_batches():
    words = Vocabulary.of(TEXTS)
    ((batch, lengths),) = Stream(["the cat", "the dog sat"]).map(words.encode).padded_batch(2, multiple=4)
    assert batch.shape == (2, 4) and lengths.tolist() == [2, 3] and batch[0, 2:].tolist() == [0, 0]


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_tokenizers(tmp_path, kind):
    pytest.importorskip("tokenizers")
    tokenizer = Tokenizer.train(TEXTS, kind, size=290 if kind == "bpe" else 60)
    assert tokenizer.number("<pad>") == 0 and len(tokenizer) <= 290
    numbers = tokenizer.encode("the cat sat")
    assert numbers.dtype == numpy.int64 and tokenizer.decode(numbers) == "the cat sat"
    assert len(numbers) < len("the cat sat")
    batch, lengths = tokenizer.encode_batch(["the", "the lowest dog"], multiple=8)
    assert batch.shape[1] % 8 == 0 and lengths[0] == 1 and not batch[0, 1:].any()
    tokenizer.save(tmp_path / "t.json")
    for again in (Tokenizer.load(tmp_path / "t.json"), pickle.loads(pickle.dumps(tokenizer))):
        assert (again.encode("the cat sat") == numbers).all()
    if kind == "bpe":
        assert tokenizer.decode(tokenizer.encode("Ünïcode ☃  x")) == "Ünïcode ☃  x"
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(DataError, match="no tokenizer"):
        Tokenizer.load(tmp_path / "t.json")
    with pytest.raises(ArgumentError):
        tokenizer.number("<none>")


def test_wrong_kinds():
    pytest.importorskip("tokenizers")
    with pytest.raises(ArgumentError, match="kind"):
        Tokenizer.train(TEXTS, "letters")
    with pytest.raises(ArgumentError, match="kind"):
        Vocabulary(["a"], "letters")


def test_padding_of_numbers():
    batch, lengths = pad_tokens([numpy.array([1, 2, 3]), numpy.array([4])], value=9)
    assert batch.tolist() == [[1, 2, 3], [4, 9, 9]] and lengths.tolist() == [3, 1]
