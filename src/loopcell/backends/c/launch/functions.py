"""The kernels' functions on their own, over arrays: for tests of how exact they are, and for measuring them."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.codegen.spelling import SPELLING
from loopcell.backends.c.launch.library import Tiles, beginning
from loopcell.backends.c.toolchain.build import build, vector_bytes
from loopcell.equations.ops import OPS

_EACH = """
void each_{op}(const real *const *of, real *to, int64_t count, int64_t times) {{
    for (; times > 0; times--) {{
        for (int64_t u = 0; u < count; u += LANES) {{
            const int k = least(LANES, count - u);
            store(to + u, {spelled}, k);
        }}
        __asm__ volatile("" ::: "memory"); /* once more means once more */
    }}
}}
"""


class Functions:
    """Every elementwise op of the table, built as kernels are: for the target that the environment names.

    Args:
        dtype: torch.float32 or torch.float64.
        factors: what the products of such kernels multiply.

    Attributes:
        dtype: as given.
        lanes: how many numbers a vector has.

    Raises:
        BuildError: the compiler failed.
    """

    def __init__(self, dtype: torch.dtype, factors: Factors = Factors.FULL) -> None:
        self.dtype = dtype
        self.lanes = vector_bytes() // dtype.itemsize
        self._library = build(_source(dtype, self.lanes, factors), "functions", [f"each_{op}" for op in SPELLING])

    def __call__(self, op: str, *operands: Tensor, out: Tensor | None = None, times: int = 1) -> Tensor:
        """Return op(a, b, ...).

        Args:
            op: its name in the op table.
            operands: [n], contiguous, of the dtype.
            out: [n], where the result goes; None makes a new tensor.
            times: how often it is computed, for measuring.
        """
        result = torch.empty_like(operands[0]) if out is None else out
        assert all(tensor.dtype == self.dtype and tensor.is_contiguous() for tensor in (*operands, result))
        addresses = (ctypes.c_void_p * len(operands))(*(operand.data_ptr() for operand in operands))
        sizes = (ctypes.c_int64(len(operands[0])), ctypes.c_int64(times))
        self._library[f"each_{op}"](addresses, ctypes.c_void_p(result.data_ptr()), *sizes)
        return result


def _source(dtype: torch.dtype, lanes: int, factors: Factors) -> str:
    """Return the C text: the headers, and a loop over arrays for each op."""
    loops = []
    for op, spelling in SPELLING.items():
        operands = [f"load(of[{place}] + u, k)" for place in range(OPS[op].arity)]
        loops.append(_EACH.format(op=op, spelled=spelling.format(*operands)))
    return "\n".join([beginning(dtype, lanes, factors, Tiles.MODEL), *loops])
