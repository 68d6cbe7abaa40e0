"""The weights of exported C: arrays in the order in which the code reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.export.step_model.stages import Floats


@dataclass(frozen=True, eq=False)
class Array:
    """One array of weights.

    Attributes:
        name: of its field in the model's struct.
        values: float32, in the order of the C.
        comment: what lies in it.
    """

    name: str
    values: Floats
    comment: str


def in_blocks(matrices: Sequence[Floats], rows: int) -> Floats:
    """Return matrices [m, n] one below the other, in blocks of some rows, in a block column after column.

    The last block is filled up with rows of zeros.

    Args:
        matrices: of the same columns.
        rows: of a block.
    """
    stacked = np.concatenate(matrices)
    filled = np.zeros((padded(len(stacked), rows), stacked.shape[1]), np.float32)
    filled[: len(stacked)] = stacked
    return np.ascontiguousarray(filled.reshape(-1, rows, stacked.shape[1]).swapaxes(1, 2)).reshape(-1)


def padded(count: int, rows: int) -> int:
    """Return a count of rows filled up to whole blocks."""
    return -(-count // rows) * rows


def demand_weights(arrays: Iterable[Array]) -> None:
    """Refuse a model whose weights hold what is no number; UsageError names the first."""
    for array in arrays:
        demand_finite(array.name, array.values)


def demand_finite(name: str, values: Floats) -> None:
    """Refuse weights that are not numbers.

    Raises:
        UsageError: one of them is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise UsageError(f"the weights {name} hold a number that is not finite, so nothing they compute can be checked")


def array_text(array: Array) -> str:
    """Return the definition of an array."""
    return f"static const float {array.name}[{array.values.size}] = {{\n    {float_lines(array.values)}}};"


def float_lines(numbers: npt.NDArray[np.generic]) -> str:
    """Return numbers as floats of C, eight in a line, each by the shortest digits that are read as the same float."""
    digits = [_literal(text) for text in numbers.astype(np.float32).reshape(-1).astype("U32")]
    lines = (", ".join(digits[at : at + 8]) for at in range(0, len(digits), 8))
    return ",\n    ".join(lines)


def _literal(digits: str) -> str:
    return f"{digits}f" if digits != "nan" else "NAN"  # of a missing value, in the vectors of the test program
