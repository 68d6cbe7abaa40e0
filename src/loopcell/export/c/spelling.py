"""The exported C for every pointwise op over single numbers {0}, {1}, ...

The kernels' table over vectors is `backends/c/codegen/spelling.py`; a test holds both to the op table.
"""

from __future__ import annotations

import math

import numpy as np

SPELLING: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "(-{0})",  # of a negative number too: `--` would be another operator
    "sigmoid": "f_sigmoid({0})",
    "tanh": "f_tanh({0})",
    "relu": "f_relu({0})",
    "exp": "f_exp({0})",
    "log": "f_log({0})",
    "softplus": "f_softplus({0})",
    "sqrt": "f_sqrt({0})",
    "abs": "f_abs({0})",
    "minimum": "f_min({0}, {1})",
    "maximum": "f_max({0}, {1})",
    "greater": "f_greater({0}, {1})",
    "where": "f_where({0}, {1}, {2})",
    "expand": "{0}",
    "sized": "{0}",
}
"""Operators bind in C as they do in Python, so that the printer of equations puts the parentheses."""


def number(value: float) -> str:
    """Write a number as a float of C: the shortest digits that are read as the same float."""
    with np.errstate(over="ignore"):  # what is beyond floats is infinite, as it is to a kernel
        rounded = np.float32(value)
    if not math.isfinite(rounded):
        return f"float_of(0x{int(rounded.view(np.uint32)):08x}u)"
    text = f"{rounded!s}f"
    return text if rounded >= 0 and not text.startswith("-") else f"({text})"
