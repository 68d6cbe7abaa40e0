"""Comparison: cells on one job under the same budget, what each reaches, how far back, and what it costs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopcell.comparison.comparing import compare as compare
    from loopcell.comparison.on_data import OnData as OnData
    from loopcell.comparison.on_problem import OnProblem as OnProblem
    from loopcell.comparison.problems import (
        Problem as Problem,
        adding_problem as adding_problem,
        copying_problem as copying_problem,
        delayed_recall as delayed_recall,
    )
    from loopcell.comparison.results import (
        CellCost as CellCost,
        CellScore as CellScore,
        ComparedRun as ComparedRun,
        Comparison as Comparison,
    )

# Imported when they are asked for: the command line takes the settings from here, and does not wait for torch.
_HOMES = {
    "comparing": ("compare",),
    "on_data": ("OnData",),
    "on_problem": ("OnProblem",),
    "problems": ("Problem", "adding_problem", "copying_problem", "delayed_recall"),
    "results": ("CellCost", "CellScore", "ComparedRun", "Comparison"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - made from the one table above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'loopcell.comparison' has no attribute {name!r}")
    return getattr(import_module(f"loopcell.comparison.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
