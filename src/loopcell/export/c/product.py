"""The function of products in exported C: plain or over vectors, for each kind of weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.export.c.names import text
from loopcell.export.c.weight_kinds import KINDS, WeightKind, weight_kind
from loopcell.export.step_model.stages import Floats


@dataclass(frozen=True, eq=False)
class Packed:
    """Matrices as they are stored, one below the other.

    Attributes:
        values: flat.
        scales: of the rows, where they have them.
        places: of a matrix most of whose blocks are zero: for each block of rows how many columns are left, and which.
    """

    values: npt.NDArray[Any]
    scales: npt.NDArray[Any] | None
    places: npt.NDArray[np.uint16] | None = None


class Packing(Protocol):
    """A way to store matrices."""

    @property
    def rows(self) -> int:
        """Return how many rows are computed side by side."""

    def padded(self, rows: int) -> int:
        """Return a count of rows filled up to whole blocks."""

    def pack(self, matrices: Sequence[Floats]) -> Packed:
        """Return matrices [m, n], one below the other, as they are stored."""


class Form(Protocol):
    """A way to write products."""

    @property
    def file(self) -> str:
        """Return the name of the text."""

    @property
    def rows(self) -> int:
        """Return how many rows are computed side by side."""

    @property
    def in_blocks(self) -> bool:
        """Say whether these lie column after column."""

    @property
    def group(self) -> int:
        """Return how many columns lie side by side."""

    @property
    def kind_name(self) -> str:
        """Return the name of the kind of weights."""

    @property
    def narrow_bytes(self) -> int:
        """Return the bytes on the stack for each column of an operand."""

    def text(self, most_columns: int, calls: str) -> str:
        """Return the functions of products that C calls."""


@dataclass(frozen=True)
class ProductForm:
    """One way to write products.

    Attributes:
        file: its text, in the folder text/.
        rows: rows that are computed side by side; matrices are filled up to a multiple of them.
        in_blocks: those rows lie column after column, rather than one row after the other.
        kind: the numbers of the matrices.
        group: columns whose numbers of one row lie side by side, zeros after the last: two in bfloat16 are the halves
            of one number, which vectors take apart in place; four in int8 are what one instruction multiplies.
    """

    file: str
    rows: int
    in_blocks: bool
    kind: WeightKind
    group: int = 1

    @property
    def kind_name(self) -> str:
        """The name of the kind of weights."""
        return next(name for name, kind in KINDS.items() if kind is self.kind)

    def text(self, most_columns: int, calls: str) -> str:
        """Return the functions of products that C calls, for matrices of at most so many columns."""
        names = [name for name in ("product", "sparse_product") if re.search(rf"\b{name}\(", calls)]
        whole = self.kind.c_type == "int8_t"
        files = {"product": self.file, "sparse_product": "sparse_int8.c" if whole else "sparse.c"}
        return (
            "\n".join(
                self._filled(file, most_columns) for file in [*(["narrow.c"] * whole), *(files[name] for name in names)]
            )
            if names
            else ""
        )

    def _filled(self, file: str, most_columns: int) -> str:
        lies = "two columns after the other two" if self.group == 2 else "column after column"
        stored = self.c_type if file == self.file else self.kind.c_type
        words = {"WEIGHT": stored, "MOST_COLUMNS": str(most_columns), "LIES": lies, "ROWS": str(self.rows)}
        form = re.sub(r"\b(WEIGHT|MOST_COLUMNS|LIES|ROWS)\b", lambda found: words[found[1]], text(file))
        chosen = r"\1" if self.group == 2 else r"\2"
        form = re.sub(r"#if PAIRS\n(.*?)#else\n(.*?)#endif\n", chosen, form, flags=re.DOTALL)
        return re.sub(r"WIDE\((.*?)\)", lambda found: self.kind.wide.format(found[1]), form)

    @property
    def c_type(self) -> str:
        """The type in C of a number of a matrix."""
        return "uint32_t" if self.group == 2 else self.kind.c_type

    @property
    def narrow_bytes(self) -> int:
        """The bytes on the stack for each column, where an operand is rounded to whole numbers."""
        return 0 if self.kind.c_type != "int8_t" else 4 if self.group == 4 else 2

    def padded(self, rows: int) -> int:
        """Return a count of rows filled up to whole blocks."""
        return -(-rows // self.rows) * self.rows

    def pack(self, matrices: Sequence[Floats]) -> Packed:
        """Return matrices [m, n], one below the other, as they are stored.

        Rows of zeros fill up the last block. Where most blocks of some rows by one column are zero, only the others are
        stored.
        """
        stacked = np.concatenate(matrices)
        filled = np.zeros((self.padded(len(stacked)), stacked.shape[1]), np.float32)
        filled[: len(stacked)] = stacked + 0.0  # no zero with a sign, whose bits are not all zero
        stored, scales = self.kind.store(filled)
        columns = stored.reshape(-1, self.rows, stored.shape[1]).swapaxes(1, 2)  # of each block of rows
        left = columns.any(2)
        if left.size and left.mean() <= _WORTHWHILE and stored.shape[1] <= _MOST_PLACES:
            places = [
                np.concatenate([[len(found)], found]) for found in (np.flatnonzero(block) for block in np.asarray(left))
            ]
            return Packed(columns[left].reshape(-1), scales, np.concatenate(places).astype(np.uint16))
        return Packed(self._dense(stored), scales)

    def _dense(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        stored = np.pad(stored, ((0, 0), (0, -stored.shape[1] % self.group)))
        if self.group == 2:
            wide = stored.astype(np.uint32)
            stored = wide[:, ::2] | wide[:, 1::2] << 16
        if self.in_blocks:
            within = self.group if self.group == 4 else 1
            stored = stored.reshape(-1, self.rows, stored.shape[1] // within, within).swapaxes(1, 2)
        return np.ascontiguousarray(stored).reshape(-1)


_WORTHWHILE = 0.5  # of the blocks left: a sparse product does one block at a time, where a dense one does several
_MOST_PLACES = 65_535  # 16 bits


SIMD = ("plain", "vectors")
"""What --simd takes."""


def product_form(simd: str = "plain", weights: str = "float32") -> ProductForm:
    """Return a form by its names; UsageError lists them."""
    if simd not in SIMD:
        raise UsageError(f"there is no simd={simd!r}; there are {' and '.join(SIMD)}")
    kind, plain = weight_kind(weights), simd == "plain"
    if kind.c_type == "int8_t":
        file = "product_int8.c" if plain else "product_int8_vectors.c"
        return ProductForm(file, 4 if plain else 16, in_blocks=not plain, kind=kind, group=1 if plain else 4)
    pairs = kind.c_type == "uint16_t" and not plain
    file = "product_plain.c" if plain else "product_vectors.c"
    return ProductForm(file, 4 if plain else 16, in_blocks=True, kind=kind, group=2 if pairs else 1)
