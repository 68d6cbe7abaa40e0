"""An export is held against the model's own runs: at once, in chunks, step by step, streamed; on the user's data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from loopcell import GRU, LanguageModel, Recurrent, SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import LogMel, RawAudio, SequenceData
from loopcell.errors import CheckFailed, DataError, UsageError
from loopcell.export import StepCheck, StepRun, step_model_of, to_c, to_onnx, to_wasm, verify

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "random_state": 0, "progress": False}
DRAWN = np.random.default_rng(0)
X = [DRAWN.normal(3, 2, (DRAWN.integers(5, 16), 3)) for _ in range(20)]
Y = ["low", "high"] * 10
TAGS = [["a" if value > 3 else "b" for value in one[:, 0]] for one in X]


def held(model: Any, data: Any) -> dict[str, float]:
    step = model.step_model()
    return dict(verify(step, StepRun(step), model.step_check(data)).errors)


@pytest.mark.parametrize("net", [GRU(3, 4, num_layers=2, batch_first=True), Recurrent("lstm_time_aware", 3, 4)])
def test_a_network_runs_in_three_ways(net: Any) -> None:
    net.train()
    inputs = {"x": DRAWN.normal(size=(20, 3))}
    if net.spec.further:
        inputs["dt"] = DRAWN.exponential(size=(20, 1))
    errors = verify(net, StepRun(step_model_of(net)), inputs).errors
    assert set(errors) == {"stepped", "own offline", "own chunked", "own stepped"}
    assert max(errors.values()) < 1e-5
    assert net.training  # as it was


def test_a_step_that_is_not_the_network_is_caught(tmp_path: Any) -> None:
    class Wrong(GRU):
        def forward(self, x: Any, *rest: Any, **more: Any) -> Any:
            y, state = super().forward(x, *rest, **more)
            return y + 0.01, state

    for export, path in ((to_onnx, "m.onnx"), (to_c, "c"), (to_wasm, "w")):
        with pytest.raises(CheckFailed, match=r"own offline: the output 'layer1' is .* and its step gives"):
            export(Wrong(3, 4), tmp_path / path)
        assert not (tmp_path / path).exists()


@pytest.mark.parametrize("ensemble", [1, 2])
def test_estimators_of_sequences(ensemble: int) -> None:
    more = {**QUICK, "ensemble": ensemble}
    for model in (
        SequenceClassifier(**more).fit(X, Y),
        SequenceTagger(**more).fit(X, TAGS),
        SequenceRegressor(**more).fit(X, [one.mean() for one in X]),
    ):
        errors = held(model, X)
        assert set(errors) == {"stepped", "own offline", "own streamed"}
        assert max(errors.values()) < 1e-4


def test_what_stands_beside_a_sequence() -> None:
    static = pd.DataFrame({"age": DRAWN.normal(40, 9, 20), "kind": DRAWN.choice(["p", "q"], 20)})
    times = [np.cumsum(DRAWN.exponential(2.0, len(one))) for one in X]
    model = SequenceClassifier(**QUICK).fit(X, Y, static=static, times=times)
    data = SequenceData(X, static=static, times=times)
    assert set(model.step_check(data).inputs) == {"x", "dt", "static", "static_kind"}
    assert held(model, data)["own offline"] < 1e-5
    frames = [pd.DataFrame({"u": one[:, 0], "c": DRAWN.choice(["p", "q"], len(one))}) for one in X]
    assert held(SequenceTagger(**QUICK).fit(frames, TAGS), frames)["own offline"] < 1e-5


def test_sounds_samples_and_texts() -> None:
    sounds = [DRAWN.normal(0, 0.1, 1300 + 10 * at).astype(np.float32) for at in range(12)]
    labels = ["a", "b"] * 6
    model = SequenceClassifier(features=LogMel(8000), summaries=False, **QUICK).fit(sounds, labels)
    assert max(held(model, sounds).values()) < 1e-4
    short = [sound[:40] for sound in sounds]
    assert max(held(SequenceClassifier(features=RawAudio(8000), **QUICK).fit(short, labels), short).values()) < 1e-5
    words = SequenceClassifier(**QUICK).fit(["hello", "world", "abc", "hold"] * 5, ["x", "y", "z", "x"] * 5)
    assert held(words, ["hello"])["own offline"] < 1e-5


def test_a_language_model_on_a_text(tmp_path: Any) -> None:
    model = LanguageModel(hidden_size=8, embedding_size=8, updates=3, batch_size=2, progress=False)
    model.fit(["to be or not to be " * 20])
    assert max(held(model, ["to be or"]).values()) < 1e-6
    (tmp_path / "text.txt").write_text("not to be", encoding="utf-8")
    assert max(held(model, [tmp_path / "text.txt"]).values()) < 1e-6
    with pytest.raises(DataError, match="the text is empty"):
        model.step_check([""])


def test_long_sequences_are_cut(monkeypatch: Any) -> None:
    monkeypatch.setattr("loopcell.tasks.sequences.step_checks.MOST_STEPS", 20)
    model = SequenceTagger(**QUICK).fit(X, TAGS)
    assert len(model.step_check([DRAWN.normal(size=(25, 3))]).inputs["x"]) == 20
    with pytest.raises(DataError, match="there is no sequence"):
        model.step_check([])


def test_other_answers_than_the_steps_fail() -> None:
    model = SequenceClassifier(**QUICK).fit(X, Y)
    check = model.step_check(X)
    run = check.runs["own offline"]
    wrong = replace(run, answers={name: values + 0.01 for name, values in run.answers.items()})
    step = model.step_model()
    with pytest.raises(CheckFailed, match=r"own offline: the output 'probabilities' is .* at step 1 of"):
        verify(step, StepRun(step), StepCheck(check.inputs, {"own offline": wrong}))


def test_half_precision_is_another_arithmetic() -> None:
    net = GRU(3, 4).to(torch.bfloat16)
    errors = verify(net, StepRun(step_model_of(net)), {"x": DRAWN.normal(size=(5, 3))}).errors
    assert set(errors) == {"stepped"}


def test_what_has_no_step_has_no_check() -> None:
    model = SequenceClassifier(bidirectional=True, **QUICK).fit(X, Y)
    with pytest.raises(UsageError, match="reads a sequence from its end too"):
        model.step_check(X)
