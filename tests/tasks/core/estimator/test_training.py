"""What every estimator's training promises: seeds, the best weights, interruption, going on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from loopcell import SequenceClassifier
from loopcell.errors import TrainingError, UsageError
from loopcell.tasks.core.estimator.examples import SequenceExamples
from loopcell.training.evaluation import evaluate
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, waves, words

__all__ = ["one_thread"]

TESTS = Path(__file__).parents[4]


def weights(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_gives_the_same_model_and_the_callers_generators_stay_where_they_were():
    X, y = words(40)
    settings = {**QUICK, "epochs": 2, "dropout": 0.3}
    torch.manual_seed(11)
    random.seed(11)
    expected = torch.rand(3), random.random()
    torch.manual_seed(11)
    random.seed(11)
    one = SequenceClassifier(**{**settings, "random_state": 5}).fit(X, y)
    assert torch.equal(torch.rand(3), expected[0])
    assert random.random() == expected[1]
    assert same(weights(one), weights(SequenceClassifier(**{**settings, "random_state": 5}).fit(X, y)))
    assert not same(weights(one), weights(SequenceClassifier(**{**settings, "random_state": 6}).fit(X, y)))
    states = [np.random.RandomState(2) for _ in range(2)]
    drawn = [SequenceClassifier(**{**settings, "random_state": state}).fit(X, y) for state in states]
    assert same(weights(drawn[0]), weights(drawn[1]))


def test_none_draws_a_fresh_seed_which_is_kept_and_repeats_the_training(tmp_path):
    assert SequenceClassifier().random_state is None
    X, y = words(40)
    settings = {**QUICK, "epochs": 2, "dropout": 0.3, "random_state": None}
    one, other = (SequenceClassifier(**settings) for _ in range(2))
    assert not hasattr(one, "random_state_")
    one.fit(X, y), other.fit(X, y)
    assert one.random_state_ != other.random_state_
    assert not same(weights(one), weights(other))
    assert one.random_state is None
    again = SequenceClassifier(**{**settings, "random_state": one.random_state_}).fit(X, y)
    assert same(weights(again), weights(one))
    one.save(tmp_path / "m.safetensors")
    loaded = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert (loaded.random_state, loaded.random_state_) == (None, one.random_state_)
    assert list(loaded.parts(X, y)[1][0]) == list(one.parts(X, y)[1][0])  # the split that it was trained with


def test_a_run_without_a_given_seed_goes_on_with_the_one_that_it_drew(tmp_path):
    X, y = words(40)
    settings = {**QUICK, "epochs": 4, "patience": None, "dropout": 0.3, "random_state": None}
    whole = SequenceClassifier(**settings).fit(X, y, run=tmp_path / "whole")
    drawn = json.loads((tmp_path / "whole" / "config.json").read_text(encoding="utf-8"))["seed"]
    assert drawn == whole.random_state_
    SequenceClassifier(**{**settings, "random_state": drawn}).fit(X, y, run=tmp_path / "run")
    resumed = SequenceClassifier(**{**settings, "epochs": 5}).fit(X, y, run=tmp_path / "run", resume=True)
    assert resumed.random_state_ == drawn
    with pytest.raises(UsageError, match="another seed: it was"):
        SequenceClassifier(**{**settings, "random_state": drawn + 1}).fit(X, y, run=tmp_path / "run", resume=True)


def test_the_weights_of_the_best_pass_are_restored_and_training_ends_early():
    X, y = waves(80)
    drawn = np.random.default_rng(1)
    noisy = np.where(drawn.random(80) < 0.3, 1 - y, y)  # labels that can only be learned by heart
    settings = {**QUICK, "hidden_size": 32, "validation_fraction": 0.4, "calibrate": False, "schedule": "constant"}
    settings["summaries"] = False  # what the linear model has learned is no part of the loss in training
    model = SequenceClassifier(**settings, epochs=60, patience=6).fit(X, noisy)
    position = model.outcome_.position
    assert model.outcome_.reason == "patience"
    assert position.epoch < 60
    _, rest = model.parts(X, noisy)
    examples = model._examples(*rest)
    scores = torch.from_numpy(model._scores(examples))
    loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(np.asarray(examples.targets)))
    assert loss.item() == pytest.approx(position.best_loss, rel=1e-5)
    assert position.best_update < position.update


def test_the_held_out_part_has_every_class_and_is_what_the_user_names():
    X, _ = words(100)
    y = ["a"] * 80 + ["b"] * 20
    model = SequenceClassifier(**QUICK, epochs=1, validation_fraction=0.25)
    (_, train), (_, rest) = model.parts(X, y)
    assert len(rest) == 25
    assert list(rest).count("b") == 5
    assert len(train) == 75
    other = words(10, seed=3)
    assert model.parts(X, y, validation=other)[1][0].values == other[0]
    assert SequenceClassifier(**QUICK, validation_fraction=0).parts(X, y)[1] is None


def test_without_a_held_out_part_the_last_weights_stay():
    X, y = words(30)
    model = SequenceClassifier(**QUICK, epochs=2, validation_fraction=0).fit(X, y)
    assert model.outcome_.position.best_loss is None
    assert model.network_.temperature.item() == 1.0
    assert not model.network_.training


def test_a_loss_that_is_not_finite_is_said_with_its_update():
    X, y = waves(30)
    with pytest.raises(TrainingError, match=r"at update [12] .* became"):
        SequenceClassifier(**{**QUICK, "learning_rate": 1e30}, clip=0, epochs=5, weight_decay=1e30).fit(X, y)


def test_an_interrupted_fit_keeps_what_it_came_to(monkeypatch):
    X, y = words(60)
    batch = SequenceExamples.batch
    calls = []

    def counting(self, indices):
        calls.append(1)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGINT)
        return batch(self, indices)

    monkeypatch.setattr(SequenceExamples, "batch", counting)
    model = SequenceClassifier(**QUICK, epochs=500)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.outcome_.reason == "interrupted"
    assert model.outcome_.position.update < 12
    assert len(model.predict(X)) == 60


# --- run folders -----------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from loopcell import SequenceClassifier
from tests.tasks.small import QUICK, words
import os, signal
import loopcell.training.loop as loop
import torch
torch.set_num_threads(1)
if sys.argv[2] == "kill":
    save = loop.Trainer._save
    def killed(self, best):
        save(self, best)
        if self.position.update >= 12:
            os.kill(os.getpid(), signal.SIGKILL)
    loop.Trainer._save = killed
X, y = words(60)
model = SequenceClassifier(**QUICK, epochs=8, dropout=0.2, patience=None)
model.fit(X, y, run=sys.argv[1], resume=sys.argv[2] == "resume")
"""


