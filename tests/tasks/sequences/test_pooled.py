"""The pooling that "auto" comes to: what the estimator keeps of it, and what a file does."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import SequenceClassifier, SequenceRegressor
from loopcell.tasks.core.networks.pooling import LastPooling, MaxPooling
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]


def noise(steps, count=12):
    drawn = np.random.default_rng(0)
    return list(drawn.normal(size=(count, steps, 2))), [index % 2 for index in range(count)]


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
@pytest.mark.parametrize(("steps", "name", "module"), [(8, "last", LastPooling), (60, "max", MaxPooling)])
def test_it_is_kept_beside_the_setting(kind, steps, name, module, tmp_path):
    X, y = noise(steps)
    model = kind(**QUICK, epochs=1).fit(X, y)
    assert (model.pooling, model.pooling_) == ("auto", name)
    assert isinstance(model.network_.pooling, module)
    model.save(tmp_path / "model.safetensors")
    again = kind.load(tmp_path / "model.safetensors")
    assert (again.pooling, again.pooling_) == ("auto", name)
    assert (again.predict(X) == model.predict(X)).all()
    assert kind(**QUICK, epochs=1, pooling=name).fit(X, y).predict(X).tolist() == model.predict(X).tolist()


def test_it_is_chosen_anew_by_every_fit():
    model = SequenceClassifier(**QUICK, epochs=1).fit(*noise(60))
    assert model.fit(*noise(8)).pooling_ == "last"


def test_a_file_holds_what_the_network_was_trained_with(tmp_path):
    X, y = noise(60)
    model = SequenceClassifier(**QUICK, epochs=1).fit(X, y)
    said = model.predict_proba(X)
    model.set_params(pooling="mean").save(tmp_path / "model.safetensors")
    assert (SequenceClassifier.load(tmp_path / "model.safetensors").predict_proba(X) == said).all()
