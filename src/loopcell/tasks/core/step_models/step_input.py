"""The start of a step: the inputs of the model, and what makes of them what the recurrent layers read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from loopcell.data.examples import Scale
from loopcell.errors import UsageError
from loopcell.export.step_model import Frames, Quantity, Stage
from loopcell.export.step_model.stages import Floats


class StepInput(NamedTuple):
    """The start of a step.

    Attributes:
        inputs: of the model.
        stages: what makes x of them.
        gives: x, which the first recurrent layer reads.
        further: the quantities of what the cell reads beside x, by name.
        facts: for the manifest: tokens, names of columns.
        frames: how a step is cut out of a sound; None where it comes as it is.
    """

    inputs: tuple[Quantity, ...]
    stages: tuple[Stage, ...]
    gives: Quantity
    further: Mapping[str, str] = {}
    facts: Mapping[str, object] = {}
    frames: Frames | None = None


def as_scale(scale: Scale) -> tuple[Floats, Floats]:
    """Return the mean and the deviation of a scale in float32.

    Raises:
        UsageError: float32 does not reach them.
    """
    mean, size = (part.astype(np.float32) for part in scale)
    if not np.isfinite([mean, size]).all() or not size.all():
        raise UsageError("the scale of the training data is beyond float32, in which a step model computes")
    return mean, size
