"""Choice: what kernels multiply for a call, by what its results may lose and by what is fastest on this machine.

LOOPCELL_BF16 decides in the place of measured rates: `fp32` (products as they are), `avx512` (pairs), `amx` (tiles), or
`model`, a model of the tile instructions in C, which is for tests of what is written for them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.launch.library import Tiles
from loopcell.backends.c.launch.rates import MultiplyRates, rates
from loopcell.backends.c.toolchain import tile_permission
from loopcell.backends.c.toolchain.build import BuildError
from loopcell.backends.c.toolchain.target import Target, target
from loopcell.errors import UsageError

VARIABLE = "LOOPCELL_BF16"
UNITS = ("auto", "fp32", "avx512", "amx", "model")
_MARGIN = 1.2
"""How many times the rate of float32 products in bfloat16 need: operands are rounded before they are multiplied."""
_TERMS = 3
"""Products in bfloat16 for one of split numbers."""
_TILE_ROWS = 16
"""Rows that one instruction multiplies, however few of them there are."""


@dataclass(frozen=True)
class ProductChoice:
    """The form of products that kernels take, and the reason.

    Attributes:
        factors: the form.
        tiles: what multiplies tiles, where the form has them.
        why: for people: the unit, and the rates that it was chosen by.
    """

    factors: Factors
    tiles: Tiles = Tiles.AMX
    why: str = ""


def in_bfloat16() -> ProductChoice:
    """Return the fastest way to products whose operands may be rounded to bfloat16.

    Raises:
        UsageError: LOOPCELL_BF16 names no unit, or one that this machine has not.
    """
    return _chosen(_asked_for(), split=False, chosen=target())


def in_parts(rows: int = _TILE_ROWS) -> ProductChoice:
    """Return the fastest way to products of float32 that may lose its last digits: 1e-5 of their size.

    Args:
        rows: that a thread has of a step. A tile with one row in it takes as long as a full one.

    Raises:
        UsageError: as `in_bfloat16`.
    """
    return _chosen(_asked_for(), split=True, chosen=target(), rows=min(rows, _TILE_ROWS))


def _asked_for() -> str:
    name = os.environ.get(VARIABLE, "") or "auto"
    if name not in UNITS:
        raise UsageError(f"{VARIABLE} names {name!r}; there are {', '.join(UNITS)}")
    return name


@cache
def _chosen(name: str, *, split: bool, chosen: Target | None, rows: int = _TILE_ROWS) -> ProductChoice:
    """Return the choice under a name of LOOPCELL_BF16, for a target; pairs are no way to multiply split numbers."""
    on_tiles = Factors.SPLIT if split else Factors.TILES
    if name == "model":
        return ProductChoice(on_tiles, Tiles.MODEL, f"a model of AMX in C, as {VARIABLE} asks")
    has_amx = chosen is not None and chosen.amx and tile_permission.granted()
    has_dot = chosen is not None and chosen.bf16
    if not {"avx512": has_dot, "amx": has_amx}.get(name, True):
        raise UsageError(f"{VARIABLE} names {name!r}, which this CPU, or the target, has not; leave it out")
    if name == "amx":
        return ProductChoice(on_tiles, why=f"AMX, as {VARIABLE} asks")
    if name == "avx512" and not split:
        return ProductChoice(Factors.PAIRS, why=f"AVX512-BF16, as {VARIABLE} asks")
    if name == "avx512":
        return ProductChoice(Factors.FULL, why=f"{VARIABLE} asks for AVX512-BF16, which has no way to split numbers")
    if name != "auto":
        return ProductChoice(Factors.FULL, why=f"as {VARIABLE} asks")
    return _measured(chosen, split=split, rows=rows) if has_amx or (has_dot and not split) else NO_UNIT


NO_UNIT = ProductChoice(Factors.FULL, why="this CPU has no faster unit")


def _measured(chosen: Target | None, *, split: bool, rows: int) -> ProductChoice:
    assert chosen is not None  # it has a unit
    try:
        return fastest(rates(chosen), split=split, rows=rows)
    except BuildError:  # a compiler that refuses these refuses kernels too, and that is reported
        return ProductChoice(Factors.FULL, why="rates could not be measured")


def fastest(found: MultiplyRates, *, split: bool, rows: int = _TILE_ROWS) -> ProductChoice:
    """Return what is fastest by measured rates: nothing but float32 where nothing is clearly faster than that.

    Args:
        found: the rates.
        split: products are of split numbers, three in the place of one.
        rows: that a thread has of a step, where products are split. (Of rounded ones few rows are no slower on tiles
            than in float32, whose weights take twice as long to read.)
    """
    rate_of = {Factors.SPLIT: (found.amx or 0) / _TERMS * min(rows, _TILE_ROWS) / _TILE_ROWS} if split else {}
    rate_of = rate_of or {Factors.TILES: found.amx or 0, Factors.PAIRS: found.dot or 0}
    best = max(rate_of, key=rate_of.__getitem__)
    if rate_of[best] <= found.fp32 * _MARGIN:
        return ProductChoice(Factors.FULL, why=f"no unit here is faster; {_said(found)}")
    return ProductChoice(best, why=f"{'AMX' if best.on_tiles else 'AVX512-BF16'}; {_said(found)}")


def _said(found: MultiplyRates) -> str:
    """Return rates for people: multiplications and additions of one thread."""
    named = {"float32": found.fp32, "AVX512-BF16": found.dot, "AMX": found.amx}
    rates_of = ", ".join(f"{name} {rate:.0f}" for name, rate in named.items() if rate)
    return f"billions of multiply-adds a second: {rates_of}"
