"""The identity of a model: a state of one model is refused by another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from loopcell.equations.serialise import fingerprint
from loopcell.export.step_model.stages import Delay, Equations, Lookup, MelBands, Slice, Stage, StepModel


def identity(model: StepModel) -> str:
    """Return 16 hexadecimal digits of a hash over what a model computes, its weights included."""
    total = hashlib.sha256()
    for stage in model.stages:
        _add(total, stage, [type(stage).__name__, stage.gives.name, stage.gives.size], stage.reads)
    return total.hexdigest()[:16]


def digest_of(stage: Stage, reads: Sequence[str]) -> str:
    """Return a hash over what a stage computes, whatever it is called, of what `reads` tells apart.

    Args:
        stage: of any kind.
        reads: a text for each quantity that it reads, in its order.
    """
    total = hashlib.sha256()
    named = dict(zip(stage.reads, reads, strict=True)) if isinstance(stage, Equations) else list(reads)
    _add(total, stage, [type(stage).__name__, stage.gives.size], named)
    return total.hexdigest()


def _shift(stage: Stage) -> int:
    return stage.steps if isinstance(stage, Delay) else stage.start if isinstance(stage, Slice) else 0


def _add(total: Any, stage: Stage, about: list[object], reads: object) -> None:
    """Add to a hash what a stage computes."""
    if isinstance(stage, Equations):
        assert isinstance(reads, Mapping)
        about += [fingerprint(stage.graph), sorted(stage.sizes.items()), sorted(reads.items())]
        arrays = dict(sorted(stage.parameters.items()))
    else:
        about += [reads, _shift(stage)]
        arrays = {"table": stage.table} if isinstance(stage, Lookup) else {}
        arrays |= {"window": stage.window, "bank": stage.bank} if isinstance(stage, MelBands) else {}
    total.update(json.dumps(about).encode())
    for name, values in arrays.items():
        total.update(f"{name} {values.shape}".encode() + values.astype("<f4").tobytes())
