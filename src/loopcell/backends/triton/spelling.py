"""The Triton of every op over blocks {0}, {1}, ..., and the functions that these spellings call.

A block is [rows, units]; a scalar of every row is [rows, 1], a parameter [1, units], a constant [1, 1]. All of them
broadcast. Functions are made of exp, log and arithmetic, and call no library of the device, so that the interpreter
runs what a GPU runs. None of them turns a large number into NaN, and all of them pass NaN on.
"""

from __future__ import annotations

SPELLING: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "sigmoid": "sigmoid({0})",
    "tanh": "tanh({0})",
    # Chosen so that NaN, of which no comparison is true, is returned.
    "relu": "tl.where({0} < 0, 0.0, {0})",
    "exp": "exp({0})",
    "log": "tl.log({0})",
    "softplus": "softplus({0})",
    "sqrt": "tl.sqrt({0})",
    "abs": "tl.abs({0})",
    "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "greater": "tl.where({0} > {1}, 1.0, 0.0).to(REAL)",
    "where": "tl.where({0} != 0, {1}, {2})",
    "expand": "{0} + tl.zeros([1, {units}], REAL)",
    "sized": "{0}",
}
"""Products and sums are written by `codegen`; leaves are loads."""

FUNCTIONS = '''
@triton.jit
def exp(x):
    """e^x by its nearest lower power of two: the device's own loses digits as x grows."""
    if x.dtype == tl.float64:
        y = tl.exp(x)
    else:
        # Clamped where the result is 0 or infinite anyway, so that infinity minus infinity is not met below.
        z = tl.where(x > 89.0, 89.0, tl.where(x < -150.0, -150.0, x))
        power = tl.floor(z * 1.4426950408889634)
        # ln 2 as a number of few digits, of which multiples are exact, and the rest.
        rest = (z - power * 0.693359375) + power * 2.12194440054690583e-4
        y = tl.exp(rest) * tl.exp2(power)
    return y


@triton.jit
def sigmoid(x):
    """1 / (1 + e^-x), of the power that does not overflow."""
    z = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, z) / (1.0 + z)


@triton.jit
def tanh(x):
    """(1 - e^-2|x|) / (1 + e^-2|x|); near 0, where that loses digits, a quotient of polynomials."""
    z = tl.exp(-2.0 * tl.abs(x))
    far = tl.where(x < 0, -1.0, 1.0) * (1.0 - z) / (1.0 + z)
    s = x * x
    p = (-0.964399179425052238628 * s - 99.2877231001918586564) * s - 1614.68768441708447952
    q = ((s + 112.811678491632931402) * s + 2235.48839060100448583) * s + 4844.06305325125486048
    near = x + x * (s * (p / q))
    return tl.where(tl.abs(x) < 0.625, near, far)


@triton.jit
def softplus(x):
    """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|); the last quotient mends what 1 + z has rounded away."""
    z = tl.exp(-tl.abs(x))
    w = 1.0 + z
    log = tl.where(w == 1.0, z, tl.log(w) * (z / tl.where(w == 1.0, 1.0, w - 1.0)))
    return tl.where(x < 0, 0.0, x) + log


@triton.jit
def wait_for_all(counter, expected):
    """Wait at a barrier of all programs that work on the same rows; what they stored before it is seen after it."""
    tl.debug_barrier()
    seen = tl.atomic_add(counter, 1, sem="acq_rel") + 1
    while seen < expected:
        seen = tl.atomic_add(counter, 0, sem="acquire")
    tl.debug_barrier()
'''
"""The text that every kernel's module begins with."""
