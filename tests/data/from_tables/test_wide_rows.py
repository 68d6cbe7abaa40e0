"""Several columns that make the sequence of a row."""

from __future__ import annotations

import json
from time import process_time

import numpy as np
import pytest

from loopcell import SequenceClassifier
from loopcell.data import Origin
from loopcell.data.from_tables import wide_row
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.from_files.config import Columns, FileExamples
from loopcell.tasks.core.from_files.examples import (
    as_trained,
    blocks,
    load_examples,
    load_inputs,
    open_examples,
    open_records,
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "wide.csv"
    rows = [f"{row},{row + 0.5},{-row},{'pq'[row % 2]}" for row in range(20)]
    path.write_text("\n".join(["first,second,third,label", *rows]) + "\n", encoding="utf-8")
    return path


def test_columns_of_numbers_are_the_steps_of_a_sequence(table):
    loaded = load_examples(FileExamples(files=(table,), input="first, second,third", target="label"))
    assert loaded.X[3].tolist() == [3, 3.5, -3]
    assert [sequence.tolist() for sequence in loaded.X[1:3]] == [[1, 1.5, -1], [2, 2.5, -2]]
    assert str(loaded.X.origins[3]) == f"{table} row 4 (line 5)"
    model = SequenceClassifier(cell="gru", hidden_size=4, epochs=1).fit(loaded.X, loaded.y)
    assert model.input_.input_size == 1


def test_the_same_from_disk_and_in_blocks(table, monkeypatch):
    spec = FileExamples(files=(table,), input="third,first", target="label")
    expected = [[-row, row] for row in range(20)]
    parts = list(blocks(open_records(spec), spec, 7))
    assert [sequence.tolist() for part in parts for sequence in part] == expected
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "10")
    assert [sequence.tolist() for sequence in load_inputs(spec)] == expected


def test_columns_of_lists_are_the_numbers_of_a_step(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"x": [1, 2, 3], "y": [4, 5, 6], "label": "a"}) + "\n", encoding="utf-8")
    loaded = load_examples(FileExamples(files=(path,), input="x,y", target="label"))
    assert loaded.X[0].tolist() == [[1, 4], [2, 5], [3, 6]]


def test_a_name_with_a_comma_in_it_is_one_column(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text('"a,b",a,b,label\nx y,1,2,p\n', encoding="utf-8")
    loaded = load_examples(FileExamples(files=(path,), input="a,b", target="label"))
    assert list(loaded.X) == ["x y"]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (["1", "high"], "t.csv row 3: column 'b' has 'high', and several columns make a sequence of numbers"),
        ([1, [1, 2]], r"have a number each, or lists of one length, got a one number, b an array \[2\]"),
        ([[1], [1, 2]], r"have a number each, or lists of one length, got a an array \[1\], b an array \[2\]"),
        ([np.ones((2, 2)), np.ones((2, 2))], r"lists of one length, got a an array \[2, 2\]"),
    ],
)
def test_what_makes_no_sequence_is_named(cells, sentence):
    with pytest.raises(DataError, match=sentence):
        wide_row(cells, ("a", "b"), Origin("t.csv", 3, 0))


def test_large_numbers_keep_their_digits():
    assert wide_row(["16777217", "0.1"], ("a", "b"), Origin("t.csv", 1)).tolist() == [16777217.0, 0.1]


def test_twenty_thousand_columns_are_found_at_once(tmp_path):
    """As gene expression has them, each named; time with the square of their number was a minute and more."""
    names = [f"g{number}" for number in range(20_000)]
    path = tmp_path / "genes.csv"
    path.write_text(",".join([*names, "label"]) + "\n" + "1," * 20_000 + "a\n", encoding="utf-8")
    before = process_time()
    open_examples(FileExamples(files=(path,), input=",".join(names), target="label"))
    assert process_time() - before < 3


def test_columns_of_the_same_names_are_read_in_the_order_of_training(table):
    training = Columns(input="first,second,third", target="label")
    for said in (None, "third,first,second"):
        spec = as_trained(FileExamples(files=(table,), input=said), training)
        assert load_inputs(spec)[3].tolist() == [3, 3.5, -3]
    other = as_trained(FileExamples(files=(table,), input="third,first"), training)  # columns that were given new names
    assert load_inputs(other)[3].tolist() == [-3, 3]


def test_a_table_that_lacks_some_columns_of_training_is_refused(table):
    training = Columns(input="first,second,fourth,fifth", target="label")
    with pytest.raises(DataError, match=r"wide\.csv has no column fourth, fifth, which the model reads beside others"):
        as_trained(FileExamples(files=(table,)), training)
    assert as_trained(FileExamples(files=(table,)), Columns(input="x,y")).input is None


def test_a_column_that_is_named_twice_is_refused(table):
    with pytest.raises(UsageError, match="the column 'first' is named twice"):
        load_examples(FileExamples(files=(table,), input="first,second,first", target="label"))


@pytest.mark.parametrize("cell", ["9007199254740993", 9007199254740993, 2**70 + 1])
def test_a_whole_number_that_would_be_rounded_is_refused(cell):
    with pytest.raises(DataError, match=r"t\.csv row 3: column 'b' has the whole number \d+, which a 64-bit"):
        wide_row(["1", cell], ("a", "b"), Origin("t.csv", 3, 0))
