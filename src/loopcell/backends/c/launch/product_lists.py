"""Product lists: products after the reverse loop that C takes all in one call."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from array import array

from torch import Tensor

from loopcell.backends.c.launch import arguments
from loopcell.backends.c.toolchain import threads
from loopcell.errors import LoopcellError


class ProductList(ABC):
    """Products a b, each of which fills a matrix or is added to one.

    Args:
        function: takes them all.
        begin: what stands in its struct before the products.
    """

    _COUNT = 0
    """Where in the struct their number stands."""

    def __init__(self, function: ctypes._NamedFuncPointer, begin: list[int]) -> None:
        self._function = function
        self._fields = array("q", begin)
        self._keep_alive: list[Tensor] = []

    def add(self, a: Tensor, b: Tensor, to: Tensor, *, add: bool) -> None:
        """Enter a product.

        Args:
            a: [n, k]; the transpose of a matrix, or a matrix, whose last axis is contiguous.
            b: [k, m], the last axis contiguous.
            to: [n, m], the last axis contiguous.
            add: add the product to what is there.
        """
        self._fields[self._COUNT] += 1
        self._fields.extend(self._entry(a, b, to, add=add))
        self._keep_alive += [a, b]

    def run(self) -> None:
        """Take the products.

        Raises:
            LoopcellError: memory ran out.
        """
        if self._fields[self._COUNT]:
            arguments.invoke(self._function, self._fields)

    @abstractmethod
    def _entry(self, a: Tensor, b: Tensor, to: Tensor, *, add: bool) -> tuple[int, ...]:
        """Return what the struct has of a product."""


class OuterProducts(ProductList):
    """The struct `outer_product_list` of headers/gradients.h: sums of so few terms that a library costs more.

    Args:
        function: `outer_products`.
        terms: k of all products.
    """

    def __init__(self, function: ctypes._NamedFuncPointer, terms: int) -> None:
        super().__init__(function, [0, terms])

    def _entry(self, a: Tensor, b: Tensor, to: Tensor, *, add: bool) -> tuple[int, ...]:
        (rows, _), (_, columns) = a.shape, b.shape
        return (a.data_ptr(), b.data_ptr(), a.stride(1), b.stride(0), to.data_ptr(), to.stride(0), rows, columns, add)


class LargeProducts(ProductList):
    """The struct `large_product_list` of headers/large_products.h: products on tiles.

    Args:
        function: `large_products`.
        thread_count: how many threads take part.
    """

    _COUNT, _FAILED = 2, 3

    def __init__(self, function: ctypes._NamedFuncPointer, thread_count: int) -> None:
        super().__init__(function, [threads.entry() or 0, thread_count, 0, 0])

    def _entry(self, a: Tensor, b: Tensor, to: Tensor, *, add: bool) -> tuple[int, ...]:
        (rows, terms), (_, columns) = a.shape, b.shape
        strides = (*a.stride(), b.stride(0))
        return (a.data_ptr(), b.data_ptr(), *strides, to.data_ptr(), to.stride(0), rows, columns, terms, add)

    def run(self) -> None:
        """Take the products."""
        super().run()
        if self._fields[self._FAILED]:
            raise LoopcellError("there is not enough memory for the gradients of this network")
