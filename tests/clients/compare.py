"""Comparing the numbers of two runs of a program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Numbers = Mapping[str, Sequence[float]]


def furthest(torchs: Numbers, ours: Numbers) -> float:
    """Return the largest difference of two runs, relative to the largest number of its list; infinite where they differ
    in what is there or in what is finite.
    """
    if {name: len(one) for name, one in torchs.items()} != {name: len(one) for name, one in ours.items()}:
        return math.inf
    return max((_difference(one, ours[name]) for name, one in torchs.items()), default=math.inf)


def _difference(left: Sequence[float], right: Sequence[float]) -> float:
    if not left:
        return math.inf
    finite = [math.isfinite(a) and math.isfinite(b) for a, b in zip(left, right, strict=True)]
    if not all(finite):
        return math.inf
    scale = max(1e-30, *map(abs, left))
    return max(abs(a - b) for a, b in zip(left, right, strict=True)) / scale


def complaint(torchs: Mapping[str, Mapping[str, int]], ours: Mapping[str, Mapping[str, int]]) -> str:
    """Say what is wrong with whose modules were called, or "" where each side ran its own, equally often."""
    theirs = {name.partition(".")[2]: count for name, count in torchs["calls"].items() if name.startswith("torch.")}
    placed = {name.partition(".")[2]: count for name, count in ours["calls"].items() if name.startswith("loopcell.")}
    if not theirs:
        return "the program calls no recurrent module of torch.nn"
    if any(name.startswith("torch.") for name in ours["calls"]):
        return f"a module of torch.nn was called in the run with ours: {ours['calls']}"
    return "" if theirs == placed else f"called {theirs} times with torch.nn, {placed} with ours"
