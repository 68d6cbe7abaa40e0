"""Scales in a model file: tensors beside the weights, always of float64, whatever dtype the weights have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from loopcell.data.examples import Scale

PREFIX = "scale."

# Under which names format 1 had the same, in float32 among the weights: mean, size.
INPUT = ("reader.first.scaler.mean", "reader.first.scaler.scale")
SERIES = {"targets": ("mean", "size"), "covariates": ("covariate_mean", "covariate_size")}
BEFORE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "sequence-classifier": {"input": INPUT},
    "sequence-regressor": {"input": INPUT, "target": ("mean", "scale")},
    "sequence-tagger": {"input": INPUT},
    "seq2seq": {"input": INPUT},
    "captioner": {"input": INPUT},
    "forecaster": SERIES,
    "anomaly-detector": SERIES,
}


def scale_tensors(scales: Mapping[str, Scale]) -> dict[str, Tensor]:
    """Return the tensors of some scales by the names that they have in a file."""
    return {
        f"{PREFIX}{name}.{part}": torch.from_numpy(np.array(values, np.float64))
        for name, scale in scales.items()
        for part, values in scale._asdict().items()
    }


def take_scales(tensors: dict[str, Tensor], task: str) -> dict[str, Scale]:
    """Take the scales out of a file's tensors, also of a file of format 1.

    Raises:
        ValueError: one of them is no scale.
    """
    for name, before in BEFORE.get(task, {}).items():
        if before[0] in tensors and before[1] in tensors:
            for part, old in zip(Scale._fields, before, strict=True):
                tensors[f"{PREFIX}{name}.{part}"] = tensors.pop(old).double()
    names = sorted({name.removeprefix(PREFIX).rpartition(".")[0] for name in tensors if name.startswith(PREFIX)})
    return {name: _checked(name, *(tensors.pop(f"{PREFIX}{name}.{part}") for part in Scale._fields)) for name in names}


def _checked(name: str, mean: Tensor, size: Tensor) -> Scale:
    numbers = mean.dtype == size.dtype == torch.float64 and mean.shape == size.shape
    if not numbers or not bool(torch.isfinite(mean).all() & torch.isfinite(size).all() & (size > 0).all()):
        raise ValueError(f"its scale of {name[:80]} is none")
    return Scale(mean.numpy(), size.numpy())


def demand_shape(scale: Scale, *shape: int) -> Scale:
    """Return a scale, where it is of the shape that the network asks for; else ValueError."""
    if scale.mean.shape != shape:
        raise ValueError(f"a scale is of shape {list(scale.mean.shape)} and should be {list(shape)}")
    return scale
