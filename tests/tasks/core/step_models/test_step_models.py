"""An estimator as one step: after each of them the very answer that the estimator gives of all so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from loopcell import (
    AnomalyDetector,
    Forecaster,
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from loopcell.data import ImageRows, LogMel, Mfcc, RawAudio
from loopcell.data.features.mel import Framer
from loopcell.errors import UsageError
from loopcell.export.step_model import StepModel, StepRun, step_model_of

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "random_state": 0, "progress": False}
LONGEST = 16


def sequences(*, holes: bool) -> list[npt.NDArray[np.float64]]:
    drawn = np.random.default_rng(0)
    found = [drawn.normal(3, 2, (drawn.integers(5, LONGEST), 3)) for _ in range(40)]
    for one in found if holes else []:
        one[drawn.random(one.shape) < 0.2] = np.nan
    return found


def run(model: StepModel, steps: Any) -> npt.NDArray[np.float64]:
    """Return the first output of each step."""
    runs = StepRun(step_model_of(model))
    name = model.inputs[0].name
    return np.array([next(iter(runs.step(**{name: step}).values())) for step in steps])


def prefixes(x: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    return [x[:count] for count in range(1, len(x) + 1)]


@pytest.mark.parametrize(
    "more", [{}, {"fill": "ffill"}, {"mask_inputs": False}, {"fill": "ffill", "mask_inputs": False}]
)
@pytest.mark.parametrize("cell", ["gru", "gru_d", "gru_decay", "lstm_time_aware"])
def test_a_tagger_with_missing_values(cell: str, more: dict[str, Any]) -> None:
    X = sequences(holes=True)
    y = [["a" if value > 3 else "b" for value in np.nan_to_num(one[:, 0])] for one in X]
    model = SequenceTagger(cell=cell, **QUICK, **more).fit(X, y)
    found = model.step_model()
    assert found.outputs[0].labels == ("a", "b")
    assert np.allclose(run(found, X[0]), model.predict_proba(X)[0], atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("named", [-999, -999.9, 0.1])
def test_values_that_stand_for_missing_ones_are_missing(named: float, dtype: Any) -> None:
    X = [np.where(np.isnan(one), named, one).astype(dtype) for one in sequences(holes=True)]
    y = [["a" if value > 3 else "b" for value in one[:, 0]] for one in X]
    model = SequenceTagger(missing=(named,), **QUICK).fit(X, y)
    assert model.input_.scale.mean.min() > 2  # none of them is a value
    for given in (X[1], X[1].astype(np.float32)):
        assert np.allclose(run(model.step_model(), given), model.predict_proba([given])[0], atol=1e-5)


def test_numbers_that_float32_does_not_tell_apart_are_refused() -> None:
    drawn = np.random.default_rng(0)
    X = [1.7e9 + drawn.normal(0, 8, (8, 1)) for _ in range(30)]
    model = SequenceClassifier(**QUICK).fit(X, ["high" if one.mean() > 1.7e9 else "low" for one in X])
    with pytest.raises(UsageError, match=r"about 1.7e\+09 with a deviation of .*, and float32, .* has steps of 128"):
        model.step_model()
    near = [one - 1.7e9 for one in X]
    numbers = SequenceRegressor(**QUICK).fit(near, [1.7e9 + one.mean() for one in near])
    with pytest.raises(UsageError, match="a fixed offset"):
        numbers.step_model()


@pytest.mark.parametrize("summaries", [True, False])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "max-mean", "attention"])
def test_a_classifier_says_what_it_says_of_all_so_far(pooling: Any, summaries: bool) -> None:
    X = sequences(holes=False)
    y = [str(int(one.mean() > 3) + int(one.max() > 7)) for one in X]
    model = SequenceClassifier(pooling=pooling, summaries=summaries, num_layers=2, **QUICK).fit(X, y)
    expected = model.predict_proba(prefixes(X[1]))
    assert np.allclose(run(model.step_model(), X[1]), expected, atol=1e-5)
    assert summaries == any(stage.gives.name == "summaries" for stage in model.step_model().stages)


def test_several_labels_have_a_probability_each() -> None:
    X = sequences(holes=False)
    y = [[name for name, holds in (("low", one.min() < 0), ("high", one.max() > 7)) if holds] for one in X]
    model = SequenceClassifier(**QUICK).fit(X, y)
    assert np.allclose(run(model.step_model(), X[2])[-1], model.predict_proba([X[2]])[0], atol=1e-5)


def test_a_regressor_in_the_units_of_its_targets() -> None:
    X = sequences(holes=True)
    model = SequenceRegressor(**QUICK).fit(X, [[np.nanmean(one) * 100, len(one)] for one in X])
    assert np.allclose(run(model.step_model(), X[3]), model.predict(prefixes(X[3])), rtol=1e-5)


def test_tokens_are_looked_up() -> None:
    words = ["hello", "world", "abc", "hold"]
    model = SequenceClassifier(**QUICK).fit(words * 10, ["x", "y", "z", "x"] * 10)
    found = model.step_model()
    tokens = found.facts["tokens"]
    assert isinstance(tokens, list)
    ids = [tokens.index(letter) for letter in "hello"]
    assert np.allclose(run(found, ids)[-1], model.predict_proba(["hello"])[0], atol=1e-5)
    assert tokens.index("") == model.input_.sequences(["?"])[0][0]


@pytest.mark.parametrize("tied", [True, False])
def test_a_language_model_says_what_comes_next(tied: bool) -> None:
    model = LanguageModel(hidden_size=8, embedding_size=8, tied=tied, updates=3, batch_size=2, progress=False)
    model.fit(["to be or not to be " * 20])
    found, stream = model.step_model(), model.stream()
    ids = [found.outputs[0].labels.index(letter) for letter in "to be"]
    expected = [stream.step(token).probabilities for token in ids]
    assert np.allclose(run(found, ids), expected, atol=1e-6)


SERIES = np.stack([np.sin(np.arange(300) / 5) * 3, np.cos(np.arange(300) / 9) + 5], 1)
SERIES += np.random.default_rng(1).normal(0, 0.3, SERIES.shape)
AHEAD: dict[str, Any] = {**QUICK, "history": 12, "horizon": 4, "adapt_rate": 0.0}


HOURS = np.datetime64("2024-01-01T00") + np.arange(300) * np.timedelta64(1, "h")
EVEN: dict[str, Any] = {"t": HOURS, "a": SERIES[:, 0]}
UNEVEN = {**EVEN, "t": HOURS + np.arange(300) % 3 * np.timedelta64(5, "m")}
WITH_KINDS = {**EVEN, "kind": np.array(["x", "y", "z"])[np.arange(300) % 3]}
WITH_HOLES = {**EVEN, "holes": np.where(np.arange(300) % 7, SERIES[:, 1], np.nan)}


@pytest.mark.parametrize(
    ("columns", "more"),
    [
        (1, {}),
        (2, {}),
        (2, {"multivariate": True}),
        (1, {"head": "mean"}),
        (2, {"quantiles": (0.1, 0.3, 0.6, 0.9)}),
        (1, {"lags": 5, "num_layers": 2}),
        (1, {"quantiles": (0.6, 0.9)}),  # no interval that has to hold the mean
    ],
)
def test_a_forecaster_says_mean_and_quantiles(columns: int, more: dict[str, Any]) -> None:
    data = SERIES[:, :columns]
    model = Forecaster(**AHEAD, **more).fit(data)
    found = model.step_model()
    runs = StepRun(found)
    said = [runs.step(values=row) for row in data[:80]][-1]
    forecast = model.predict(data[:80])[0]
    expected = [
        part for column in range(columns) for part in (forecast.mean[:, column], *forecast.quantiles[:, column].T)
    ]
    assert np.allclose(list(said.values()), expected, atol=1e-4)
    labels = [label for output in found.outputs for label in output.labels]
    assert labels[0] == "target_1_t+1" or labels[0].endswith("_t+1")
    assert len(set(labels)) == len(labels)


def test_a_step_of_one_of_several_series() -> None:
    model = Forecaster(**AHEAD).fit([SERIES[:, 0], SERIES[:, 1] * 10])
    with pytest.raises(UsageError, match=r"training had 2 series, .*: name it with series="):
        model.step_model()
    with pytest.raises(UsageError, match="there is none of the name 'other'"):
        model.step_model(series="other")
    runs = StepRun(model.step_model(series=model.names_[1]))
    said = [runs.step(values=row) for row in SERIES[:50, 1:] * 10][-1]
    forecast = model.predict([SERIES[:50, 0], SERIES[:50, 1] * 10])[1]
    assert np.allclose(next(iter(said.values())), forecast.mean[:, 0], atol=1e-3)


def test_what_has_no_step_says_why() -> None:
    X = sequences(holes=False)
    labels = [["a" if value > 3 else "b" for value in one[:, 0]] for one in X]
    y = ["x" if one.mean() > 3 else "y" for one in X]
    refused = [
        (SequenceTagger(bidirectional=True, **QUICK).fit(X, labels), "reads both ways"),
        (SequenceTagger(crf=True, **QUICK).fit(X, labels), "this tagger has a CRF: its answers depend on steps"),
        (SequenceClassifier(bidirectional=True, **QUICK).fit(X, y), "reads a sequence from its end too"),
        (SequenceClassifier(downsample=2, **QUICK).fit(X, y), "takes 2 steps in at once"),
        (SequenceClassifier(ngrams=2, **QUICK).fit(["ab", "ba"] * 10, ["x", "y"] * 10), "several tokens at once"),
        (SequenceTagger(fill="interpolate", **QUICK).fit(X, labels), "looks ahead"),
        (Forecaster(**AHEAD, roll_out=True).fit(SERIES), "reads its own forecasts"),
        (Forecaster(**AHEAD, segment=4).fit(SERIES), "reads whole windows"),
        (Forecaster(**AHEAD, head="student-t").fit(SERIES), "fit with head='mean' or 'quantiles'"),
        (AnomalyDetector(history=12, validation_fraction=0.3, smooth=3, **QUICK).fit(SERIES), "smooth=3: a score"),
        (Forecaster(**AHEAD, target="a", time="t", regular=False).fit(UNEVEN), "reads the times of rows"),
        (Forecaster(**AHEAD, target="a", time="t", known="kind").fit(WITH_KINDS), "reads categories of covariates"),
        (Forecaster(**AHEAD, target="a", time="t", past="holes").fit(WITH_HOLES), "reads which covariates are missing"),
    ]
    for model, why in refused:
        with pytest.raises(UsageError, match=why):
            model.step_model()
    with pytest.raises(UsageError, match="not a dict"):
        step_model_of({})


@pytest.mark.parametrize(
    "features", [LogMel(8000), Mfcc(8000, mel_scale="slaney"), LogMel(8000, window=0.02, hop=0.02)]
)
def test_sounds_are_read_frame_by_frame(features: LogMel) -> None:
    drawn = np.random.default_rng(0)
    X = [drawn.normal(0, 0.1, 1300 + 10 * one).astype(np.float32) for one in range(20)]
    model = SequenceClassifier(features=features, summaries=False, **QUICK).fit(X, ["a", "b"] * 10)
    found = model.step_model()
    assert found.frames is not None
    assert (found.frames.width, found.frames.hop) == (features.width, features.step)
    framer = Framer(found.frames.width, found.frames.hop)
    frames = np.concatenate([framer.push(X[3]), framer.finish()])
    assert np.allclose(run(found, frames)[-1], model.predict_proba([X[3]])[0], atol=1e-5)


def test_samples_and_rows_of_pixels_are_steps_as_they_are() -> None:
    drawn = np.random.default_rng(0)
    X = [drawn.normal(0, 0.1, 30).astype(np.float32) for _ in range(20)]
    model = SequenceClassifier(features=RawAudio(8000), **QUICK).fit(X, ["a", "b"] * 10)
    assert np.allclose(run(model.step_model(), X[0][:, None])[-1], model.predict_proba([X[0]])[0], atol=1e-5)
    images = [drawn.integers(0, 255, (6, 5)).astype(np.uint8) for _ in range(20)]
    model = SequenceClassifier(features=ImageRows(6, 5), **QUICK).fit(images, ["a", "b"] * 10)
    assert np.allclose(
        run(model.step_model(), images[0] / np.float32(255))[-1], model.predict_proba([images[0]])[0], atol=1e-5
    )
