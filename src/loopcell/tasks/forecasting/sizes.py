"""Sizes: how many numbers of each kind a network of forecasts reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Sizes(NamedTuple):
    """The sizes of what is read.

    Attributes:
        targets: K.
        known: P, covariates known ahead, of which the last `static` never change within a series.
        past: Q, covariates known up to now.
        series: S, those that training has.
        static: how many of the covariates known ahead.
        known_codes: of those of them that are codes, how many categories each has; `past_codes` likewise.
        passed: which covariate known ahead is the logarithm of the time since the row before; None for even times.
        masked: whether the network is told which values are missing.
        signed: whether what is known of steps to come is read with its sign; a network that reads step by step once
            took what is negative for 0.
    """

    targets: int
    known: int
    past: int
    series: int
    static: int = 0
    known_codes: Mapping[int, int] = {}
    past_codes: Mapping[int, int] = {}
    passed: int | None = None
    masked: bool = False
    signed: bool = True
