"""Gradients of the weights: what is left to do after the reverse loop.

The loop writes the cotangents of all products side by side into one block [N, width], in the order of the parameters.
So the gradient of a matrix, the sum over time and batch of d v^T, is one large product after the loop, and one product
serves all gates whose cotangents, and whose rows in a tensor of the weights, are neighbours. The gradients of vectors
were summed within the loop, and are only brought to where the vectors lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from loopcell.backends.c.launch.arguments import FEW_ROWS, KernelSignature, Launch, empty
from loopcell.backends.c.launch.forward import ColumnRange
from loopcell.backends.c.launch.large_products import LargeProducts
from loopcell.equations.keys import Key


@dataclass(frozen=True)
class BlockProduct:
    """One product for all cotangents with an operand that lie side by side, as their rows of the weights do.

    Attributes:
        operand: what the matrices are multiplied with.
        base: the tensor of the weights.
        rows: of that tensor.
        columns: of the block of cotangents.
    """

    operand: Key
    base: int
    rows: ColumnRange
    columns: ColumnRange

    def continues(self, last: BlockProduct) -> bool:
        """Say whether this product's rows and columns lie just behind those of another."""
        # Both at once: the joined product is one block of cotangents against one block of rows of the weights.
        same = (last.operand, last.base) == (self.operand, self.base)
        return same and last.rows.stop == self.rows.start and last.columns.stop == self.columns.start

    def joined(self, last: BlockProduct) -> BlockProduct:
        """Return the one product that does both."""
        rows = ColumnRange(last.rows.start, last.rows.count + self.rows.count)
        columns = ColumnRange(last.columns.start, last.columns.count + self.columns.count)
        return BlockProduct(self.operand, self.base, rows, columns)


