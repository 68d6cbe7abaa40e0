"""Drawn cells whose products are narrow: kernels on tiles beside equations that round where the kernels round.

The tiles are those of the model of AMX in C, or with `LOOPCELL_BF16=amx` of AMX. What narrow products may change
follows from the case: how far the equations in float64 move when every product has its operands rounded. Kernels may
be a few times as far from the rounded equations. Where rounding decides something else (a number half way between two
of bfloat16, the edge of a `where`), two right answers differ by more; so a case is run on other data before it fails.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import loopcell
from benchmarks.drawn_cells import FACTOR, OTHER_DATA, Form, error, everything

TOLERANCES = {"high": 2e-5, "medium": 1e-2}
"""By the precision of products in float32: the error that is allowed to begin with."""
SPREAD = 4
"""How many times as far as rounding moved the equations may kernels be from the rounded ones."""

Product = Callable[[Tensor, Tensor], Tensor]
_ATEN = torch.ops.aten
_PLAIN: dict[Any, Product] = {_ATEN.mm.default: torch.mm, _ATEN.bmm.default: torch.bmm, _ATEN.mv.default: torch.mv}
_ADDED: dict[Any, Product] = {_ATEN.addmm.default: torch.mm, _ATEN.baddbmm.default: torch.bmm}


class Rounded(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types for it
    """Give products, those of gradients too, the operands that kernels have: "high" in two parts, "medium" in one."""

    def __init__(self, precision: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types for it
        self._split = precision == "high"

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in _PLAIN:
            return self._product(_PLAIN[func], *args)
        if func in _ADDED and not kwargs:
            return args[0] + self._product(_ADDED[func], *args[1:])
        return func(*args, **(kwargs or {}))

    def _product(self, product: Product, a: Tensor, b: Tensor) -> Tensor:
        high_a, high_b = nearest(a), nearest(b)
        if not self._split:
            return product(high_a, high_b)
        low_a, low_b = nearest(a - high_a), nearest(b - high_b)
        return product(high_a, high_b) + product(high_a, low_b) + product(low_a, high_b)


def unit() -> str:
    """Return what multiplies tiles: the model, unless LOOPCELL_BF16 names something else."""
    return os.environ.get("LOOPCELL_BF16", "model")


def nearest(x: Tensor) -> Tensor:
    """Return the nearest numbers in bfloat16, in the dtype of the operand."""
    return x.float().bfloat16().to(x.dtype)


@contextmanager
def precision_of(name: str) -> Iterator[None]:
    """Set what products of float32 may lose, in a block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def compare(form: Form, precision: str) -> str:
    """Compare kernels whose products are narrow with rounded equations; returns what `drawn_cells.compare` does."""
    os.environ["LOOPCELL_BF16"] = unit()
    torch.set_num_threads(form.threads)
    difference = _difference(form, precision, seed=0)
    if not difference or difference == "not finite":
        return difference
    others = [_difference(form, precision, seed) for seed in OTHER_DATA]
    return difference if all(others) else f"borderline: {difference}"


def _difference(form: Form, precision: str, seed: int) -> str:
    with loopcell.backend("reference"):
        truth, coarse = (everything(form, dtype, seed) for dtype in (torch.float64, torch.float32))
        with Rounded(precision):
            rounded = everything(form, torch.float64, seed)
    if not all(torch.isfinite(tensor).all() for tensor in (*truth.values(), *rounded.values())):
        return "not finite"
    with precision_of(precision):
        found = everything(form, torch.float32, seed)
    for name, expected in rounded.items():
        by_rounding, by_float32 = error(expected, truth[name]), error(coarse[name], truth[name])
        allowed = max(TOLERANCES[precision], SPREAD * by_rounding, FACTOR * by_float32)
        off = error(found[name], expected)
        if not (off <= allowed or math.isnan(by_float32)):
            return f"{name} with {precision} products is off by {off:.3g} ({allowed:.3g} is allowed)"
    return ""
