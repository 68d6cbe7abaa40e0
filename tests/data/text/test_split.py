"""Holding out the end: nothing lost, nothing twice, no character cut in two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from loopcell.data import CharVocabulary, JamoVocabulary
from loopcell.data.text import Source, split_held_out, split_sources, text_blocks
from loopcell.errors import DataError, UsageError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
FRACTIONS = st.floats(0.01, 0.99)


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6), fraction=FRACTIONS)
def test_tokens_are_cut_once_and_documents_keep_their_starts(lengths, fraction):
    total = sum(lengths)
    cut = int(total * (1 - fraction))
    assume(0 < cut < total)
    starts = np.cumsum([0, *lengths])[:-1]
    tokens = np.arange(total)
    training, held_out = split_held_out(tokens, starts, fraction)
    assert training.tokens.tolist() == list(range(cut))
    assert held_out.tokens.tolist() == list(range(cut, total))
    assert set(training.document_starts) == {start for start in starts if start < cut}
    assert set(held_out.document_starts) == {0} | {start - cut for start in starts if start > cut}
    assert training.tokens.base is tokens
    assert held_out.tokens.base is tokens


def test_a_document_that_starts_at_the_cut_starts_once():
    training, held_out = split_held_out(np.arange(8), np.array([0, 4, 4, 6]), 0.5)
    assert training.document_starts.tolist() == [0]
    assert held_out.document_starts.tolist() == [0, 2]


def test_the_cut_is_where_the_field_has_it():
    training, held_out = split_held_out(np.zeros(1_115_394, np.uint8), np.array([0]), 0.1)
    assert (len(training.tokens), len(held_out.tokens)) == (1_003_854, 111_540)


@TMP
@given(texts=st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=4), fraction=FRACTIONS)
def test_texts_are_cut_between_characters(tmp_path, texts, fraction):
    texts = ["|" + text for text in texts]  # no byte order mark at a start
    sources = []
    for number, text in enumerate(texts):
        (tmp_path / str(number)).write_bytes(text.encode())
        sources.append(Source(tmp_path / str(number)))
    whole = "".join(texts)
    try:
        training, held_out = split_sources(sources, fraction)
    except DataError:
        assert len(whole) < 3 or len(whole.encode()) * min(fraction, 1 - fraction) <= 4
        return
    before, after = ("".join("".join(text_blocks(s)) for s in side) for side in (training, held_out))
    assert before + after == whole
    cut = int(len(whole.encode()) * (1 - fraction))
    assert 0 <= len(before.encode()) - cut <= 3
    assert len(training) + len(held_out) in (len(texts), len(texts) + 1)


def test_every_vocabulary_holds_out_the_same_text(tmp_path):
    path = tmp_path / "a"
    path.write_text("한국어 " * 50)
    training, held_out = split_sources([Source(path)], 0.1)
    decoded = set()
    for kind in (CharVocabulary, JamoVocabulary):
        vocabulary = kind.build_from_sources(training)
        decoded.add("".join(vocabulary.decode(ids) for s in held_out for ids in vocabulary.encode_source(s)))
    assert len(decoded) == 1
    assert len(decoded.pop()) == 20


def test_a_stretch_is_cut_within_itself(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    training, held_out = split_sources([Source(path, 2, 8)], 0.5)
    assert (training, held_out) == ([Source(path, 2, 5)], [Source(path, 5, 8)])


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_is_between_0_and_1(tmp_path, fraction):
    (tmp_path / "a").write_text("abc")
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_held_out(np.arange(9), np.array([0]), fraction)
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_sources([Source(tmp_path / "a")], fraction)


def test_too_little_to_split(tmp_path):
    (tmp_path / "a").write_text("한")
    with pytest.raises(DataError, match="1 tokens are too few"):
        split_held_out(np.arange(1), np.array([0]), 0.5)
    with pytest.raises(DataError, match="too short to hold some of it out"):
        split_sources([Source(tmp_path / "a")], 0.5)
    with pytest.raises(DataError, match="0 bytes are too few"):
        split_sources([], 0.5)
