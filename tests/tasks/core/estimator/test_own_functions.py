"""Functions of the user's: callbacks, an optimizer, a loss; and what is left of them in copies, files and runs."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.nn import functional

from loopcell import Forecaster, Seq2Seq, SequenceClassifier, SequenceRegressor
from loopcell.errors import UsageError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, reversals, waves, words

__all__ = ["one_thread"]

SHORT = {**QUICK, "epochs": 3, "patience": None}


def sgd(parameters, momentum=0.9):
    return torch.optim.SGD(parameters, lr=0.05, momentum=momentum)


def numbers(count=60):
    X, _ = waves(count)
    return X, np.array([steps[:, 1].mean() for steps in X])


def state(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_a_callback_is_given_each_row_of_the_history_and_may_stop():
    X, y = words(60)
    seen = []

    def callback(metrics):
        seen.append(metrics)
        return metrics["epoch"] == 2

    model = SequenceClassifier(**SHORT, callbacks=callback).fit(X, y)
    assert seen == model.history_
    assert [row["epoch"] for row in seen] == [1, 2]
    assert model.outcome_.reason == "callback"
    columns = ["epoch", "update", "seconds", "train_loss", "validation_loss", "learning_rate", "best"]
    assert list(seen[0]) == columns


def test_several_callbacks_all_hear_and_only_true_stops():
    X, y = words(60)
    heard = [], []
    callbacks = [lambda row: heard[0].append(row) or 1, lambda row: heard[1].append(row) or np.True_]
    model = SequenceClassifier(**SHORT, callbacks=callbacks).fit(X, y)
    assert [len(one) for one in heard] == [1, 1]
    model.set_params(callbacks=callbacks[:1]).fit(X, y)
    assert [len(one) for one in heard] == [4, 1]
    assert model.outcome_.reason == "complete"


def test_what_a_callback_does_to_its_row_is_its_own_affair():
    model = SequenceClassifier(**SHORT, callbacks=dict.clear).fit(*words(60))
    assert len(model.history_) == 3
    assert model.history_[0]["epoch"] == 1


def test_a_callback_of_texts_and_of_series():
    rows = []
    Seq2Seq(**SHORT, callbacks=rows.append).fit(*reversals(40))
    assert len(rows) == 3
    settings = {"history": 8, "horizon": 2, "hidden_size": 4, "epochs": 2, "patience": None, "callbacks": rows.append}
    Forecaster(**settings).fit(np.sin(np.arange(120) / 3))
    assert len(rows) == 5


def test_the_history_says_what_happened(tmp_path):
    X, y = words(60)
    model = SequenceClassifier(**SHORT).fit(X, y, run=tmp_path / "run")
    position = model.outcome_.position
    assert [row["epoch"] for row in model.history_] == [1, 2, 3]
    assert model.history_[-1]["update"] == position.update
    losses = [row["validation_loss"] for row in model.history_]
    assert min(losses) == position.best_loss
    assert [row["best"] for row in model.history_] == [loss == min(losses[: at + 1]) for at, loss in enumerate(losses)]
    longer = SequenceClassifier(**{**SHORT, "epochs": 5}).fit(X, y, run=tmp_path / "run", resume=True)
    assert longer.history_[:3] == model.history_
    assert [row["epoch"] for row in longer.history_] == [1, 2, 3, 4, 5]
    assert not hasattr(SequenceClassifier.load(tmp_path / "run"), "history_")
    assert pickle.loads(pickle.dumps(longer)).history_ == longer.history_


def test_the_history_without_a_held_out_part_is_a_frame():
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    model = SequenceClassifier(**SHORT, validation_fraction=0).fit(*words(60))
    for frame in (polars.DataFrame(model.history_), pandas.DataFrame(model.history_)):
        assert len(frame) == 3
        assert frame["train_loss"].max() < 1.0
        assert list(frame["validation_loss"]) == [None] * 3


# --- the optimizer ---------------------------------------------------------------------------------------------------


def test_an_optimizer_of_ones_own_makes_the_steps():
    X, y = words(60)
    adamw = partial(torch.optim.AdamW, lr=QUICK["learning_rate"], weight_decay=0.0)
    ours = SequenceClassifier(**SHORT, weight_decay=0.0).fit(X, y)
    theirs = SequenceClassifier(**SHORT, optimizer=adamw).fit(X, y)
    for name, weight in state(ours).items():
        torch.testing.assert_close(state(theirs)[name], weight, rtol=1e-4, atol=1e-5)
    assert [row["learning_rate"] for row in theirs.history_] == [row["learning_rate"] for row in ours.history_]
    other = SequenceClassifier(**SHORT, optimizer=sgd).fit(X, y)
    assert not same(state(other), state(ours))
    assert other.history_[0]["learning_rate"] <= 0.05


@pytest.mark.parametrize("make", [sgd, partial(sgd, momentum=0.0), torch.optim.RMSprop, torch.optim.Adagrad])
def test_a_run_with_it_goes_on_to_the_same_weights_with_it_only(make, tmp_path):
    X, y = words(60)
    settings = {**SHORT, "schedule": "constant", "warmup": 0, "optimizer": make}
    whole = SequenceClassifier(**{**settings, "epochs": 4}).fit(X, y)
    SequenceClassifier(**{**settings, "epochs": 2}).fit(X, y, run=tmp_path / "run")
    with pytest.raises(UsageError, match="was started with an optimizer of your own, which no file keeps: give opt"):
        SequenceClassifier(**{**settings, "optimizer": None}).fit(X, y, run=tmp_path / "run", resume=True)
    resumed = SequenceClassifier(**{**settings, "epochs": 4}).fit(X, y, run=tmp_path / "run", resume=True)
    assert same(state(resumed), state(whole))
    SequenceClassifier(**SHORT).fit(X, y, run=tmp_path / "other")
    with pytest.raises(UsageError, match="was started without an optimizer of your own: leave out optimizer="):
        SequenceClassifier(**SHORT, optimizer=make).fit(X, y, run=tmp_path / "other", resume=True)


@pytest.mark.parametrize(
    ("optimizer", "complaint"),
    [
        ("sgd", "optimizer: a function or another callable was expected, or None, got 'sgd'"),
        (lambda _: "sgd", "optimizer: the function has to return a torch.optim.Optimizer, got a str"),
        (lambda _: sgd([torch.zeros(2, requires_grad=True)]), "optimizer: it holds parameters that are not this"),
        (torch.optim.LBFGS, "optimizer: the step of LBFGS asks for a closure"),
    ],
)
def test_what_is_no_optimizer_is_refused(optimizer, complaint):
    with pytest.raises(UsageError, match=f"^{complaint}"):
        SequenceClassifier(**SHORT, optimizer=optimizer).fit(*words(40))


# --- the loss --------------------------------------------------------------------------------------------------------


def test_a_loss_of_ones_own_that_is_the_librarys_gives_the_same():
    X, y = words(60)
    ours = SequenceClassifier(**SHORT).fit(X, y)
    for loss in (functional.cross_entropy, torch.nn.CrossEntropyLoss(reduction="none")):
        theirs = SequenceClassifier(**SHORT, loss=loss).fit(X, y)
        np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-3, atol=1e-4)
    X, y = numbers()
    ours = SequenceRegressor(**SHORT, calibrate=False).fit(X, y)
    theirs = SequenceRegressor(**SHORT, loss=functional.mse_loss).fit(X, y)
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-3, atol=1e-4)


def test_a_quantile_is_learned_by_its_loss():
    drawn = np.random.default_rng(0)
    X, y = [drawn.normal(size=(3, 1)) for _ in range(400)], drawn.uniform(0, 1, 400)

    def pinball(predicted, true):
        assert predicted.shape == true.shape == (len(true),)  # in the form of y
        return torch.maximum(0.9 * (true - predicted), 0.1 * (predicted - true))

    model = SequenceRegressor(**{**SHORT, "epochs": 12}, loss=pinball).fit(X, y)
    assert 0.83 < np.mean(y < model.predict(X)) < 0.96


def test_weights_of_examples_weigh_a_loss_of_ones_own():
    X, y = numbers()
    weights = np.random.default_rng(0).uniform(0.1, 2.0, 60)
    ours = SequenceRegressor(**SHORT, calibrate=False).fit(X, y, weights)
    theirs = SequenceRegressor(**SHORT, loss=partial(functional.mse_loss, reduction="none")).fit(X, y, weights)
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-3, atol=1e-4)
    with pytest.raises(UsageError, match="with sample_weight the function has to return a loss for each example"):
        SequenceRegressor(**SHORT, loss=functional.mse_loss).fit(X, y, weights)


@pytest.mark.parametrize(
    ("loss", "complaint"),
    [
        (3, "loss: a function or another callable was expected, or None, got 3"),
        (lambda *_: 1.0, "loss: the function has to return a tensor of losses, got a float"),
        (lambda _, true: true.sum(), "loss: the function has to return a tensor of losses, got a tensor of torch.int"),
        (lambda given, _: given[:2].sum(1), r"loss: of \d+ examples the function has to return a loss for each"),
    ],
)
def test_what_is_no_loss_is_refused(loss, complaint):
    with pytest.raises(UsageError, match=f"^{complaint}"):
        SequenceClassifier(**SHORT, loss=loss).fit(*words(60))


def test_forecasts_by_a_loss_of_ones_own():
    wave = np.sin(np.arange(200) / 3)
    settings = {"history": 8, "horizon": 2, "hidden_size": 6, "epochs": 3, "random_state": 1, "head": "mean"}
    ours = Forecaster(**settings).fit(wave)
    for loss in (functional.mse_loss, partial(functional.mse_loss, reduction="none")):
        theirs = Forecaster(**settings, loss=loss).fit(wave)
        np.testing.assert_allclose(theirs.predict(wave)[0].mean, ours.predict(wave)[0].mean, rtol=1e-4, atol=1e-4)
    longer = {**settings, "epochs": 30, "learning_rate": 1e-2, "patience": None}
    low = Forecaster(**longer, loss=lambda told, true: torch.maximum(0.02 * (true - told), 0.98 * (told - true)))
    (found,) = low.fit(wave).backtest(wave)
    assert (found.mean < found.true).mean() > 0.8
    with pytest.raises(UsageError, match="a loss of your own is for head='mean', and the head is 'quantiles'"):
        Forecaster(**{**settings, "head": "quantiles"}, loss=functional.mse_loss).fit(wave)


def test_a_loss_of_ones_own_has_no_class_weights():
    with pytest.raises(UsageError, match="class_weight counts in the library's loss"):
        SequenceClassifier(**SHORT, loss=functional.cross_entropy, class_weight="balanced").fit(*words(40))


# --- copies, files, runs ---------------------------------------------------------------------------------------------


def test_copies_have_the_functions_and_files_do_not(tmp_path):
    X, y = words(60)
    heard = []
    settings = {**SHORT, "optimizer": sgd, "loss": functional.cross_entropy, "callbacks": [heard.append]}
    model = SequenceClassifier(**settings).fit(X, y, run=tmp_path / "run")
    copy = clone(model)
    assert (copy.optimizer, copy.loss) == (sgd, functional.cross_entropy)
    pickled = pickle.loads(pickle.dumps(model.set_params(callbacks=None)))
    assert pickled.optimizer is sgd
    assert (pickled.predict_proba(X) == model.predict_proba(X)).all()
    model.save(tmp_path / "m.safetensors")
    for path in (tmp_path / "m.safetensors", tmp_path / "run"):
        loaded = SequenceClassifier.load(path)
        assert (loaded.optimizer, loaded.loss, loaded.callbacks) == (None, None, None)
        assert (loaded.predict_proba(X) == model.predict_proba(X)).all()
    with pytest.raises(UsageError, match="was started with a loss of your own, which no file keeps: give loss= again"):
        SequenceClassifier(**SHORT, optimizer=sgd).fit(X, y, run=tmp_path / "run", resume=True)


def test_callbacks_are_no_part_of_a_run(tmp_path):
    X, y = words(60)
    stopped = SequenceClassifier(**SHORT, callbacks=lambda row: row["epoch"] == 1).fit(X, y, run=tmp_path / "run")
    assert stopped.outcome_.position.epoch == 1
    resumed = SequenceClassifier(**SHORT).fit(X, y, run=tmp_path / "run", resume=True)
    assert same(state(resumed), state(SequenceClassifier(**SHORT).fit(X, y)))
