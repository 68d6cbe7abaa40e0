"""Arguments as scikit-learn has them: stored as given, read back, copied, searched over."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from loopcell import Seq2Seq, SequenceClassifier, SequenceRegressor, SequenceTagger, cell, tanh
from loopcell.errors import UsageError
from loopcell.tasks.core.settings import checked
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, parities, waves, words

__all__ = ["one_thread"]

ALL = (Seq2Seq, SequenceClassifier, SequenceRegressor, SequenceTagger)


@cell
def plain(x, h, *, W, U, b):
    return tanh(W.h @ x + U.h @ h + b.h)


@pytest.mark.parametrize("kind", ALL)
def test_arguments_are_stored_as_given_and_copied(kind):
    given = {"cell": plain, "hidden_size": np.int64(7), "random_state": np.random.RandomState(3), "sizes": {}}
    estimator = kind(**given)
    assert all(estimator.get_params()[name] is value for name, value in given.items())
    copy = clone(estimator.set_params(dropout=0.5))
    assert copy.dropout == 0.5
    assert copy.hidden_size == 7
    assert copy.cell.fingerprint == plain.fingerprint
    assert "dropout=0.5" in repr(copy)
    with pytest.raises(TypeError):
        kind("lstm")  # keywords only
    with pytest.raises(UsageError, match=f"^{kind.__name__} has no argument 'hidden': did you mean hidden_size\\?$"):
        kind(hidden=64)
    with pytest.raises(ValueError, match="Invalid parameter 'hiden'"):
        estimator.set_params(hiden=3)


def test_what_scikit_learn_takes_them_for():
    assert is_classifier(SequenceClassifier())
    assert is_regressor(SequenceRegressor())
    assert not is_classifier(SequenceTagger())


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("hidden_size", 0, "hidden_size: input should be greater than or equal to 1, got 0"),
        ("dropout", 1.0, "dropout: input should be less than 1, got 1.0"),
        ("cell", 5, "cell: a cell is a name of loopcell.cells or made by @cell, got 5"),
        ("random_state", -1, "random_state: a random state is a whole number below 4294901760"),
        ("device", "tpu", "device: a device is auto, cpu, cuda, cuda:N or mps, got 'tpu'"),
        ("learning_rate", float("nan"), "learning_rate: input should be a finite number, got nan"),
        ("validation_fraction", 1.0, "validation_fraction: input should be less than 1, got 1.0"),
        ("tokens", "syllable", "unknown kind of tokens 'syllable'"),
    ],
)
def test_an_argument_out_of_its_bounds_is_named_by_fit(name, value, complaint):
    X, y = words(10)
    with pytest.raises(UsageError) as caught:
        SequenceClassifier(**{**QUICK, "epochs": 1, name: value}).fit(X, y)
    assert str(caught.value).startswith(complaint)


def test_numbers_of_a_grid_are_plain_numbers_when_checked():
    settings = checked(SequenceClassifier(hidden_size=np.int64(5), dropout=np.float64(0.25)))
    assert (settings.hidden_size, settings.dropout) == (5, 0.25)
    assert type(settings.hidden_size) is int


def test_a_grid_search_over_ragged_input_in_a_pipeline():
    X, y = words(60)
    upper = FunctionTransformer(lambda texts: [text.upper() for text in texts])
    pipeline = make_pipeline(upper, SequenceClassifier(**{**QUICK, "epochs": 2}))
    search = GridSearchCV(pipeline, {"sequenceclassifier__hidden_size": np.array([4, 8])}, cv=2).fit(X, y)
    assert search.best_params_["sequenceclassifier__hidden_size"] in (4, 8)
    assert len(search.predict(["ab", "a"])) == 2
    assert search.best_estimator_[-1].input_.vocabulary.encode("AB").min() > 0


def test_cross_validation_of_arrays_and_of_taggers():
    assert cross_val_score(SequenceClassifier(**QUICK, epochs=2), *waves(40), cv=2).shape == (2,)
    assert cross_val_score(SequenceTagger(**QUICK, epochs=2), *parities(40), cv=2).shape == (2,)
    X, y = waves(40)
    assert cross_val_score(SequenceRegressor(**QUICK, epochs=2), X, y.astype(float), cv=2).shape == (2,)


def test_a_frames_column_whose_index_has_gaps():
    pandas = pytest.importorskip("pandas")
    X, y = words(40)
    frame = pandas.DataFrame({"text": X, "label": y})[10:]
    model = SequenceClassifier(**QUICK, epochs=1).fit(frame["text"], frame["label"])
    assert len(model.predict(frame["text"])) == 30
    with pytest.raises(ValueError, match=r"X is a table; give one column of it, such as table\['text'\]"):
        model.predict(frame)
