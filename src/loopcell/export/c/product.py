"""The function of products in exported C: plain or over vectors, for each kind of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.export.c.names import text
from loopcell.export.c.weight_kinds import KINDS, WeightKind, weight_kind
from loopcell.export.step_model.stages import Floats


@dataclass(frozen=True)
class ProductForm:
    """One way to write products.

    Attributes:
        file: its text, in the folder text/.
        rows: rows that are computed side by side; matrices are filled up to a multiple of them.
        in_blocks: those rows lie column after column, rather than one row after the other.
        kind: the numbers of the matrices.
    """

    file: str
    rows: int
    in_blocks: bool
    kind: WeightKind

    @property
    def kind_name(self) -> str:
        """The name of the kind of weights."""
        return next(name for name, kind in KINDS.items() if kind is self.kind)

    def text(self, most_columns: int) -> str:
        """Return the function, for matrices of at most so many columns."""
        form = text(self.file).replace("WEIGHT", self.kind.c_type).replace("MOST_COLUMNS", str(most_columns))
        form = re.sub(r"WIDE\((.*?)\)", lambda found: self.kind.wide.format(found[1]), form)
        if self.kind.c_type == "float":
            return re.sub(r"#if NARROW.*?#endif\n\n", "", form, flags=re.DOTALL).replace("LOAD(at)", "*(const vec *)at")
        return re.sub(r"#if NARROW\n(.*?)#endif\n", r"\1", form, flags=re.DOTALL).replace("LOAD(at)", "widened(at)")

    def pack(self, matrices: Sequence[Floats]) -> tuple[npt.NDArray[Any], Floats | None]:
        """Return matrices [m, n], one below the other, as they are stored: flat, and the scales of rows if there are.

        Rows of zeros fill up the last block.
        """
        stacked = np.concatenate(matrices)
        filled = np.zeros((-(-len(stacked) // self.rows) * self.rows, stacked.shape[1]), np.float32)
        filled[: len(stacked)] = stacked
        stored, scales = self.kind.store(filled)
        if self.in_blocks:
            stored = stored.reshape(-1, self.rows, stored.shape[1]).swapaxes(1, 2)
        return np.ascontiguousarray(stored).reshape(-1), scales


SIMD: Mapping[str, tuple[str, int]] = {"plain": ("product_plain.c", 4), "vectors": ("product_vectors.c", 16)}
"""The text and the rows of a block, by the name that --simd takes; int8 has one text, which compilers vectorise."""


def product_form(simd: str = "plain", weights: str = "float32") -> ProductForm:
    """Return a form by its names; UsageError lists them."""
    if simd not in SIMD:
        raise UsageError(f"there is no simd={simd!r}; there are {' and '.join(SIMD)}")
    kind = weight_kind(weights)
    if kind.c_type == "int8_t":
        return ProductForm("product_int8.c", 4, in_blocks=False, kind=kind)
    file, rows = SIMD[simd]
    return ProductForm(file, rows, in_blocks=True, kind=kind)
