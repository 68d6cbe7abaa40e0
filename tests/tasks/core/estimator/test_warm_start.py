"""warm_start: fit goes on from the weights, vocabularies, labels and scales that there are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell import AnomalyDetector, Forecaster, Seq2Seq, SequenceClassifier, SequenceRegressor, cell, tanh
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, reversals, waves, words

__all__ = ["one_thread"]

SHORT = {**QUICK, "epochs": 2, "validation_fraction": 0}


@cell
def gruish(x, h, *, W, U, b):
    return tanh(W.h @ x + U.h @ h + b.h)


def state(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_pass_of_a_tiny_rate_hardly_moves_the_weights_and_without_it_all_begins_anew():
    X, y = words(60)
    model = SequenceClassifier(**SHORT, warm_start=True).fit(X, y)
    before = state(model)
    model.set_params(learning_rate=1e-9, weight_decay=0.0, epochs=1).fit(X[:30], y[:30])
    for name, weight in before.items():
        if weight.is_floating_point():
            torch.testing.assert_close(model.network_.state_dict()[name], weight, rtol=0, atol=1e-6)
    assert int(model.network_.examples) == 30  # what training counts is that of the last fit
    anew = model.set_params(warm_start=False).fit(X, y)
    assert not torch.allclose(anew.network_.head.weight, before["head.weight"], atol=1e-3)


def test_passes_in_several_fits_learn_as_passes_of_one():
    X, y = words(120)
    model = SequenceClassifier(**{**SHORT, "epochs": 8}, schedule="constant", warm_start=True)
    losses = [model.fit(X, y).history_[-1]["train_loss"] for _ in range(4)]
    assert losses[-1] < 0.6 * losses[0]
    assert model.score(X, y) > 0.95


def test_vocabulary_labels_and_scales_stay():
    model = SequenceClassifier(**SHORT, warm_start=True).fit(*words(60))
    vocabulary = model.input_.to_json()
    model.fit(["abc", "bcb"] * 10, ["other", "same"] * 10)  # c is unknown
    assert model.input_.to_json() == vocabulary
    with pytest.raises(DataError, match=r"y\[1\]: the label 'third' is not among those of the training data"):
        model.fit(["ab", "ba"] * 10, ["same", "third"] * 10)
    assert model.predict(["ab"]).shape == (1,)  # a fit that fails leaves the network that it was to go on from
    X, y = waves(60)
    regressor = SequenceRegressor(**SHORT, warm_start=True).fit(X, y)
    scale = regressor.target_scale_, regressor.input_.scale
    regressor.fit([10 * x for x in X], 10 * y)
    assert (regressor.target_scale_, regressor.input_.scale) == scale


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"hidden_size": 8}, "hidden_size=16, not 8: leave hidden_size as it was"),
        ({"cell": "lstm"}, "another cell: leave cell as it was"),
        ({"cell": gruish}, "another cell"),
        ({"bidirectional": True}, "bidirectional=False, not True"),
        ({"tokens": "word"}, "tokens='char', not 'word'"),
        ({"pooling": "mean"}, "pooling='auto', not 'mean'"),
    ],
)
def test_another_network_is_refused(changed, complaint):
    X, y = words(40)
    model = SequenceClassifier(**SHORT, warm_start=True).fit(X, y)
    told = model.predict_proba(X)
    with pytest.raises(UsageError, match=f"^warm_start goes on from weights that were trained with {complaint}"):
        model.set_params(**changed).fit(X, y)
    old = {name: {**SHORT, "bidirectional": False, "tokens": "char", "pooling": "auto"}[name] for name in changed}
    assert (model.set_params(**old).predict_proba(X) == told).all()


def test_a_loaded_model_goes_on_too_and_what_is_no_structure_may_change(tmp_path):
    X, y = words(60)
    SequenceClassifier(**SHORT).fit(X, y).save(tmp_path / "m.safetensors")
    model = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert model.warm_start is False
    before = state(model)
    changed = {"warm_start": True, "learning_rate": 1e-9, "weight_decay": 0.0, "dropout": 0.1, "random_state": 2}
    model.set_params(**changed, batch_size=8, device="cpu").fit(X, y)
    torch.testing.assert_close(state(model)["head.weight"], before["head.weight"], rtol=0, atol=1e-6)
    with pytest.raises(UsageError, match="num_layers=1, not 2"):
        SequenceClassifier.load(tmp_path / "m.safetensors").set_params(warm_start=True, num_layers=2).fit(X, y)


def test_texts_go_on():
    X, y = reversals(60)
    model = Seq2Seq(**SHORT, warm_start=True).fit(X, y)
    longest, before = model.longest_, state(model)
    model.set_params(learning_rate=1e-9, weight_decay=0.0, epochs=1).fit(X[:20], [text[:2] for text in y[:20]])
    assert model.longest_ == longest
    torch.testing.assert_close(
        state(model)["decoder.embedding.weight"], before["decoder.embedding.weight"], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("kind", [Forecaster, AnomalyDetector])
def test_series_go_on_with_their_scales(kind):
    wave = np.sin(np.arange(200) / 3)
    settings = {"history": 8, "horizon": 2, "hidden_size": 6, "epochs": 2, "validation_fraction": 0.3}
    model = kind(**settings, random_state=1, warm_start=True).fit(wave[:150])
    before, scale = state(model), model.scales_["targets"]
    model.set_params(learning_rate=1e-9, weight_decay=0.0, epochs=1).fit(wave[50:] * 2)
    assert model.scales_["targets"] is scale
    torch.testing.assert_close(state(model)["context.weight"], before["context.weight"], rtol=0, atol=1e-6)
    with pytest.raises(UsageError, match="history=8, not 9"):
        model.set_params(history=9).fit(wave)
