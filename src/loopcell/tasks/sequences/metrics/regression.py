"""Metrics of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def regression_metrics(true: npt.NDArray[Any], given: npt.NDArray[Any], mean: npt.NDArray[Any]) -> dict[str, float]:
    """Measure mean squared and absolute error, and R2: what share of the mean's squared error is gone.

    Args:
        true: [N, K].
        given: [N, K].
        mean: [K], the training part's, which is the baseline of R2.
    """
    squared = float(((true - given) ** 2).mean())
    spread = float(((true - mean) ** 2).mean())
    return {
        "MSE": squared,
        "MAE": float(np.abs(true - given).mean()),
        "R2": 1.0 - squared / spread if spread else float("nan"),
    }
