"""help() of an estimator names every argument with its default and meaning."""

import pydoc
import re

import pytest

import loopcell

ESTIMATORS = [
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "Seq2Seq",
    "Forecaster",
    "AnomalyDetector",
    "LanguageModel",
]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_help_names_every_argument_with_default_and_meaning(name: str) -> None:
    estimator = getattr(loopcell, name)
    text = pydoc.plain(pydoc.render_doc(estimator))
    for argument, default in estimator().get_params(deep=False).items():
        entry = re.search(rf"^ \|\s+{argument}: (\w.*) Default: (.*)\.$", text, re.MULTILINE)
        assert entry is not None, argument
        assert len(entry[1].split()) >= 3, argument
        assert entry[2] == repr(default), argument
