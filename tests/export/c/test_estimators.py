"""Trained estimators through C: the very answers that they give in Python."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import Forecaster, LanguageModel, SequenceClassifier, SequenceTagger
from loopcell.data import LogMel, Mfcc
from loopcell.data.features.mel import Framer
from loopcell.export.step_model import step_model_of
from tests.export.c.models import HOUSE, prove, source_of

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
QUICK = {"hidden_size": 4, "epochs": 1, "random_state": 0, "progress": False}


def sequences(holes=False):
    drawn = np.random.default_rng(0)
    found = [drawn.normal(3, 2, (drawn.integers(5, 12), 3)) for _ in range(20)]
    for one in found if holes else []:
        one[drawn.random(one.shape) < 0.2] = np.nan
    return found


@pytest.mark.parametrize("cell", ["gru", "gru_d", "lstm_time_aware"])
def test_a_tagger_that_reads_missing_values(cell, tmp_path):
    X = sequences(holes=True)
    y = [["a" if value > 3 else "b" for value in np.nan_to_num(one[:, 0])] for one in X]
    model = SequenceTagger(cell=cell, **QUICK).fit(X, y)
    source = source_of(model)
    data = {source.model.inputs[0].name: X[0].astype(np.float32)}
    _, recorded = prove(source, tmp_path, *HOUSE, "-O2", data=data)
    assert np.allclose(next(iter(recorded.answers.values())), model.predict_proba(X)[0], atol=1e-4)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "max-mean", "attention"])
def test_a_classifier(pooling, tmp_path):
    X = sequences()
    y = [str(int(one.mean() > 3)) for one in X]
    model = SequenceClassifier(pooling=pooling, num_layers=2, **QUICK).fit(X, y)
    assert prove(source_of(model, "vectors"), tmp_path, *HOUSE, "-O2")[0] < 1e-4


def test_a_language_model(tmp_path):
    model = LanguageModel(hidden_size=8, embedding_size=8, updates=3, batch_size=2, progress=False)
    model.fit(["to be or not to be " * 20])
    assert prove(source_of(model), tmp_path, *HOUSE, "-O2")[0] < 1e-5


def test_a_forecaster(tmp_path):
    series = np.stack([np.sin(np.arange(200) / 5) * 3, np.cos(np.arange(200) / 9) + 5], 1)
    model = Forecaster(history=12, horizon=4, adapt_rate=0.0, lags=5, **QUICK).fit(series)
    prove(source_of(model), tmp_path, *HOUSE, "-O2", data={"values": series[:80]})


@pytest.mark.parametrize("features", [LogMel(8000), Mfcc(8000)])
def test_a_classifier_of_sounds(features, tmp_path):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(0, 0.1, 1300 + 10 * one).astype(np.float32) for one in range(10)]
    model = SequenceClassifier(features=features, summaries=False, **QUICK).fit(X, ["a", "b"] * 5)
    found = step_model_of(model)
    framer = Framer(found.frames.width, found.frames.hop)
    frames = np.concatenate([framer.push(X[3]), framer.finish()])
    _, recorded = prove(source_of(model), tmp_path, *HOUSE, "-O2", data={"frame": frames})
    assert np.allclose(next(iter(recorded.answers.values()))[-1], model.predict_proba([X[3]])[0], atol=1e-4)
