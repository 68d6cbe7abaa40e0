"""Training with truncated backpropagation through time, for any task."""

from loopcell.training.config import (
    Hardware,
    Optimization,
    Rhythm,
    RunLength,
    TrainingConfig,
    Truncation,
    configure,
)

__all__ = ["Hardware", "Optimization", "Rhythm", "RunLength", "TrainingConfig", "Truncation", "configure"]
