"""The peers that are here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from benchmarks.comparison import Absent, Entry

NAMES = {"torch_nn": "torch.nn", "jax": "JAX", "onnxruntime": "ONNX Runtime"}
"""The peers by their modules."""


def peer(module: str) -> ModuleType | Absent:
    """Return a peer's module; why it is absent, where a library of it is not installed."""
    try:
        return importlib.import_module(f"benchmarks.peers.{module}")
    except ModuleNotFoundError as error:
        return Absent(NAMES[module], f"{error.name} is not installed")


def peers(modules: Sequence[str], ready: Callable[[Any], Entry]) -> list[Entry | Absent]:
    """Return peers, ready for a job.

    Args:
        modules: the modules of those that can do it.
        ready: from a peer's module to the entry, such as `lambda peer: peer.forward(task, truth)`.
    """
    found = [peer(module) for module in modules]
    return [one if isinstance(one, Absent) else ready(one) for one in found]
