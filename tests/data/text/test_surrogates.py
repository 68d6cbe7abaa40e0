"""Halves of characters are refused before anything is learned, with where they are."""

from __future__ import annotations

import json

import pytest

from loopcell import Chat, Seq2Seq, SequenceClassifier, SequenceTagger, WordVectors
from loopcell.data import read
from loopcell.data.readers.choosing import Choice
from loopcell.data.readers.files import open_files
from loopcell.data.readers.reading import Reading
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import load_inputs

HALF = "ab\ud83d"
SMALL = {"cell": "gru", "hidden_size": 4, "epochs": 1, "random_state": 1}


def test_whole_texts_pass():
    for text in ("", "plain", "글", "\U0001f600", "\ufffd", "\x00"):
        demand_text(text, "it")


@pytest.mark.parametrize("tokens", ["char", "byte", "jamo", "bpe", "word"])
def test_every_kind_of_tokens(tokens):
    model = SequenceClassifier(**SMALL, tokens=tokens)
    with pytest.raises(DataError, match=r"^X\[2\] has a lone surrogate \(U\+D83D, character 3\): half of a character"):
        model.fit(["aa", "bb", HALF] * 5, ["x", "y", "x"] * 5)


@pytest.mark.parametrize(
    ("fit", "sentence"),
    [
        (lambda: SequenceClassifier(**SMALL).fit([["a"], ["b", HALF]] * 5, ["x", "y"] * 5), r"X\[1\]: token 1 has"),
        (lambda: SequenceClassifier(**SMALL).fit(["a", "b"] * 5, ["x", HALF] * 5), r"y\[1\]: the label has"),
        (lambda: SequenceClassifier(**SMALL).fit(["a", "b"] * 5, [["x"], ["x", HALF]] * 5), "the label has"),
        (lambda: SequenceTagger(**SMALL).fit(["a", "b"] * 5, [["x"], [HALF]] * 5), r"y\[1\]: the label has"),
        (lambda: Seq2Seq(**SMALL).fit(["a", "b"] * 5, ["x", HALF] * 5), r"y\[1\] has"),
        (lambda: Chat(**SMALL).fit([["a", HALF], ["b"]] * 5, ["x", "y"] * 5), r"X\[0\] has"),
        (lambda: WordVectors(min_count=1).fit(["a b c", HALF]), r"X\[1\] has"),
        (lambda: WordVectors(min_count=1).fit([["a"], ["a", HALF]]), r"X\[1\]: word 1 has"),
    ],
)
def test_everything_that_is_learned_from(fit, sentence):
    with pytest.raises(DataError, match=sentence + r" a lone surrogate \(U\+D83D, character 3\)"):
        fit()


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"text": HALF, "y": 1}, "column 'text'"),
        ({"text": "a", "y": ["b", HALF]}, "column 'y', item 1"),
        ({"text": "a", "y": {"z": HALF}}, "column 'y'"),
        ({"text": "a", "\udc00": 1}, "the name of a column"),
    ],
)
def test_json_lines_name_row_and_column(row, place, tmp_path):
    path = tmp_path / "a.jsonl"
    whole = {"text": "\U0001f600 \\ud83d", "y": 1}
    path.write_text("\n".join(map(json.dumps, [whole, row, whole])) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"a\.jsonl row 2: {place} has a lone surrogate \(U\+D"):
        load_inputs(FileExamples(files=(path,), input="text"))
    rows = open_files(path, Choice(), Reading(skip_bad_rows=True, to_learn=True))
    assert [record.get("text") for record in rows] == [whole["text"]] * 2
    assert "rows with lone surrogates: 1" in str(rows.skipped)
    assert len(list(read(path))) == 3  # who only reads may have them
