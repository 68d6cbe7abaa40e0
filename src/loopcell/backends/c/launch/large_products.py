"""LargeProducts: products after the reverse loop on tiles, which C takes all in one call."""

from __future__ import annotations

import ctypes
from array import array

from torch import Tensor

from loopcell.backends.c.launch import arguments
from loopcell.backends.c.toolchain import threads
from loopcell.errors import LoopcellError

_COUNT, _FAILED = 2, 3
"""Where in the struct `large_product_list` of headers/large_products.h these stand."""


class LargeProducts:
    """Products a b, each of which fills a matrix or is added to one.

    Args:
        function: `large_products`.
        thread_count: how many threads take part.
    """

    def __init__(self, function: ctypes._NamedFuncPointer, thread_count: int) -> None:
        self._function = function
        self._fields = array("q", [threads.entry() or 0, thread_count, 0, 0])
        self._keep_alive: list[Tensor] = []

    def add(self, a: Tensor, b: Tensor, to: Tensor, *, add: bool) -> None:
        """Enter a product.

        Args:
            a: [n, k]; the transpose of a matrix, or a matrix, whose last axis is contiguous.
            b: [k, m], the last axis contiguous.
            to: [n, m], the last axis contiguous.
            add: add the product to what is there.
        """
        (rows, terms), (_, columns) = a.shape, b.shape
        strides = (*a.stride(), b.stride(0))
        place = (to.data_ptr(), to.stride(0))
        self._fields[_COUNT] += 1
        self._fields.extend((a.data_ptr(), b.data_ptr(), *strides, *place, rows, columns, terms, add))
        self._keep_alive += [a, b]

    def run(self) -> None:
        """Take the products.

        Raises:
            LoopcellError: memory ran out.
        """
        if self._fields[_COUNT]:
            arguments.invoke(self._function, self._fields)
        if self._fields[_FAILED]:
            raise LoopcellError("there is not enough memory for the gradients of this network")
