"""Treatments that help a gradient to flow: other start values, or clipping."""

from __future__ import annotations

import copy
from typing import Literal

from loopcell.errors import InputError
from loopcell.layers import chrono_, orthogonal_
from loopcell.layers.stack import Stack

Treatment = Literal["orthogonal", "chrono", "clip"]


def treated(net: Stack, treatment: Treatment, steps: int) -> Stack:
    """Return a copy of a network that begins as a treatment has it.

    Raises:
        InputError: there is no such treatment, or no gate of the cell keeps its state (chrono).
    """
    new = copy.deepcopy(net)
    treat_(new, treatment, steps)
    return new


def treat_(net: Stack, treatment: Treatment, steps: int) -> None:
    """Let a network begin as a treatment has it; errors as `treated`."""
    if treatment == "orthogonal":
        orthogonal_(net)
    elif treatment == "chrono":
        chrono_(net, max(3, steps))
    elif treatment != "clip":
        raise InputError(f"a treatment is 'orthogonal', 'chrono' or 'clip', not {treatment!r}")
