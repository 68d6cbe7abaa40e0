"""Which path runs a network, and why: a fall-back is never silent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What will run.

    Attributes:
        cell: the cell's name.
        path: the name of the back end.
        reason: why this one.
    """

    cell: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.cell}: {self.path} ({self.reason})"


def choose(cell: str) -> Plan:
    """Choose the path for a cell."""
    return Plan(cell, "reference", "plain PyTorch, step by step; the fused kernels are not part of this version")
