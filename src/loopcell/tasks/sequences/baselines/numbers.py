"""Ridge regression on features that see no order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import Ridge

from loopcell.tasks.core.inputs import Input
from loopcell.tasks.core.inputs.static import StaticInput
from loopcell.tasks.sequences.baselines.sequences import Unordered


def ridge(
    kind: Input,
    training: tuple[Sequence[Any], npt.NDArray[Any]],
    X: Sequence[Any],
    static: StaticInput | None = None,
) -> tuple[str, npt.NDArray[np.float64]]:
    """Return a ridge regression's name, and its numbers [N, K] for examples that it did not learn from."""
    fitted = Unordered(kind, static, Ridge()).fit(*training)
    return f"{fitted.name} ridge{fitted.few}", fitted.said(X, fitted.model.predict).reshape(len(X), -1)
