"""`n_features_in_` and `feature_names_in_`, as scikit-learn has them: of X that is a table, an array [N, F] or a frame.

A row is a sequence of F numbers there. Sequences may have any length, so an array of another width is read, too; a
frame has to have the columns of training, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names

from loopcell.data.examples import is_table
from loopcell.errors import DataError
from loopcell.tasks.core.frames import as_rows, width_of


def learn_features(estimator: Any, X: Any) -> Any:
    """Keep how many columns X has, and their names, and return X with a frame of numbers as an array.

    Raises:
        DataError: X has no column, or complex numbers.
    """
    for name in ("n_features_in_", "feature_names_in_"):
        estimator.__dict__.pop(name, None)
    rows = as_rows(X, "X")
    width = None if is_table(rows) else width_of(rows)  # a frame that is left has texts in it
    if width == 0:
        raise DataError(f"X has 0 feature(s) (shape={rows.shape}) while a minimum of 1 is required.")
    if getattr(getattr(rows, "dtype", None), "kind", "") == "c":
        raise DataError("Complex data not supported: give the real and the imaginary part as two numbers of a step")
    if width is not None:
        estimator.n_features_in_ = width
        if is_table(X):
            _check_feature_names(estimator, X, reset=True)
    return rows


def known_features(estimator: Any, X: Any) -> Any:
    """Return X with a frame of numbers as an array, where training had a table too.

    Raises:
        DataError: it is a frame with other columns than that of training.
    """
    if not hasattr(estimator, "n_features_in_") or not is_table(X):
        return X
    try:
        _check_feature_names(estimator, X, reset=False)
    except ValueError as error:
        raise DataError(str(error)) from error
    return as_rows(X, "X")


def features_to_json(estimator: Any) -> dict[str, Any]:
    """Return what is kept of the columns, for a model file; nothing where X was no table."""
    if not hasattr(estimator, "n_features_in_"):
        return {}
    names = getattr(estimator, "feature_names_in_", None)
    return {"features_in": {"count": estimator.n_features_in_, "names": None if names is None else names.tolist()}}


def restore_features(estimator: Any, facts: Mapping[str, Any]) -> None:
    """Put back what `features_to_json` gave; any exception when it was not given by it."""
    if "features_in" not in facts:
        return
    count, names = facts["features_in"]["count"], facts["features_in"]["names"]
    if type(count) is not int or count < 1:
        raise ValueError("its number of features is none")
    if names is not None:
        if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
            raise ValueError("its features have no name each")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    estimator.n_features_in_ = count
