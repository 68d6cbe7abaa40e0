"""The kinds of numbers that matrices and tables are stored in: 32, 16 or 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from loopcell.backends.quantise import int8_rows
from loopcell.errors import UsageError
from loopcell.export.step_model import Equations, Lookup, Stage, StepModel
from loopcell.export.step_model.stages import Floats

Stored: TypeAlias = tuple[npt.NDArray[Any], Floats | None]


@dataclass(frozen=True)
class WeightKind:
    """One kind of numbers for matrices and tables; vectors, such as biases, are float32 in all.

    Attributes:
        c_type: the type of a number in C.
        wide: the spelling in C of a number {0} as a float.
        store: from rows [m, n] to the numbers that are stored, and a scale for each row where it has one.
        restore: from what is stored to the rows that it means.
        grain: by how much of itself a number of a product is rounded at a step.
    """

    c_type: str
    wide: str
    store: Callable[[Floats], Stored]
    restore: Callable[[Stored], Floats]
    grain: float = 2.0**-24


def _to_bfloat16(rows: Floats) -> Stored:
    bits = torch.from_numpy(np.ascontiguousarray(rows)).bfloat16().view(torch.int16).numpy()
    return bits.view(np.uint16), None


def _from_bfloat16(stored: Stored) -> Floats:
    widened: Floats = (stored[0].astype(np.uint32) << 16).view(np.float32)
    return widened


def _to_int8(rows: Floats) -> Stored:
    found = int8_rows("weights", torch.from_numpy(np.ascontiguousarray(rows)))
    return found.values.numpy(), found.scales.numpy()


def _from_int8(stored: Stored) -> Floats:
    values, scales = stored
    assert scales is not None  # each row has one
    widened: Floats = values.astype(np.float32) * scales[:, None]
    return widened


KINDS: Mapping[str, WeightKind] = {
    "float32": WeightKind("float", "{0}", lambda rows: (rows, None), lambda stored: stored[0]),
    "bfloat16": WeightKind("uint16_t", "float_of((uint32_t){0} << 16)", _to_bfloat16, _from_bfloat16),
    "int8": WeightKind("int8_t", "(float){0}", _to_int8, _from_int8, grain=2.0**-15),
}
"""By the name that --weights takes."""


def weight_kind(name: str) -> WeightKind:
    """Return a kind by its name; UsageError lists them."""
    if name not in KINDS:
        raise UsageError(f"there is no weights={name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]


def as_stored(model: StepModel, kind: WeightKind) -> StepModel:
    """Return the model with its matrices and tables as they are once they have been stored."""
    return replace(model, stages=tuple(_stage_as_stored(stage, kind) for stage in model.stages))


def _stage_as_stored(stage: Stage, kind: WeightKind) -> Stage:
    if isinstance(stage, Lookup):
        return replace(stage, table=kind.restore(kind.store(stage.table)))
    if not isinstance(stage, Equations):
        return stage
    parameters = {
        name: kind.restore(kind.store(value)) if value.ndim == 2 else value for name, value in stage.parameters.items()
    }
    return replace(stage, parameters=parameters)
