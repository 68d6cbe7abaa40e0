"""The function of products in exported C, in plain C99 or over the vectors of GCC and Clang."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loopcell.errors import UsageError
from loopcell.export.c.names import text


@dataclass(frozen=True)
class ProductForm:
    """One way to write products.

    Attributes:
        file: its text, in the folder text/.
        rows: rows of a block of weights.
        about: what it needs of a compiler.
    """

    file: str
    rows: int
    about: str

    def text(self) -> str:
        """Return the function."""
        return text(self.file)


FORMS: Mapping[str, ProductForm] = {
    "plain": ProductForm("product_plain.c", 4, "any compiler of C99"),
    "vectors": ProductForm("product_vectors.c", 16, "GCC or Clang, which write vectors of any machine"),
}
"""By the name that --simd takes."""


def product_form(name: str) -> ProductForm:
    """Return a form by its name; UsageError lists them."""
    if name not in FORMS:
        raise UsageError(f"there is no simd={name!r}; there are {' and '.join(FORMS)}")
    return FORMS[name]
