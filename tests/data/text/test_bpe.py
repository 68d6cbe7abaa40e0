"""Learning merges takes time in proportion to the text, whatever its words are like."""

from __future__ import annotations

import random
import time

import pytest

from loopcell.data import BpeVocabulary
from loopcell.data.text.bpe import LONGEST_TOKEN, _pieces

LETTERS = 1 << 18
LONG_WORDS = ["a" * LETTERS, " " * LETTERS, "".join(random.Random(0).choices("ACGT", k=LETTERS))]


@pytest.mark.parametrize("text", LONG_WORDS, ids=["one letter", "blanks", "DNA"])
def test_one_long_word_takes_time_in_proportion_to_it(text):
    """The trainer goes over a word for each merge in it: in one piece, this took many minutes."""
    started = time.process_time()
    vocabulary = BpeVocabulary.build([text], 300)
    assert time.process_time() - started < 10
    assert vocabulary.decode(vocabulary.encode(text[:5000])) == text[:5000]


def test_cuts_in_long_words_lose_nothing():
    text = "a" * 700 + " b " + "c" * 256 + "\n" + " " * 300
    assert "".join(_pieces(text)) == text
    assert all(len(word) <= LONGEST_TOKEN for piece in _pieces(text) for word in piece.split())
    assert list(_pieces("short words stay in one piece")) == ["short words stay in one piece"]
