"""Training with truncated backpropagation through time, for any task."""

from loopcell.training.config import (
    Hardware,
    Intervals,
    Optimization,
    RunLength,
    TrainingConfig,
    Truncation,
    configure,
)

__all__ = ["Hardware", "Optimization", "Intervals", "RunLength", "TrainingConfig", "Truncation", "configure"]
