"""Steps with missing values as a network reads them: the form of a step, pieces and the whole, what a file keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from loopcell import cell, tanh
from loopcell.data import SequenceData
from loopcell.data.examples import time_since_value
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.estimator import as_part
from loopcell.tasks.core.inputs import ArrayInput, learn_input
from loopcell.tasks.core.settings import TaggerSettings

NAN = np.nan


def with_holes(count=20, columns=3, seed=0):
    drawn = np.random.default_rng(seed)
    X = [drawn.normal((5, 50, 500), (1, 10, 100), (drawn.integers(3, 12), columns)) for _ in range(count)]
    for x in X:
        x[:, :2][drawn.random((len(x), 2)) < 0.3] = NAN  # the third column is whole
    times = [np.cumsum(drawn.exponential(4.0, len(x))) for x in X]
    return X, times


def learned(X, **settings):
    part = as_part(X, "X")
    found = learn_input(part, TaggerSettings(**settings))
    return found, found.training_sequences(part)


def test_a_step_has_its_numbers_and_what_tells_of_gaps():
    X, times = with_holes()
    reads, sequences = learned(SequenceData(X, times=times))
    every, unit = np.concatenate(X), np.mean(np.concatenate([np.diff(one) for one in times]))
    mean, size = np.nanmean(every, 0), np.nanstd(every, 0)
    assert reads.gaps.masked == (0, 1)
    assert reads.gaps.unit == pytest.approx(unit)
    for x, time, found in zip(X, times, sequences, strict=True):
        there = ~np.isnan(x)
        np.testing.assert_allclose(found[:, :3], np.where(there, (x - mean) / size, 0.0), atol=1e-5)
        np.testing.assert_array_equal(found[:, 3:5], there[:, :2])
        for column in range(2):  # the paper's equation, step by step
            since = 0.0
            for t in range(len(x)):
                if t:
                    passed = time[t] - time[t - 1]
                    since = passed if there[t - 1, column] else since + passed
                assert found[t, 5 + column] == pytest.approx(np.log1p(since / unit), abs=1e-5)
        np.testing.assert_allclose(found[:, 7], np.log1p(np.diff(time, prepend=time[0]) / unit), atol=1e-5)


def test_without_gaps_and_times_a_step_is_its_numbers():
    X = [np.arange(6.0).reshape(3, 2), np.ones((2, 2))]
    reads, sequences = learned(X)
    assert sequences[0].shape == (3, 2)
    assert reads.to_json() == {"kind": "array", "input_size": 2, "axes": 2}
    assert reads.notes == ()


def test_times_that_count_are_no_times():
    X, _ = with_holes()
    _, counted = learned(X)
    _, timed = learned(SequenceData(X, times=[np.arange(len(x)) for x in X]))
    for one, other in zip(counted, timed, strict=True):
        np.testing.assert_allclose(one, other[:, :-1], atol=1e-6)


@pytest.mark.parametrize("fill", ["ffill", "interpolate"])
def test_fills_are_those_of_pandas(fill):
    X, _ = with_holes()
    reads, sequences = learned(X, fill=fill, mask_inputs=False)
    assert reads.gaps.size == 3
    scaled = [(x - reads.scale.mean) / reads.scale.size for x in X]
    for x, found in zip(scaled, sequences, strict=True):
        table = pd.DataFrame(x)
        filled = table.ffill() if fill == "ffill" else table.interpolate(limit_direction="both")
        np.testing.assert_allclose(found, filled.fillna(0.0).to_numpy(), atol=1e-5)
    assert f"(fill='{fill}')" in reads.notes[0]


@pytest.mark.parametrize("mask_inputs", [True, False, None])
def test_the_network_is_told_of_gaps_where_it_is_asked_to(mask_inputs):
    reads, _ = learned(with_holes()[0], mask_inputs=mask_inputs)
    assert reads.gaps.masked == {True: (0, 1, 2), False: (), None: (0, 1)}[mask_inputs]


@pytest.mark.parametrize("fill", ["mask", "ffill"])
@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pieces_are_the_whole(fill, timed, size):
    X, times = with_holes()
    reads, sequences = learned(SequenceData(X, times=times) if timed else X, fill=fill)
    for x, time, whole in zip(X, times, sequences, strict=True):
        pieces, carried = [], None
        for at in range(0, len(x), size):
            now = time[at : at + size] if timed else None
            piece, carried = reads.piece(x[at : at + size], "steps", now, carried)
            pieces.append(piece)
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_a_stream_cannot_look_ahead_nor_go_back():
    X, times = with_holes()
    reads, _ = learned(X, fill="interpolate")
    with pytest.raises(UsageError, match="fill='interpolate' looks ahead to the next value, which has not come"):
        reads.piece([[1.0, NAN, 2.0]], "steps")
    reads, _ = learned(SequenceData(X, times=times))
    _, carried = reads.piece([[1.0, 2.0, 3.0]], "steps", [7.0])
    with pytest.raises(DataError, match="steps go back in time: the step before was at 7, and this at 6"):
        reads.piece([[1.0, 2.0, 3.0]], "steps", [6.0], carried)


def test_what_is_missing_is_said_once_with_counts():
    X, _ = with_holes()
    reads, _ = learned([*X, np.full((4, 3), NAN)])
    missing, count = sum(np.isnan(x[:, :2]).sum() for x in X) + 8, 2 * (sum(map(len, X)) + 4)
    counted = f"{missing + 4} of {count // 2 * 3:,} values of x0, x1, x2 are missing"
    assert reads.notes[0].startswith(f"{counted}: the network reads the mean there, and a mask")
    reads, _ = learned([x * [1, NAN, 1] for x in X])
    assert reads.notes[1] == "x1 has no value at all in training: the network reads 0 there"
    reads.sequences([[[1.0, 2.0, NAN]]])
    assert reads.notes[0].startswith("1 of 1 values of x2 is missing, and the network, which is told of gaps in other")
    with pytest.raises(DataError, match="there is no value in X, every one is missing"):
        learned([x * NAN for x in X])


def test_rows_that_are_sequences():
    X = np.arange(24.0).reshape(2, 12)
    reads, sequences = learned(X, steps=4)
    assert reads.input_size == 3
    np.testing.assert_allclose(reads.scale.undo(sequences[1]), X[1].reshape(4, 3), atol=1e-5)
    again = ArrayInput.from_json(reads.to_json())
    assert again.steps == 4
    with pytest.raises(DataError, match=r"X\[0\] has 12 numbers, which are not 5 steps of equally many"):
        learned(X, steps=5)
    with pytest.raises(DataError, match=r"X\[0\] has the shape \[4, 3\], and steps=4 is for rows \[T \* I\]"):
        learned(X.reshape(2, 4, 3), steps=4)


def test_a_file_keeps_the_form_of_a_step():
    X, times = with_holes()
    reads, sequences = learned(SequenceData(X, times=times), fill="ffill")
    again = ArrayInput.from_json(reads.to_json())
    again.scale = reads.scale
    assert again.gaps == reads.gaps
    for one, other in zip(again.sequences(SequenceData(X, times=times)), sequences, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "change",
    [
        {"masked": [3]},
        {"masked": [0, 0]},
        {"masked": "01"},
        {"unit": -1.0},
        {"unit": 3},
        {"unit": NAN},
        {"fill": "x"},
        {"steps": 0},
    ],
)
def test_a_form_that_is_none_is_refused(change):
    with pytest.raises(ValueError, match="its "):
        ArrayInput.from_json({"kind": "array", "input_size": 3, **change})


# --- cells that read mask and dt in their equations -------------------------------------------------------------------


@pytest.mark.parametrize("timed", [False, True])
def test_a_cell_gets_the_mask_and_the_time_since_that_it_reads(timed):
    X, times = with_holes()
    reads, sequences = learned(SequenceData(X, times=times) if timed else X, cell="gru_d")
    assert (reads.gaps.masked, reads.gaps.width, reads.gaps.size) == ((), 3, 9)
    layer = reads.first_layer(TaggerSettings())
    unit = np.mean(np.concatenate([np.diff(one) for one in times])) if timed else 1.0
    for x, time, found in zip(X, times, sequences, strict=True):
        inputs = torch.from_numpy(found)[:, None]
        beside = layer.beside(inputs)
        np.testing.assert_array_equal(layer(inputs)[:, 0], found[:, :3])
        np.testing.assert_array_equal(beside["mask"][:, 0], ~np.isnan(x))
        since = time_since_value(~np.isnan(x), time if timed else np.arange(len(x)) * 1.0) / unit
        np.testing.assert_allclose(beside["dt"][:, 0], since, atol=1e-5)


def test_a_cell_of_one_time_a_step_gets_that_of_the_step_and_the_mask_stays_behind_the_numbers():
    X, times = with_holes()
    reads, sequences = learned(SequenceData(X, times=times), cell="gru_decay")
    assert (reads.gaps.masked, reads.gaps.width, reads.gaps.size) == ((0, 1), 7, 8)
    for time, found in zip(times, sequences, strict=True):
        np.testing.assert_allclose(found[:, 7], np.diff(time, prepend=time[0]) / reads.gaps.unit, atol=1e-5)
    assert ArrayInput.from_json(reads.to_json()).gaps == reads.gaps


def test_what_tells_of_gaps_is_there_itself_for_a_cell_that_is_told_twice():
    reads, sequences = learned(with_holes()[0], cell="gru_d", mask_inputs=True)
    assert reads.gaps.width == 9
    masks = np.concatenate(list(sequences))[:, 9:18]
    assert (masks[:, 3:] == 1).all()


def test_a_cell_that_reads_something_else_is_refused():
    @cell
    def warm(x, heat, /, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h * heat)

    with pytest.raises(UsageError, match="cell `warm` reads 'heat', which no data have"):
        learned(with_holes()[0], cell=warm)
    with pytest.raises(UsageError, match=r"cell `gru_d` reads mask and dt beside x, which sequences of numbers \[T, "):
        learned(["ab", "c"], cell="gru_d")
