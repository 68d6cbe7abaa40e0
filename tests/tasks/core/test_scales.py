"""Numbers far from zero, and numbers that hardly differ: every estimator learns from them what it learns from others.

Each is compared with itself on the same data brought near to zero: what it reads is then the same but for rounding in
float64, so its answers are.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.data import Ragged
from loopcell.tasks import (
    AnomalyDetector,
    Captioner,
    Forecaster,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

SHORT = QUICK | {"hidden_size": 6, "epochs": 4, "calibrate": False}
PLAIN = {name: value for name, value in SHORT.items() if name != "calibrate"}
# Offsets and deviations; of the last, float64 itself has 13 bits left.
FAR = [(1e7, 1.0), (1e9, 1.0), (-3e12, 100.0), (0.0, 1e-12), (0.0, 1e-60), (0.0, 1e60), (1.0, 1e-12), (1.7e18, 1e9)]


def steps(count=40, seed=0):
    drawn = np.random.default_rng(seed)
    return [np.round(drawn.normal(size=(drawn.integers(2, 7), 2)), 6) for _ in range(count)]


def moved(X, offset, size):
    return [offset + size * x for x in X]


def close(offset, size):
    """What rounding of the given numbers alone may change, on the scale of deviations."""
    return {"rtol": 0, "atol": 2e-5 + 50 * np.finfo(float).eps * abs(offset) / size}


@pytest.mark.parametrize(("offset", "size"), FAR)
def test_inputs_of_any_scale(offset, size):
    X = steps()
    y = [int(x[:, 0].sum() > 0) for x in X]
    near = SequenceClassifier(**SHORT).fit(X, y).predict_proba(X)
    far = SequenceClassifier(**SHORT).fit(moved(X, offset, size), y).predict_proba(moved(X, offset, size))
    np.testing.assert_allclose(far, near, **close(offset, size))


@pytest.mark.parametrize(("offset", "size"), FAR)
@pytest.mark.parametrize("columns", [None, 2])
def test_targets_of_any_scale(offset, size, columns):
    X = steps()
    y = np.array([x.sum(0) if columns else x[:, 0].sum() for x in X])
    near = SequenceRegressor(**PLAIN).fit(X, y)
    far = SequenceRegressor(**PLAIN).fit(X, offset + size * y)
    np.testing.assert_allclose((far.predict(X) - offset) / size, near.predict(X), **close(offset, size))
    assert far.score(X, offset + size * y) == pytest.approx(near.score(X, y), abs=close(offset, size)["atol"])


def test_a_regressor_of_large_targets_is_as_good_as_any(tmp_path):
    X = steps(150)
    y = np.array([x[:, 0].mean() for x in X])
    model = SequenceRegressor(**PLAIN | {"epochs": 12, "hidden_size": 16}).fit(X, 1e9 + y)
    assert model.score(X, 1e9 + y) > 0.8
    model.save(tmp_path / "m.safetensors")
    again = SequenceRegressor.load(tmp_path / "m.safetensors")
    assert again.predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed"])
def test_a_scale_is_not_rounded_with_the_weights(precision):
    X = steps()
    y = np.array([x[:, 0].mean() for x in X])
    model = SequenceRegressor(**PLAIN | {"precision": precision}).fit(moved(X, 1000.3, 1.0), 5000.3 + y)
    assert model.predict(moved(X, 1000.3, 1.0)).mean() == pytest.approx(5000.3, abs=0.3)


@pytest.mark.parametrize(("offset", "size"), FAR[:3])
def test_labels_of_steps_whole_and_in_pieces(offset, size):
    X = steps()
    y = [(x[:, 0] > 0).tolist() for x in X]
    far = moved(X, offset, size)
    near, model = SequenceTagger(**SHORT).fit(X, y), SequenceTagger(**SHORT).fit(far, y)
    for one, other in zip(model.predict_proba(far), near.predict_proba(X), strict=True):
        np.testing.assert_allclose(one, other, **close(offset, size))
    first, state = model.predict_next(far[0][:1])
    rest, _ = model.predict_next(far[0][1:], state)
    assert [*first, *rest] == model.predict(far[:1])[0].tolist()


@pytest.mark.parametrize("kind", [Seq2Seq, Captioner])
def test_what_writes_reads_numbers_of_any_scale(kind):
    X, y = steps(), ["ab" if x[0, 0] > 0 else "ba" for x in steps()]
    X = [x[0] for x in X] if kind is Captioner else X

    def said(X):
        model = kind(**PLAIN | {"epochs": 2}).fit(X, y)
        return [found[0].log_probability for found in model.candidates(X[:10])]

    np.testing.assert_allclose(said(moved(X, 1e9, 1.0)), said(X), atol=1e-4)


@pytest.mark.parametrize(("offset", "size"), FAR)
def test_series_of_any_scale(offset, size):
    values = np.round(np.sin(np.arange(80) / 4) + 0.1 * np.random.default_rng(0).normal(size=80), 6)
    settings = {"cell": "gru", "hidden_size": 4, "history": 5, "horizon": 2, "epochs": 2, "random_state": 1}

    def told(offset, size):
        model = Forecaster(**settings).fit(offset + size * values)
        return (model.predict(offset + size * values)[0].mean - offset) / size

    np.testing.assert_allclose(told(offset, size), told(0.0, 1.0), **close(offset, size))


def test_anomalies_at_any_scale():
    values = np.round(np.sin(np.arange(120) / 4), 6)
    settings = {"cell": "gru", "hidden_size": 4, "history": 5, "epochs": 2, "validation_fraction": 0.3}
    settings["random_state"] = 1
    near, far = (AnomalyDetector(**settings).fit(at + values).score_samples(at + values)[0][5:] for at in (0.0, 1e9))
    np.testing.assert_allclose(far, near, rtol=1e-3)


def test_numbers_on_disk_are_scaled_as_those_in_memory(tmp_path):
    X, y = steps(), [int(x[:, 0].sum() > 0) for x in steps()]
    stored = Ragged.write(tmp_path, moved(X, 1e9, 1.0))
    near, far = (SequenceClassifier(**SHORT).fit(given, y).predict_proba(given) for given in (X, stored))
    np.testing.assert_allclose(far, near, atol=1e-4)


@pytest.mark.parametrize(
    "dtype", [np.float64, np.float16, np.int64, np.uint64, np.int8, np.bool_, object, torch.float64, torch.bfloat16]
)
def test_every_dtype_of_numbers(dtype):
    X = [np.round(3 * np.abs(x)) for x in steps()]
    X = [x > 2 for x in X] if dtype is np.bool_ else X
    y = [float(x[:, 0].sum()) for x in X]
    given = [torch.tensor(x).to(dtype) if isinstance(dtype, torch.dtype) else x.astype(dtype) for x in X]
    one, other = (SequenceRegressor(**PLAIN | {"epochs": 1}).fit(some, y).predict(some) for some in (X, given))
    np.testing.assert_array_equal(one, other)


def test_a_number_beyond_the_reach_of_float32_is_refused_and_not_made_infinite():
    X, y = moved(steps(), 0.0, 1e-12), [x[0, 0] for x in steps()]
    model = SequenceRegressor(**PLAIN | {"epochs": 1}).fit(X, y)
    with pytest.raises(
        ValueError, match=r"X\[1\] has 1e\+30 at step 2, too far from the training data \(mean .*\) to be"
    ):
        model.predict([X[0], [[0.0, 0.0], [0.0, 1e30]]])


def test_a_column_that_never_changes_stays_quiet():
    X = [np.column_stack([x[:, 0], np.full(len(x), 0.1 + 0.2)]) for x in steps()]
    model = SequenceRegressor(**PLAIN | {"epochs": 1}).fit(X, [x[0, 0] for x in X])
    assert model.input_.scale.size[1] == 1.0
    assert np.abs(model.input_.sequences(X).values[:, 1]).max() < 1e-12
