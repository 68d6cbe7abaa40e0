"""Products: what kernels multiply for a call, by the precision that is asked for."""

from __future__ import annotations

import torch

from loopcell.backends.c import Factors, ProductChoice, in_bfloat16, in_parts

AS_THEY_ARE = ProductChoice(Factors.FULL)
"""Numbers are multiplied in the dtype of the tensors."""


def kernel_choice(dtype: torch.dtype, narrow: torch.dtype | None, rows: int | None = None) -> ProductChoice:
    """Return what kernels multiply, as things stand now; sums are never narrower than float32.

    | tensors | asked for | kernels may |
    |---|---|---|
    | float32 | results in bfloat16 (`narrow`) | round operands to bfloat16 |
    | float32 | float32_matmul_precision "medium" | the same |
    | float32 | float32_matmul_precision "high" | take operands as sums of two numbers in bfloat16 |
    | other | | nothing |

    They do it where a unit of this machine makes it faster, by its measured rate.

    Args:
        dtype: of the tensors that kernels read: half precision is widened before.
        narrow: the dtype of results where it is narrower than that.
        rows: that a thread has of a step; None: enough for every unit.

    Raises:
        UsageError: LOOPCELL_BF16 asks for what is not there.
    """
    if narrow == torch.bfloat16:
        return in_bfloat16()
    precision = "highest" if narrow is not None or dtype != torch.float32 else torch.get_float32_matmul_precision()
    if precision == "highest":
        return AS_THEY_ARE
    if precision == "high":
        return in_parts() if rows is None else in_parts(rows)
    return in_bfloat16()
