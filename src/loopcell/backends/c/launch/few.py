"""Gradients of matrices over few rows: all products in one call, whose list is made once.

Over a step or two the work is less than to call a library of products once, and less than to make a tensor or two: so
what is known before the call, which is all but addresses, is written into a list that a call copies.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.c.launch import arguments
from loopcell.backends.c.launch.arguments import KernelSignature
from loopcell.backends.c.launch.gradients import BlockProduct
from loopcell.equations.keys import Key

# Positions in 64-bit numbers in `outer_product_list` and `outer_product` of headers/gradients.h.
_COUNT, _STEPS, _LIST = 0, 1, 2
_D, _V, _V_NEXT, _SUM = 0, 1, 3, 4
_FIELDS = 9


@dataclass(frozen=True)
class _Plan:
    """The products of calls that want the same gradients.

    Attributes:
        products: the list, with offsets in place of addresses.
        entries: of each product, where it stands in the list, its base and its operand.
        filled: the bases whose gradient a product fills, and others, which must be zeros before.
        zeros: these others.
    """

    products: array[int]
    entries: list[tuple[int, int, Key]]
    filled: list[int]
    zeros: list[int]


class FewRows:
    """The gradients of matrices over few rows.

    Args:
        signature: the kernels, and the shapes of the weights.
        products: what is summed, in this order.
        width: of the block of cotangents.
    """

    def __init__(self, signature: KernelSignature, products: Sequence[BlockProduct], width: int) -> None:
        self._products, self._shapes, self._width = products, signature.shapes, width
        self._itemsize = signature.kernels.dtype.itemsize
        self._function = signature.kernels.functions["outer_products"]
        self._plans: dict[tuple[bool, ...], _Plan] = {}

    def of_matrices(
        self, block: Tensor, place: Callable[[Key], tuple[int, int]], bases: Sequence[Tensor], wanted: Sequence[bool]
    ) -> dict[int, Tensor]:
        """Return by number of the base the sums over all rows of d v^T.

        Args:
            block: the cotangents, [N, width].
            place: gives by key where an operand [N, n] begins, and how many numbers there are from row to row.
            bases: the tensors of the weights.
            wanted: which of them want a gradient.
        """
        plan = self._plans.get(key := tuple(wanted)) or self._plans.setdefault(key, self._planned(wanted))
        found = {base: torch.empty_like(bases[base], memory_format=torch.contiguous_format) for base in plan.filled}
        for base in plan.zeros:
            found[base] = torch.zeros_like(bases[base], memory_format=torch.contiguous_format)
        if not plan.entries:
            return found
        asked = plan.products[:]  # calls from several threads have one plan
        asked[_STEPS] = block.shape[0]
        start = block.data_ptr()
        for at, base, operand in plan.entries:
            asked[at + _D] += start
            asked[at + _V], asked[at + _V_NEXT] = place(operand)
            asked[at + _SUM] += found[base].data_ptr()
        arguments.invoke(self._function, asked)
        return found

    def _planned(self, wanted: Sequence[bool]) -> _Plan:
        plan = _Plan(array("q", [0, 0]), [], [], [])
        for product in self._products:
            base, rows = product.base, product.rows
            if not wanted[base]:
                continue
            columns = self._shapes[base][1]
            seen = base in plan.filled or base in plan.zeros
            new = not seen and rows.count == self._shapes[base][0]
            if not seen:  # the first product that fills a whole tensor needs no zeros to add to
                (plan.filled if new else plan.zeros).append(base)
            plan.entries.append((len(plan.products), base, product.operand))
            d, to = product.columns.start * self._itemsize, rows.start * columns * self._itemsize
            plan.products.extend((d, 0, self._width, 0, to, columns, rows.count, columns, not new))
            plan.products[_COUNT] += 1
        return plan
