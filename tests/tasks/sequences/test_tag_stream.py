"""Streams of a tagger: the labels of steps as they come."""

from __future__ import annotations

import time
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

from loopcell import SequenceTagger
from loopcell.data import ImageRows
from loopcell.errors import DataError, FileFormatError, UsageError
from loopcell.tasks.core.from_files.config import Columns
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {"hidden_size": 6, "embedding_size": 4, "epochs": 1, "device": "cpu", "random_state": 1}


def walks(count=20, steps=30):
    """Arrays [T, 3], and whether the first number's sum so far is above zero."""
    drawn = np.random.default_rng(0)
    X = [drawn.normal(size=(steps, 3)) for _ in range(count)]
    return X, [["up" if total > 0 else "down" for total in x[:, 0].cumsum()] for x in X]


CELLS = ({"cell": "gru"}, {"cell": "lstm", "num_layers": 2}, {"cell": "rnn", "calibrate": False}, {"cell": "min_lstm"})


@pytest.mark.parametrize("settings", CELLS)
def test_step_by_step_is_what_it_is_at_once_and_a_stop_changes_no_bit(settings, tmp_path):
    model = SequenceTagger(**QUICK, **settings).fit(*walks())
    x = np.random.default_rng(1).normal(size=(80, 3))
    with model.stream() as stream:
        found = [stream.step(row) for row in x[:33]]
        stream.save(tmp_path / "state")
        found += [stream.step(row) for row in x[33:]]
    np.testing.assert_allclose([one.probabilities for one in found], model.predict_proba([x])[0], rtol=1e-5, atol=1e-6)
    assert [one.label for one in found] == model.predict([x])[0].tolist()
    model.save(tmp_path / "model")
    with SequenceTagger.load(tmp_path / "model").stream(tmp_path / "state") as again:
        for one, other in zip((again.step(row) for row in x[33:]), found[33:], strict=True):
            assert (one.probabilities == other.probabilities).all()
    assert stream.record(found[0]) == {
        "label": found[0].label,
        "probabilities": dict(zip(["down", "up"], found[0].probabilities.tolist(), strict=True)),
    }
    assert stream.fields == ("label", "p_down", "p_up")
    assert stream.flat(found[0]) == [found[0].label, *found[0].probabilities.tolist()]


def test_rows_of_tables_go_by_name():
    X, y = walks()
    model = SequenceTagger(**QUICK).fit([pd.DataFrame(x, columns=list("abc")) for x in X], y)
    row = namedtuple("row", "c b a more")(3.0, 2.0, 1.0, "x")
    forms = [row, row._asdict(), pd.Series(row._asdict()), {"a": "1", "b": "2.0", "c": 3}, [1.0, 2.0, 3.0]]
    shares = [model.stream().step(form).probabilities for form in forms]
    assert all((one == shares[0]).all() for one in shares)


def test_sequences_of_one_stream_go_on_by_themselves(tmp_path):
    X, y = walks()
    model = SequenceTagger(**QUICK).fit(X, y)
    model._columns = Columns(input="a,b,c", by="wearer")  # as the shell leaves it
    assert model.stream().columns == ("wearer", "a", "b", "c")
    with model.stream(tmp_path / "state") as stream:
        for at in range(10):
            found = [stream.step({"wearer": who, **dict(zip("abc", X[who][at], strict=True))}) for who in (0, 1)]
    for who in (0, 1):
        np.testing.assert_allclose(found[who].probabilities, model.predict_proba([X[who][:10]])[0][-1], rtol=1e-5)
    with model.stream(tmp_path / "state") as stream:
        one = stream.step({"wearer": "1", **dict(zip("abc", X[1][10], strict=True))})
    np.testing.assert_allclose(one.probabilities, model.predict_proba([X[1][:11]])[0][-1], rtol=1e-5)


