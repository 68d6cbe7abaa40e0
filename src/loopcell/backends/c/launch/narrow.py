"""Narrow: a step's kernel whose weights are bfloat16 or int8, and its packs.

A pack is made here and not in C: it is made once, by a stepper, from numbers that are rounded already. Its words are 32
bits: two neighbours along the depth in bfloat16, four in int8, the first one lowest; in the order of `Pack`,
[blocks of units, words of the depth, gates, N, lanes]. In int8 two words of each unit and gate come before those of the
depth: the sum of the row's whole numbers, and its scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from loopcell.backends.c.codegen.layout import Factors, Pack
from loopcell.backends.c.codegen.loops import loops_text
from loopcell.backends.c.codegen.names import HEADERS, headers
from loopcell.backends.c.codegen.narrow import NarrowKernel
from loopcell.backends.c.launch.arguments import empty
from loopcell.backends.c.launch.library import ForwardKernels
from loopcell.backends.c.toolchain.build import vector_bytes
from loopcell.backends.quantise import Int8Rows
from loopcell.errors import InputError
from loopcell.passes.fuse import Fused

MOST_NUMBERS = 65_536
"""Of an operand, in int8: sums of so many products of 8 and 8 bits stay below 2^31."""

NarrowMatrix: TypeAlias = Tensor | Int8Rows
"""A matrix [n, K] as a pack takes it: in bfloat16, or in int8."""


class NarrowKernels(ForwardKernels):
    """A cell's loop for inference with narrow weights, in C.

    Args:
        fused: what is run.
        factors: BF16 or INT8.
    """

    def __init__(self, fused: Fused, factors: Factors) -> None:
        super().__init__(fused, torch.float32)
        self.factors = factors
        # Half of those that `Kernels` has: a sum is two, of even and odd numbers, or of high and low digits.
        self._registers = 12 if vector_bytes() == 64 else 6
        self.forward = NarrowKernel(fused.inference, self._registers, factors)
        self._build(self.text(), ["forward"])

    def text(self) -> str:
        """Return the whole C file: definitions, the headers, and the loop."""
        names = tuple(self.factors.header if name == "products" else name for name in HEADERS if name != "gradients")
        words = f"#define REAL_IS_DOUBLE 0\n#define LANES {self.lanes}\n"
        return f"{words}{headers(names)}{loops_text(self.fused, [self.forward], self._registers)}"

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the parameters that are narrow: those that the products of a step read."""
        return tuple(dict.fromkeys(name for pack in self.forward.packs for name in pack.matrices))

    def packs(self, matrices: Mapping[str, NarrowMatrix]) -> list[Tensor]:
        """Return the packs of the loop, in order, each a tensor of 32-bit words.

        Args:
            matrices: by name.

        Raises:
            InputError: an operand is too long for sums in int8.
        """
        return [packed([matrices[name] for name in pack.matrices], pack, self.lanes) for pack in self.forward.packs]


def packed(matrices: Sequence[NarrowMatrix], pack: Pack, lanes: int) -> Tensor:
    """Return the weights of a pack, int32 [blocks, words, G, N, lanes], with zeros past the last unit and number."""
    gates = [_words_by_unit(matrix) for matrix in matrices]  # [words, n] each
    block = pack.tile.unroll * lanes
    missing = -gates[0].shape[1] % block
    words = torch.stack([functional.pad(gate, (0, missing)) for gate in gates])
    blocks = words.view(len(gates), len(gates[0]), -1, pack.tile.unroll, lanes).permute(2, 1, 0, 3, 4)
    return empty(words, tuple(blocks.shape)).copy_(blocks)


def _words_by_unit(matrix: NarrowMatrix) -> Tensor:
    """Return a matrix [n, K] as words int32 [.., n]: the column of a row, with what stands before its numbers."""
    if isinstance(matrix, Tensor):
        return _joined(matrix, 2).T
    if matrix.values.shape[1] > MOST_NUMBERS:
        raise InputError(
            f'weights="int8" adds up at most {MOST_NUMBERS:,} products, and an operand has {matrix.values.shape[1]:,} '
            'numbers; use weights="bf16"'
        )
    sums = matrix.values.sum(1, dtype=torch.int32)
    return torch.cat([torch.stack([sums, matrix.scales.view(torch.int32)]), _joined(matrix.values, 4).T])


def _joined(rows: Tensor, count: int) -> Tensor:
    """Return so many neighbours of a row as one word, int32 [n, words]; zeros fill up the last one."""
    filled = functional.pad(rows, (0, -rows.shape[1] % count)).contiguous()
    return filled.view(torch.int32)
