"""Drawn data for the check of an export, where a user gave none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.export.step_model import StepModel


def drawn(model: StepModel, steps: int = 9) -> dict[str, npt.NDArray[Any]]:
    """Return a sequence for each input of a model, drawn: normal numbers, and tokens of its tables."""
    rng = np.random.default_rng(0)
    return {
        one.name: rng.integers(max(1, model.tokens(one.name)), size=steps)
        if one.kind == "token"
        else rng.normal(size=(steps, one.size)).astype(np.float32)
        for one in model.inputs
    }
