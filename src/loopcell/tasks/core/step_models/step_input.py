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
        notes: what the caller of a step has to know.
    """

    inputs: tuple[Quantity, ...]
    stages: tuple[Stage, ...]
    gives: Quantity
    further: Mapping[str, str] = {}
    facts: Mapping[str, object] = {}
    frames: Frames | None = None
    notes: tuple[str, ...] = ()


COARSE = 1e-3  # of a deviation: what two neighbouring floats may differ by


def as_scale(scale: Scale) -> tuple[Floats, Floats]:
    """Return the mean and the deviation of a scale in float32.

    Raises:
        UsageError: float32 does not reach them, or is so coarse there that it tells hardly one value from another.
    """
    mean, size = (part.astype(np.float32) for part in scale)
    if not np.isfinite([mean, size]).all() or not size.all():
        raise UsageError("the scale of the training data is beyond float32, in which a step model computes")
    coarse = np.flatnonzero(np.spacing(np.abs(mean)) > COARSE * size)
    if len(coarse):
        at = int(coarse[0])
        raise UsageError(
            f"number {at + 1} of a step is about {scale.mean[at]:.6g} with a deviation of {scale.size[at]:.3g}, and "
            f"float32, in which a step model computes, has steps of {float(np.spacing(np.abs(mean[at]))):.3g} there: "
            "train on numbers from which a fixed offset was taken off"
        )
    return mean, size
