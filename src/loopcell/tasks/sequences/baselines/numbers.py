"""Ridge regression on features that see no order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from loopcell.tasks.core.inputs import Input
from loopcell.tasks.sequences.baselines.sequences import features_of, first_ones


def ridge(
    kind: Input, training: tuple[Sequence[Any], npt.NDArray[Any]], X: Sequence[Any]
) -> tuple[str, npt.NDArray[np.float64]]:
    """Return a ridge regression's name, and its numbers [N, K] for examples that it did not learn from."""
    features, name = features_of(kind)
    known, targets, few = first_ones(*training)
    pipeline = make_pipeline(features, Ridge()).fit(known, targets)
    return f"{name} ridge{few}", pipeline.predict(list(X)).reshape(len(X), -1)
