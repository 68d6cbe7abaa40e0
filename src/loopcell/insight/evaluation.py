"""Evaluation for a while: what is looked at has no dropout and no draws, and is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_evaluation(model: object) -> Iterator[None]:
    """Put a module in evaluation within the block, and each of its parts back to what it was.

    Args:
        model: a module; what is none, such as a function, is left alone.
    """
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, nn.Module) else []
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, training in modes:
            module.training = training
