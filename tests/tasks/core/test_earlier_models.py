"""Models that an earlier loopcell saved, whose scales stood among the weights: read, and saying what they said then.

The files and `predictions.json` were written by format 1, from the data that are made here again.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch

from loopcell import Seq2Seq
from loopcell.errors import FileFormatError
from loopcell.tasks.core.models import load_model
from loopcell.training.config import TrainingConfig

EARLIER = Path(__file__).parent / "earlier"
SAID = json.loads((EARLIER / "predictions.json").read_text())


def sequences():
    drawn = np.random.default_rng(0)
    return [np.round(drawn.normal((50.0, 3.0), (2.0, 0.5), (drawn.integers(2, 6), 2)), 3) for _ in range(30)][:4]


def table():
    t = np.arange(60)
    value, price = np.round(100 + 5 * np.sin(t / 3), 3), np.round(20 + t % 5, 3)
    return {"value": value, "price": price, "id": np.where(t < 30, "a", "b")}


ANSWERS = {
    "classifier": lambda model: model.predict_proba(sequences()),
    "regressor": lambda model: model.predict(sequences()),
    "tagger": lambda model: model.predict_proba(sequences()),
    "seq2seq": lambda model: [found[0].log_probability for found in model.candidates(sequences())],
    "captioner": lambda model: [
        found[0].log_probability for found in model.candidates([one[0] for one in sequences()])
    ],
    "forecaster": lambda model: [forecast.mean for forecast in model.predict(table())],
    "anomaly": lambda model: [scores[4:] for scores in model.score_samples(table())],
}


def flat(answer):
    return np.concatenate([np.ravel(part) for part in answer])


def test_arguments_of_earlier_models_have_the_names_of_today():
    forecaster = load_model(EARLIER / "forecaster.safetensors").get_params()
    assert "follow" not in forecaster
    assert forecaster["adapt_rate"] == 0.005
    assert forecaster["multivariate"] is False
    assert load_model(EARLIER / "anomaly.safetensors").alarm_rate == 0.001
    assert load_model(EARLIER / "seq2seq.safetensors").min_length == 0
    with pytest.raises(TypeError, match="has no argument 'longest': did you mean max_length"):
        Seq2Seq(longest=3)


def test_an_earlier_run_has_its_intervals():
    assert TrainingConfig.model_validate({"rhythm": {"log_every": 7}}) == TrainingConfig(intervals={"log_every": 7})


@pytest.mark.parametrize("name", ANSWERS)
def test_an_earlier_model_says_what_it_said(name, tmp_path):
    model = load_model(EARLIER / f"{name}.safetensors")
    # Their scales were float32 and still are: only what is computed with them is more precise now.
    np.testing.assert_allclose(flat(ANSWERS[name](model)), flat(SAID[name]), rtol=1e-4)
    model.save(tmp_path / "again.safetensors")
    again = load_model(tmp_path / "again.safetensors")
    np.testing.assert_array_equal(flat(ANSWERS[name](again)), flat(ANSWERS[name](model)))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda tensors: tensors.pop("scale.input.mean"), "it has no 'scale.input.mean'"),
        (lambda tensors: tensors.update({"scale.input.size": tensors["scale.input.size"] * 0}), "its scale of input"),
        (lambda tensors: tensors.update({"scale.input.size": tensors["scale.input.size"].float()}), "scale of input"),
        (lambda tensors: tensors.update({"scale.more.size": 0, "scale.more.mean": 0}), "it has a scale of more"),
        (lambda tensors: [tensors.pop(f"scale.input.{part}") for part in ("mean", "size")], "it has no 'input'"),
    ],
)
def test_a_scale_that_is_none_is_refused(change, complaint, tmp_path):
    path = tmp_path / "m.safetensors"
    load_model(EARLIER / "classifier.safetensors").save(path)
    with safetensors.safe_open(path, framework="pt") as file:
        header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    one = tensors["scale.input.mean"]
    change(tensors)
    tensors = {name: one.clone() if isinstance(tensor, int) else tensor for name, tensor in tensors.items()}
    if "scale.more.size" in tensors:
        tensors["scale.more.size"] = one.abs() + 1
    safetensors.torch.save_file(tensors, path, header)
    with pytest.raises(FileFormatError, match=complaint):
        load_model(path)
