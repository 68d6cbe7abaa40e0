"""Steps of ensembles, of static values, of categories and of times: the answers of the estimator itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import LogMel
from loopcell.errors import UsageError
from loopcell.export.step_model import Output, Quantity, Softmax, StepModel, StepRun, averaged

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "random_state": 0, "progress": False}
DRAWN = np.random.default_rng(0)
X = [DRAWN.normal(3, 2, (DRAWN.integers(5, 16), 3)) for _ in range(30)]
HOLES = [np.where(DRAWN.random(one.shape) < 0.2, np.nan, one) for one in X]
TIMES = [np.cumsum(DRAWN.exponential(2.0, len(one))) for one in X]
Y = [str(int(one.mean() > 3)) for one in X]
TAGS = [["a" if value > 3 else "b" for value in one[:, 0]] for one in X]


def run(model: Any, **inputs: Any) -> npt.NDArray[np.float64]:
    """Return the first output of each step."""
    runs, steps = StepRun(model.step_model()), len(next(iter(inputs.values())))
    return np.array([next(iter(runs.step(**{n: v[at] for n, v in inputs.items()}).values())) for at in range(steps)])


def beginnings(x: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    return [x[:count] for count in range(1, len(x) + 1)]


def test_an_ensemble_is_the_mean_of_its_members() -> None:
    classifier = SequenceClassifier(ensemble=2, **QUICK).fit(X, Y)
    assert np.allclose(run(classifier, x=X[1]), classifier.predict_proba(beginnings(X[1])), atol=1e-6)
    regressor = SequenceRegressor(ensemble=2, **QUICK).fit(X, [one.mean() * 100 for one in X])
    assert np.allclose(run(regressor, x=X[2])[:, 0], regressor.predict(beginnings(X[2])), rtol=1e-5)
    tagger = SequenceTagger(ensemble=2, **QUICK).fit(X, TAGS)
    assert np.allclose(run(tagger, x=X[3]), tagger.predict_proba([X[3]])[0], atol=1e-6)


def test_what_the_members_share_is_computed_once() -> None:
    sounds = [DRAWN.normal(0, 0.1, 1300).astype(np.float32) for _ in range(12)]
    model = SequenceClassifier(features=LogMel(8000), ensemble=2, summaries=False, **QUICK).fit(sounds, ["a", "b"] * 6)
    names = [stage.gives.name for stage in model.step_model().stages]
    assert names.count("bands") == names.count("read") == 1
    assert {"layer1_1", "layer1_2", "probabilities_1", "probabilities_2", "probabilities"} <= set(names)


def test_models_of_other_answers_have_no_mean() -> None:
    def softmax(output: str) -> StepModel:
        return StepModel("m", (Quantity("x", 2),), (Softmax(Quantity(output, 2), "x"),), (Output(output),))

    assert averaged([softmax("p")]).outputs == (Output("p"),)
    with pytest.raises(UsageError, match="the same inputs and the same outputs"):
        averaged([softmax("p"), softmax("q")])


@pytest.mark.parametrize("pooling", ["last", "max-mean"])
@pytest.mark.parametrize("ensemble", [1, 2])
def test_static_values_are_inputs_of_every_step(pooling: Any, ensemble: int) -> None:
    kinds = DRAWN.choice(["p", "q", "r"], 30)
    table = pd.DataFrame({"age": DRAWN.normal(40, 9, 30), "kind": kinds, "w": DRAWN.normal(size=30)})
    table.loc[::5, "w"] = np.nan
    model = SequenceClassifier(pooling=pooling, ensemble=ensemble, **QUICK).fit(X, Y, static=table)
    step = model.step_model()
    assert step.facts["static columns"] == ["age", "w"]
    kinds_known = step.facts["static categories"]
    assert isinstance(kinds_known, dict)
    assert kinds_known == {"static_kind": ["", "p", "q", "r"]}
    for at in (0, 1):
        count, row = len(X[at]), table.iloc[[at]]
        given = {"static": np.array([row[["age", "w"]].to_numpy()[0]] * count, np.float64)}
        ids = [kinds_known["static_kind"].index(kinds[at])] * count
        expected = model.predict_proba(beginnings(X[at]), static=pd.concat([row] * count))
        assert np.allclose(run(model, x=X[at], static_kind=ids, **given), expected, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "gru_d", "lstm_time_aware"])
@pytest.mark.parametrize("fill", ["mask", "ffill"])
def test_the_time_since_the_step_before_is_an_input(cell: str, fill: Any) -> None:
    model = SequenceTagger(cell=cell, fill=fill, **QUICK).fit(HOLES, TAGS, times=TIMES)
    passed = np.diff(TIMES[2], prepend=TIMES[2][0] - 77)  # the first one is not read
    found = run(model, x=HOLES[2], dt=passed)
    assert np.allclose(found, model.predict_proba([HOLES[2]], times=[TIMES[2]])[0], atol=1e-6)
    assert any(note.startswith("dt is the time since the step before") for note in model.step_model().notes)


@pytest.mark.parametrize("cell", ["gru", "gru_d", "gru_decay"])
@pytest.mark.parametrize("told", [None, True])
def test_categories_are_tokens_beside_the_numbers(cell: str, told: bool | None) -> None:
    frames = [pd.DataFrame({"u": one[:, 0], "c": DRAWN.choice(["p", "q"], len(one)), "v": one[:, 1]}) for one in HOLES]
    model = SequenceTagger(cell=cell, mask_inputs=told, **QUICK).fit(frames, TAGS)
    step, frame = model.step_model(), frames[3]
    assert [one.name for one in step.inputs] == ["x", "c"]
    assert step.facts["columns"] == ["u", "v"]
    ids = [["", "p", "q"].index(kind) for kind in frame["c"]]
    assert np.allclose(run(model, x=frame[["u", "v"]].to_numpy(), c=ids), model.predict_proba([frame])[0], atol=1e-6)
    unknown = frame.assign(c="never seen")
    found = run(model, x=frame[["u", "v"]].to_numpy(), c=[0] * len(frame))
    assert np.allclose(found, model.predict_proba([unknown])[0], atol=1e-6)


@pytest.mark.parametrize("told", [None, True])
def test_steps_of_categories_alone(told: bool | None) -> None:
    frames = [pd.DataFrame({"dt": DRAWN.choice(["p", "q"], len(one))}) for one in X]
    model = SequenceTagger(mask_inputs=told, **QUICK).fit(frames, TAGS)
    (token,) = model.step_model().inputs
    assert token == Quantity("dt_2", 1, "token")  # a time would be called dt
    ids = [["", "p", "q"].index(kind) for kind in frames[4]["dt"]]
    assert np.allclose(run(model, dt_2=ids), model.predict_proba([frames[4]])[0], atol=1e-6)