def run(folder, how):
    return subprocess.run([sys.executable, "-c", PROGRAM, str(folder), how], cwd=TESTS, check=False).returncode


def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path):
    assert run(tmp_path / "whole", "whole") == 0
    assert run(tmp_path / "killed", "kill") == -signal.SIGKILL
    assert run(tmp_path / "killed", "resume") == 0
    whole = SequenceClassifier.load(tmp_path / "whole" / "model.safetensors")
    resumed = SequenceClassifier.load(tmp_path / "killed" / "model.safetensors")
    assert same(weights(whole), weights(resumed))


def test_a_run_goes_on_with_its_own_data_and_settings_only(tmp_path):
    X, y = words(40)
    model = SequenceClassifier(**QUICK, epochs=2)
    model.fit(X, y, run=tmp_path / "run")
    assert (tmp_path / "run" / "metrics.csv").read_text().count("\n") > 1
    with pytest.raises(UsageError, match="already exists and is not empty"):
        SequenceClassifier(**QUICK, epochs=2).fit(X, y, run=tmp_path / "run")
    with pytest.raises(UsageError, match="was started with other data; it can only go on with the same"):
        SequenceClassifier(**QUICK, epochs=2).fit(X[1:], y[1:], run=tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match=r"with other settings: learning_rate was .* and is 0\.5; it can only"):
        SequenceClassifier(**{**QUICK, "learning_rate": 0.5}, epochs=2).fit(X, y, run=tmp_path / "run", resume=True)
    again = SequenceClassifier(**QUICK, epochs=2, time_limit=1000).fit(X, y, run=tmp_path / "run", resume=True)
    assert same(weights(again), weights(model))  # it was complete: nothing is left to do
    longer = SequenceClassifier(**{**QUICK, "patience": None}, epochs=4).fit(X, y, run=tmp_path / "run", resume=True)
    assert longer.outcome_.position.epoch == 4
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert config["config"]["epochs"] == 4  # so that it goes on to there when it is killed now


def test_a_fit_that_fails_leaves_no_half_of_a_model():
    X, y = words(30)
    model = SequenceClassifier(**QUICK, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="nothing to tell apart"):
        model.fit(X, ["same"] * 30)
    with pytest.raises(ValueError, match="is not fitted yet"):
        model.predict(X)


def test_evaluation_of_the_engine_sees_every_example_once():
    X, y = words(50)
    model = SequenceClassifier(**QUICK, epochs=1, validation_fraction=0).fit(X, y)
    from loopcell.tasks.core.estimator.engine import NetworkStep, _reading

    examples = model._examples(*model.parts(X, y)[0])
    found = evaluate(NetworkStep(model.network_), _reading(examples, 7))
    assert found.predictions == 50
