"""The identity of a model: a state of one model is refused by another."""

from __future__ import annotations

import hashlib
import json

from loopcell.equations.serialise import fingerprint
from loopcell.export.step_model.stages import Delay, Equations, Lookup, MelBands, StepModel


def identity(model: StepModel) -> str:
    """Return 16 hexadecimal digits of a hash over what a model computes, its weights included."""
    total = hashlib.sha256()
    for stage in model.stages:
        about: list[object] = [type(stage).__name__, stage.gives.name, stage.gives.size]
        if isinstance(stage, Equations):
            about += [fingerprint(stage.graph), sorted(stage.sizes.items()), sorted(stage.reads.items())]
            arrays = dict(sorted(stage.parameters.items()))
        else:
            about += [stage.reads, stage.steps if isinstance(stage, Delay) else 0]
            arrays = {"table": stage.table} if isinstance(stage, Lookup) else {}
            arrays |= {"window": stage.window, "bank": stage.bank} if isinstance(stage, MelBands) else {}
        total.update(json.dumps(about).encode())
        for name, values in arrays.items():
            total.update(f"{name} {values.shape}".encode() + values.astype("<f4").tobytes())
    return total.hexdigest()[:16]
