"""scikit-learn's own checks of an estimator, with every exception and its reason; X is an array [N, F] in them."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import check_classifiers_train, check_regressors_train, parametrize_with_checks

from loopcell import SequenceClassifier, SequenceRegressor
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

SMALL = {"cell": "rnn", "hidden_size": 8, "batch_size": 32, "warmup": 2, "learning_rate": 0.02, "random_state": 0}
QUICK = {**SMALL, "validation_fraction": 0}

ANY_LENGTH = "a row of an array is a sequence, which may have any length: another number of columns is no error"
BOTH = {
    "check_n_features_in_after_fitting": ANY_LENGTH,
    "check_sample_weight_equivalence_on_dense_data": (
        "an example of weight 2 is drawn once a pass and one given twice is drawn twice, in other batches: the loss is "
        "the same, the course of training is not; that a weight of 0 is an absent example, to the last bit, is tested "
        "in estimator/test_weights.py"
    ),
}
EXPECTED = {
    "SequenceClassifier": BOTH
    | {
        "check_classifiers_train": f"at its end, as a test below shows: {ANY_LENGTH}",
        "check_classifiers_multilabel_representation_invariance": (
            "y as a list of lists is a list of labels each, [[0, 1]] the labels 0 and 1, where scikit-learn reads rows "
            "of a matrix; an array [N, K] of zeros and ones is read as one"
        ),
        "check_supervised_y_2d": "y of the shape [N, 1] could be a label each or a set of one: a sentence refuses it",
    },
    "SequenceRegressor": BOTH
    | {"check_regressors_train": "asks for an R2 of 0.5, which takes more passes: a test below makes them"},
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks(
    [SequenceClassifier(**QUICK, epochs=4), SequenceRegressor(**QUICK, epochs=2)],
    expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__],
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_the_check_of_a_classifiers_training_gets_to_its_last_question():
    with pytest.raises(AssertionError, match="when the number of features in predict is different"):
        check_classifiers_train("SequenceClassifier", SequenceClassifier(**SMALL, epochs=4))


def test_the_check_of_a_regressors_training_holds_with_more_passes():
    settings = {**SMALL, "hidden_size": 16, "batch_size": 16}
    check_regressors_train("SequenceRegressor", SequenceRegressor(**settings, epochs=30))
