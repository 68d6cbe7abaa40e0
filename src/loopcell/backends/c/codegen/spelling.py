"""The kernels' C for every pointwise op over vectors {0}, {1}, ..."""

from __future__ import annotations

SPELLING: dict[str, str] = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "div": "({0} / {1})",
    "neg": "(-{0})",
    "sigmoid": "v_sigmoid({0})",
    "tanh": "v_tanh({0})",
    "relu": "v_relu({0})",
    "exp": "v_exp({0})",
    "log": "v_log({0})",
    "softplus": "v_softplus({0})",
    "sqrt": "v_sqrt({0})",
    "abs": "v_abs({0})",
    "minimum": "v_min({0}, {1})",
    "maximum": "v_max({0}, {1})",
    "greater": "greater({0}, {1})",
    "where": "where({0}, {1}, {2})",
    "expand": "{0}",
    "sized": "{0}",
}
