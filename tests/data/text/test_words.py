"""Words as tokens: every text comes back, from memory and from files, and unknown words are named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.data import WordVocabulary
from loopcell.data.text import Source, text_blocks, vocabulary_from_json
from loopcell.errors import DataError, FileFormatError, InputError, UsageError

TEXT = st.text(st.sampled_from("ab가  \n\t\u3000.") | st.characters(exclude_categories=["Cs"]), max_size=30)


@given(text=TEXT)
def test_every_text_comes_back(text):
    vocabulary = WordVocabulary.build([text, "x"])
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int64
    assert vocabulary.decode(ids) == text
    assert "".join(vocabulary.decode_stream(ids.tolist())) == text


@given(texts=st.lists(TEXT, min_size=2, max_size=2, unique=True))
def test_two_texts_never_have_the_same_ids(texts):
    vocabulary = WordVocabulary.build([*texts, "x"])
    assert vocabulary.encode(texts[0]).tolist() != vocabulary.encode(texts[1]).tolist()


@given(data=st.data())
def test_streamed_pieces_are_the_whole_for_ids_that_no_text_has(data):
    vocabulary = WordVocabulary.build(["a b  c\nd"])
    ids = data.draw(st.lists(st.integers(0, len(vocabulary) - 1), max_size=20))
    assert "".join(vocabulary.decode_stream(ids)) == vocabulary.decode(ids)


def test_words_by_hand():
    vocabulary = WordVocabulary.build(["the cat sat on the mat .", "the end"])
    assert vocabulary.words == ["\ufffd", "the", ".", "cat", "end", "mat", "on", "sat"]
    assert vocabulary.encode("the mat sat").tolist() == [1, 5, 7]
    spaced = WordVocabulary.build(["a  b\nc"])  # two spaces are two tokens, a line's end is one
    assert [spaced.words[token] for token in spaced.encode("a b  a\nc")] == ["a", "b", " ", " ", "a", "\n", "c"]


def test_unknown_words_are_named_or_replaced():
    vocabulary = WordVocabulary.build(["a b"])
    with pytest.raises(DataError, match=r"^the vocabulary has no 'c', 'd', 'e' and 1 more; train on text"):
        vocabulary.encode("a c d e f c")
    assert vocabulary.encode("a c b", unknown="replace").tolist() == [1, 0, 2]
    assert vocabulary.decode([1, 0, 2]) == "a \ufffd b"


def test_a_size_keeps_the_most_frequent_words():
    assert WordVocabulary.build(["b b a c c"], 3).words[1:] == ["b", "c"]
    with pytest.raises(UsageError, match="at least 2 tokens"):
        WordVocabulary.build(["a"], 1)
    with pytest.raises(DataError, match="no text"):
        WordVocabulary.build(["", ""])


@pytest.mark.parametrize("block", [3, 5, 1000])
def test_a_file_gives_what_its_text_gives_wherever_its_blocks_end(tmp_path, monkeypatch, block):
    text = "the old  cat\n sat \n\non the mat\nno end"
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr("loopcell.data.text.word.text_blocks", lambda source: text_blocks(source, block))
    vocabulary = WordVocabulary.build_from_sources([Source(path)])
    assert vocabulary == WordVocabulary.build([text])
    ids = np.concatenate(list(vocabulary.encode_source(Source(path))))
    assert ids.tolist() == vocabulary.encode(text).tolist()
    with pytest.raises(DataError, match=r"a\.txt: the vocabulary has no 'the'"):
        list(WordVocabulary.build(["cat"]).encode_source(Source(path)))


@pytest.mark.parametrize("words", [None, "ab", [1], [""], ["a b"], ["a", "a"], ["\ud800"]])
def test_a_hostile_vocabulary_is_refused(words):
    with pytest.raises(FileFormatError, match="the stored vocabulary"):
        vocabulary_from_json(json.loads(json.dumps({"kind": "word", "words": words})))


def test_stored_and_read_again():
    vocabulary = WordVocabulary.build(["the cat\n가 나"])
    assert vocabulary_from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary
    with pytest.raises(InputError, match="distinct"):
        WordVocabulary(["a", "a"])