def test_tokens_and_characters():
    texts = ["abba", "baba", "bb", "aab"] * 5
    y = [list(text.upper()) for text in texts]
    for X in (texts, [list(text) for text in texts]):
        model = SequenceTagger(**QUICK).fit(X, y)
        stream = model.stream()
        found = [stream.step(letter).label for letter in "abbaaz"]
        assert found == list(model.predict(["abbaaz" if X is texts else list("abbaaz")])[0])
    characters = SequenceTagger(**QUICK).fit(texts, y).stream()
    with pytest.raises(DataError, match="the stream row 1: a row is one step, and this is 2 of them"):
        characters.step("ab")
    with pytest.raises(DataError, match="a row is a token, not columns with names"):
        characters.step({"text": "a"})
    assert characters.rows == 0


def test_what_has_no_stream_is_refused():
    X, y = walks()
    for settings, sentence in (
        ({"crf": True}, "has a CRF: its answers depend on steps that have not come; fit one that does not"),
        ({"bidirectional": True}, "reads both ways: its answers depend on steps that have not come"),
    ):
        with pytest.raises(UsageError, match=sentence):
            SequenceTagger(**QUICK, **settings).fit(X, y).stream()
    with pytest.raises(UsageError, match="reads 2 tokens at once"):
        SequenceTagger(**QUICK, ngrams=2).fit(["ab", "ba"] * 5, [list("ab")] * 10).stream()
    pictures = [np.random.default_rng(0).random((4, 3)).astype(np.float32) for _ in range(4)]
    with pytest.raises(UsageError, match="of whole images, of which there are no rows: make the features"):
        SequenceTagger(**QUICK, features=ImageRows(4, 3)).fit(pictures, [["a", "b", "a", "b"]] * 4).stream()


def test_rows_that_cannot_be_read_and_states_that_are_none(tmp_path):
    model = SequenceTagger(**QUICK).fit(*walks())
    stream = model.stream()
    first = stream.step(np.zeros(3))
    for row, sentence in (
        (np.zeros(2), "the stream row 2: .* 2 numbers a step"),
        ("abc", "the stream row 2 has texts, not numbers"),
        ({"a": 1}, "the stream row 2: there is no column 'column_1'"),
        ({"column_1": "x", "column_2": 1, "column_3": 2}, "the stream row 2, column 'column_1': 'x' is not a number"),
    ):
        with pytest.raises(DataError, match=sentence):
            stream.step(row)
    assert stream.rows == 1
    state = stream.state
    for change in ({"facts": {"sequences": [1]}}, {"facts": {"sequences": ["a", "b"]}}, {"tensors": {}}):
        type(state)(**{**vars(state), **change}).save(tmp_path / "state")
        with pytest.raises(FileFormatError, match="does not describe a stream of this model"):
            model.stream(tmp_path / "state")
    again = model.stream()
    assert (again.step(np.zeros(3)).probabilities == first.probabilities).all()


def test_many_rows_take_little_time_each():
    model = SequenceTagger(**QUICK).fit(*walks())
    stream, rows = model.stream(), np.random.default_rng(0).normal(size=(200, 3))
    seconds = []
    for row in rows:
        began = time.perf_counter()
        stream.step(row)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.02  # milliseconds on a quiet machine; what is rebuilt at each row would take longer


def test_feed_is_step_by_step_and_takes_back_what_fails():
    model = SequenceTagger(**QUICK).fit(*walks())
    rows = np.random.default_rng(0).normal(size=(5, 3))
    one, other = model.stream(), model.stream()
    expected = [one.step(row).probabilities for row in rows]
    np.testing.assert_array_equal([answer.probabilities for answer in other.feed(rows)], expected)
    other.reset()
    assert other.rows == 0
    with pytest.raises(DataError):
        other.feed([rows[0], rows[1], "abc"])
    assert other.rows == 0
    fork = other.fork()
    np.testing.assert_array_equal(fork.step(rows[0]).probabilities, expected[0])
    assert (fork.rows, other.rows) == (1, 0)
    np.testing.assert_array_equal([answer.probabilities for answer in other.feed(rows)], expected)