class MatrixGradients:
    """The gradients of matrices, and of the input through them, from the block of cotangents.

    Args:
        signature: the kernels, and where the parameters lie.
        columns: where each cotangent lies.

    Attributes:
        outer: what is summed for the matrices, neighbours as one.
    """

    def __init__(self, signature: KernelSignature, columns: Mapping[Key, ColumnRange]) -> None:
        kernels, backward = signature.kernels, signature.kernels.fused.backward
        self._bf16 = kernels.bf16
        self._on_tiles = kernels.functions.get("large_products")
        self._slices = signature.layout.slices
        self._lengths = [shape[0] if shape else 1 for shape in signature.shapes]
        outer = ((o.operand, o.parameter, columns[o.cotangent]) for o in backward.outer)
        into_input = ((p.operand, p.parameter, columns[p.cotangent]) for p in backward.into_input)
        self.outer = list(_joined(self._products(outer)))
        self._into_input = list(_joined(self._products(into_input)))

    def of_matrices(
        self,
        launch: Launch,
        block: Tensor,
        operand: Callable[[Key], Tensor],
        bases: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> dict[int, Tensor]:
        """Return by number of the base the sums over time and batch of d v^T.

        Args:
            launch: how the rows ran.
            block: the cotangents, [N, width].
            operand: gives by key what matrices were multiplied with, [N, n].
            bases: the tensors of the weights.
            wanted: which of them want a gradient.
        """
        if self._on_tiles is not None:
            listed = LargeProducts(self._on_tiles, launch.threads)
            return self._of_matrices_on_tiles(listed, block, operand, bases, wanted)
        # Several products share an operand; it is gathered and rounded once.
        block, seen = self._rounded(block), dict[Key, Tensor]()
        found: dict[int, Tensor] = {}
        for product in self.outer:
            if not wanted[product.base]:
                continue
            if product.operand not in seen:
                seen[product.operand] = self._rounded(operand(product.operand))
            d, v = _columns(block, product.columns), seen[product.operand]
            if product.base not in found and self._is_whole(product):
                # The first product that fills a whole tensor needs no zeros to add to.
                found[product.base] = torch.mm(d.t(), v).to(bases[product.base].dtype)
                continue
            rows = self._rows(found, product, bases[product.base])
            if self._bf16:  # the product is in bfloat16, the sum in float32: no one operation of torch does both
                rows += torch.mm(d.t(), v)
            else:
                rows.addmm_(d.t(), v)  # in place, into the rows of the gradient: no product of its own, no copy
        return found

    def of_input(
        self, launch: Launch, key: Key, block: Tensor, start: Tensor | None, bases: Sequence[Tensor]
    ) -> Tensor | None:
        """Return [N, I] of one input: `start` and the sum of P^T d; None where nothing reaches it."""
        gradient, dtype = start, block.dtype
        products = [product for product in self._into_input if product.operand == key]
        if self._on_tiles is not None and products and block.shape[0] > FEW_ROWS:
            return self._of_input_on_tiles(LargeProducts(self._on_tiles, launch.threads), products, block, start, bases)
        block = self._rounded(block) if products else block
        for product in products:
            d = _columns(block, product.columns)
            base = bases[product.base]
            whole = self._is_whole(product)
            matrix = self._rounded(base if whole else base.narrow(0, product.rows.start, product.rows.count))
            if gradient is None:  # the first product makes the tensor, and further ones add to it
                gradient = torch.mm(d, matrix)
                gradient = gradient.to(dtype) if self._bf16 else gradient
            elif self._bf16:
                gradient += torch.mm(d, matrix)
            else:
                gradient.addmm_(d, matrix)
        return gradient

    def _of_input_on_tiles(
        self,
        listed: LargeProducts,
        products: Sequence[BlockProduct],
        block: Tensor,
        start: Tensor | None,
        bases: Sequence[Tensor],
    ) -> Tensor:
        width = bases[products[0].base].shape[1]
        gradient = empty(block, (block.shape[0], width)) if start is None else start
        for product in products:
            matrix = bases[product.base].narrow(0, product.rows.start, product.rows.count)
            fills = start is None and product is products[0]
            listed.add(_columns(block, product.columns), matrix, gradient, add=not fills)
        listed.run()
        return gradient

    def _of_matrices_on_tiles(
        self,
        listed: LargeProducts,
        block: Tensor,
        operand: Callable[[Key], Tensor],
        bases: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> dict[int, Tensor]:
        """Return the same as `of_matrices`, all products in one call."""
        found: dict[int, Tensor] = {}
        for product in self.outer:
            if not wanted[product.base]:
                continue
            new = product.base not in found and self._is_whole(product)
            if new:
                found[product.base] = torch.empty_like(bases[product.base], memory_format=torch.contiguous_format)
            rows = self._rows(found, product, bases[product.base])
            listed.add(_columns(block, product.columns).t(), operand(product.operand), rows, add=not new)
        listed.run()
        return found

    def _rows(self, found: dict[int, Tensor], product: BlockProduct, base: Tensor) -> Tensor:
        """Return the rows of a base's gradient to which a product belongs; the gradient starts at 0."""
        gradient = found.get(product.base)
        if gradient is None:
            gradient = found[product.base] = torch.zeros_like(base, memory_format=torch.contiguous_format)
        return gradient if self._is_whole(product) else gradient.narrow(0, product.rows.start, product.rows.count)

    def _is_whole(self, product: BlockProduct) -> bool:
        """Say whether a product gives all rows of its base."""
        return product.rows.count == self._lengths[product.base]

    def _rounded(self, tensor: Tensor) -> Tensor:
        """Return what products multiply: numbers as they are, or rounded to bfloat16."""
        return tensor.bfloat16() if self._bf16 else tensor

    def _products(self, parts: Iterable[tuple[Key, str, ColumnRange]]) -> list[BlockProduct]:
        """Return a product for every slice of every parameter, neighbours in the weights one after the other."""
        single = []
        for operand, name, columns in parts:
            for part in self._slices[name]:
                count = self._lengths[part.base] if part.count < 0 else part.count
                single.append(BlockProduct(operand, part.base, ColumnRange(part.start, count), columns))
        # Neighbours can only be joined where they come one after the other; columns are in the order of the weights.
        return sorted(single, key=lambda product: (str(product.operand), product.base, product.columns.start))


class VectorGradients:
    """The gradients of vectors, from one row of sums over time and batch.

    Args:
        signature: where the parameters lie.
        columns: of that row, by the parameter's key.
    """

    def __init__(self, signature: KernelSignature, columns: Mapping[Key, ColumnRange]) -> None:
        pieces: dict[int, list[tuple[int, ColumnRange]]] = {}
        for key, column in columns.items():
            for part in signature.layout.slices[key.name]:
                pieces.setdefault(part.base, []).append((part.start, column))
        # By base: where in it each vector begins and which columns are its gradient; and the columns that are the
        # gradient of the whole base, where they lie side by side in its order.
        self._pieces: dict[int, tuple[list[tuple[int, ColumnRange]], ColumnRange | None]] = {}
        for base, places in pieces.items():
            places.sort(key=lambda place: place[0])
            in_order = [column for _, column in places]
            adjacent = all(a.stop == b.start for a, b in pairwise(in_order))
            count = sum(column.count for column in in_order)
            whole = adjacent and count == signature.shapes[base].numel()
            self._pieces[base] = places, ColumnRange(in_order[0].start, count) if whole else None

    def add_to(self, gradients: dict[int, Tensor], bases: Sequence[Tensor], sums: Tensor) -> None:
        """Add the gradients of vectors to those of the bases in which they lie.

        Args:
            gradients: by number of the base; changed.
            bases: the tensors of the weights.
            sums: [threads, width], a row from each thread.
        """
        # Each thread has summed its own rows of the batch, so that no two threads ever add to one number.
        row = sums.view(-1) if sums.shape[0] == 1 else sums.sum(0)
        taken: set[ColumnRange] = set()
        for base, (places, whole) in self._pieces.items():
            tensor = bases[base]
            if base not in gradients and whole is not None:
                part = row if whole.count == row.shape[0] else row.narrow(0, whole.start, whole.count)
                if whole in taken:  # two biases with one gradient: who writes to one must not change the other
                    part = part.clone()
                taken.add(whole)
                gradients[base] = part if tensor.dim() == 1 else part.view(tensor.shape)
                continue
            if base not in gradients:
                gradients[base] = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            flat = gradients[base].view(-1)  # contiguous, as it was made here or by a product of matrices
            for place, column in places:
                flat[place : place + column.count] += row[column.start : column.stop]


def _joined(products: list[BlockProduct]) -> Iterator[BlockProduct]:
    """Yield products, neighbours as one."""
    last: BlockProduct | None = None
    for product in products:
        if last is not None and product.continues(last):
            last = product.joined(last)
            continue
        if last is not None:
            yield last
        last = product
    if last is not None:
        yield last


def _columns(block: Tensor, column: ColumnRange) -> Tensor:
    """Return some columns of a block, or the block: a call to torch costs more than a small product."""
    return block if column.count == block.shape[1] else block.narrow(1, column.start, column.count)
