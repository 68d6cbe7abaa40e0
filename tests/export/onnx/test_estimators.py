"""Trained estimators as ONNX files with their own predictions: scales, gaps, tokens, quantiles and sound are inside."""

from typing import Any

import numpy as np
import pytest

from loopcell import Forecaster, LanguageModel, SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import LogMel
from loopcell.data.features.mel import Framer
from loopcell.errors import UsageError
from loopcell.export import OnnxStream, to_onnx, to_torch_program

FORMS = ("step", "sequence")
QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "random_state": 0, "progress": False}


def sequences():
    drawn = np.random.default_rng(0)
    found = [drawn.normal(3, 2, (drawn.integers(5, 16), 3)) for _ in range(40)]
    for one in found:
        one[drawn.random(one.shape) < 0.2] = np.nan
    return found


def answers(model, path, form, inputs):
    """Of every output, of every step, whole and in two chunks, which have to be the same."""
    to_onnx(model, path, form=form, x=inputs)
    stream = OnnxStream(path)
    whole = stream.feed(**inputs)
    stream.reset()
    parts = [stream.feed(**{k: v[:3] for k, v in inputs.items()}), stream.feed(**{k: v[3:] for k, v in inputs.items()})]
    for name, value in whole.items():
        assert np.allclose(value, np.concatenate([part[name] for part in parts]), atol=1e-5)
    return whole, stream.metadata


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("more", [{}, {"fill": "ffill", "cell": "gru_d"}])
def test_a_tagger_with_missing_values(form, more, tmp_path):
    X = sequences()
    y = [["a" if value > 3 else "b" for value in np.nan_to_num(one[:, 0])] for one in X]
    model = SequenceTagger(**QUICK, **more).fit(X, y)
    found, facts = answers(model, tmp_path / "m.onnx", form, {"x": X[0]})
    assert np.allclose(found["probabilities"], model.predict_proba(X)[0], atol=1e-5)
    assert facts.outputs[0].labels == ["a", "b"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_classifier_of_all_so_far(form, pooling, tmp_path):
    X = [np.nan_to_num(one) for one in sequences()]
    model = SequenceClassifier(pooling=pooling, **QUICK).fit(X, [str(int(one.mean() > 2)) for one in X])
    found, _ = answers(model, tmp_path / "m.onnx", form, {"x": X[1]})
    assert np.allclose(found["probabilities"][-1], model.predict_proba([X[1]])[0], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_regressor_in_the_units_of_its_targets(form, tmp_path):
    X = sequences()
    model = SequenceRegressor(**QUICK).fit(X, [np.nanmean(one) * 10 for one in X])
    found, _ = answers(model, tmp_path / "m.onnx", form, {"x": X[2]})
    assert np.allclose(found["numbers"][-1], model.predict([X[2]])[0], rtol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_language_model_says_what_comes_next(form, tmp_path):
    model = LanguageModel(hidden_size=8, embedding_size=8, updates=3, batch_size=2, progress=False)
    model.fit(["to be or not to be " * 20])
    stream, tokens = model.stream(), model.step_model().outputs[0].labels
    ids = np.array([tokens.index(letter) for letter in "to be"])
    found, facts = answers(model, tmp_path / "m.onnx", form, {"token": ids})
    assert np.allclose(found["probabilities"], [stream.step(token).probabilities for token in ids], atol=1e-6)
    assert facts.facts["tokens"] == list(tokens)


@pytest.mark.parametrize("form", FORMS)
def test_a_forecaster_says_mean_and_quantiles(form, tmp_path):
    series = np.stack([np.sin(np.arange(200) / 5) * 3, np.cos(np.arange(200) / 9) + 5], 1)
    series += np.random.default_rng(1).normal(0, 0.3, series.shape)
    model = Forecaster(history=12, horizon=4, adapt_rate=0.0, **QUICK).fit(series)
    found, facts = answers(model, tmp_path / "m.onnx", form, {"values": series[:60]})
    forecast = model.predict(series[:60])[0]
    assert np.allclose(found["forecast_mean1"][-1], forecast.mean[:, 0], atol=1e-3)
    assert np.allclose(found["forecast_quantile2_1"][-1], forecast.quantiles[:, 1, 0], atol=1e-3)
    assert any(one.startswith("a missing value (NaN) is not carried on") for one in facts.notes)
    assert facts.outputs[0].labels[0].endswith("_t+1")


@pytest.mark.parametrize("form", FORMS)
def test_sounds_are_read_frame_by_frame(form, tmp_path):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(0, 0.1, 1300 + 10 * one).astype(np.float32) for one in range(20)]
    model = SequenceClassifier(features=LogMel(8000), summaries=False, **QUICK).fit(X, ["a", "b"] * 10)
    cut = model.step_model().frames
    framer = Framer(cut.width, cut.hop)
    frames = np.concatenate([framer.push(X[3]), framer.finish()])
    found, facts = answers(model, tmp_path / "m.onnx", form, {"frame": frames})
    assert np.allclose(found["probabilities"][-1], model.predict_proba([X[3]])[0], atol=1e-4)
    assert facts.frames == {"width": cut.width, "hop": cut.hop, "sample_rate": 8000}
    assert to_torch_program(model, x={"frame": frames}) is not None


def test_what_has_no_step_says_so(tmp_path):
    X = [np.nan_to_num(one) for one in sequences()]
    model = SequenceClassifier(bidirectional=True, **QUICK).fit(X, [str(int(one.mean() > 2)) for one in X])
    with pytest.raises(UsageError, match="reads a sequence from its end too"):
        to_onnx(model, tmp_path / "m.onnx")
