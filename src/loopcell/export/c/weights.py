"""The weights of exported C: arrays in the order in which the code reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError


@dataclass(frozen=True, eq=False)
class Array:
    """One array of weights.

    Attributes:
        name: of its field in the model's struct.
        values: in the order of the C: float32, bfloat16 as uint16 or two of them as uint32, or
            whole numbers of 8, 16 or 32 bits.
        comment: what lies in it.
    """

    name: str
    values: npt.NDArray[Any]
    comment: str

    @property
    def c_type(self) -> str:
        """The type of a number in C."""
        return C_TYPES[self.values.dtype.name]


C_TYPES = {"float32": "float"} | {name: f"{name}_t" for name in ("uint16", "uint32", "int8", "int16", "int32")}


def demand_weights(arrays: Iterable[Array]) -> None:
    """Refuse a model whose weights hold what is no number; UsageError names the first."""
    for array in arrays:
        demand_finite(array.name, array.values)


def demand_finite(name: str, values: npt.NDArray[Any]) -> None:
    """Refuse weights that are not numbers.

    Raises:
        UsageError: one of them is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise UsageError(f"the weights {name} hold a number that is not finite, so nothing they compute can be checked")


def array_text(array: Array) -> str:
    """Return the definition of an array."""
    numbers = float_lines(array.values) if array.c_type == "float" else whole_lines(array.values)
    return f"static const {array.c_type} {array.name}[{array.values.size}] = {{\n    {numbers}}};"


def float_lines(numbers: npt.NDArray[np.generic]) -> str:
    """Return numbers as floats of C, eight in a line, each by the shortest digits that are read as the same float."""
    digits = [_literal(text) for text in numbers.astype(np.float32).reshape(-1).astype("U32")]
    return _lines(digits, 8)


def whole_lines(numbers: npt.NDArray[np.generic]) -> str:
    """Return whole numbers of C, twenty in a line."""
    return _lines(_whole(numbers.reshape(-1)), 20)


def _lines(digits: list[str], count: int) -> str:
    return ",\n    ".join(", ".join(digits[at : at + count]) for at in range(0, len(digits), count))


def _whole(numbers: npt.NDArray[Any]) -> list[str]:
    unsigned = "u" if numbers.dtype == np.uint32 else ""  # beyond the int of C
    return [f"{number}{unsigned}" for number in numbers.tolist()]


def _literal(digits: str) -> str:
    return f"{digits}f" if digits != "nan" else "NAN"  # of a missing value, in the vectors of the test program
