"""Steps of every kind of estimator through every target: C, ONNX in both forms, WebAssembly, torch.export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcell import LSTM, AnomalyDetector, AudioEffect, Forecaster, SequenceClassifier, SequenceTagger
from loopcell.export import CForm, OnnxStream, to_c, to_onnx, to_torch_program, to_wasm
from loopcell.importing import Chain
from loopcell.layers import State

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "random_state": 0, "progress": False}
DRAWN = np.random.default_rng(0)
X = [np.where(DRAWN.random((9, 2)) < 0.1, np.nan, DRAWN.normal(3, 2, (9, 2))) for _ in range(20)]
TAGS = [["a" if value > 3 else "b" for value in np.nan_to_num(one[:, 0])] for one in X]
HOURS = np.arange(120)
TABLE = {"a": np.sin(HOURS / 5) + DRAWN.normal(0, 0.2, 120), "p": DRAWN.normal(4, 2, 120), "q": DRAWN.normal(size=120)}
FORECASTS: dict[str, Any] = {**QUICK, "target": "a", "history": 6, "known": "p", "past": "q"}


def ensemble() -> tuple[Any, Any]:
    return SequenceClassifier(ensemble=2, **QUICK).fit(X, ["x", "y"] * 10), X


def static_and_times() -> tuple[Any, Any]:
    from loopcell.data import SequenceData

    static = pd.DataFrame({"age": DRAWN.normal(40, 9, 20), "kind": DRAWN.choice(["p", "q"], 20)})
    data = SequenceData(X, static=static, times=[np.cumsum(DRAWN.exponential(2.0, 9)) for _ in X])
    return SequenceClassifier(**QUICK).fit(data, ["x", "y"] * 10), data


def categories() -> tuple[Any, Any]:
    frames = [pd.DataFrame({"u": one[:, 0], "c": DRAWN.choice(["p", "q"], 9)}) for one in X]
    return SequenceTagger(cell="gru_d", **QUICK).fit(frames, TAGS), frames


def covariates() -> tuple[Any, Any]:
    return Forecaster(horizon=2, adapt_rate=0.0, **FORECASTS).fit(TABLE), TABLE


def detector() -> tuple[Any, Any]:
    return AnomalyDetector(horizon=2, validation_fraction=0.3, **FORECASTS).fit(TABLE), TABLE


def effect() -> tuple[Any, Any]:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = {"lstm": LSTM(1, 6, num_layers=2, batch_first=True), "head": nn.Linear(6, 1)}
    start = State(h=torch.randn(2, 1, 6), c=torch.randn(2, 1, 6))
    return AudioEffect(Chain(layers, {"lstm": start}), 44_100), DRAWN.normal(0, 0.2, 60).astype(np.float32)


@pytest.mark.parametrize("made", [ensemble, static_and_times, categories, covariates, detector, effect])
def test_every_target_gives_the_models_own_answers(made: Any, tmp_path: Any) -> None:
    model, data = made()
    step, check = model.step_model(), model.step_check(data)
    assert check.runs
    report = to_c(step, tmp_path / "c", data=check, form=CForm(simd="vectors"), drift_steps=0)
    assert report.own_errors.keys() == check.runs.keys()
    assert report.largest_error <= report.allowed_error
    found = to_onnx(step, tmp_path / "step.onnx", x=check)
    assert {"stepped", "whole", "chunked", *check.runs} == set(found.errors)
    if made is not detector:  # one that has stages of every kind goes through the slower targets too
        return
    to_onnx(step, tmp_path / "sequence.onnx", form="sequence", x=check)
    assert to_wasm(step, tmp_path / "wasm", data=check).verified_steps == len(next(iter(check.inputs.values())))
    assert to_torch_program(step, x=check) is not None


def test_the_page_begins_with_the_users_rows(tmp_path: Any) -> None:
    model, data = covariates()
    to_wasm(model, tmp_path, data=model.step_check(data))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"{TABLE['a'][0]:.4g}, {TABLE['p'][0]:.4g}, {TABLE['p'][1]:.4g}" in page


def test_a_number_beyond_float32_is_refused(tmp_path: Any) -> None:
    from loopcell.errors import InputError

    to_onnx(LSTM(2, 3), tmp_path / "m.onnx")
    stream = OnnxStream(tmp_path / "m.onnx")
    before = stream.step(x=[1.0, 2.0])
    stream.reset()
    for far in (3e38, -1e300):
        with pytest.raises(InputError, match="so large that products with it are beyond float32"):
            stream.step(x=[1.0, far])
    for name, value in stream.step(x=[1.0, 2.0]).items():  # as if nothing had been given
        assert np.array_equal(value, before[name])
    assert all(np.isnan(value).all() for value in stream.step(x=[1.0, np.inf]).values())
