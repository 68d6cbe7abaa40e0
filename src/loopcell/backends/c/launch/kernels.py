"""Kernels: a cell's loops as one compiled library, and calling it on memory."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.c.codegen.kernel import Kernel
from loopcell.backends.c.codegen.loops import Loops
from loopcell.backends.c.codegen.names import headers
from loopcell.backends.c.toolchain import threads
from loopcell.backends.c.toolchain.build import BuildError, build, vector_bytes
from loopcell.equations.names import ascii_name
from loopcell.errors import LoopcellError
from loopcell.passes.fuse import Fused

MOST_NODES = 600
"""Of a cell: the largest of the library has 150. A model file may have thousands, and compilers take minutes then."""
_BYTES = {torch.float32: 4, torch.float64: 8}


@dataclass(slots=True)  # not frozen: one is made for every call, and freezing costs more than the call's own work
class Rows:
    """How the rows of a batch run, as the kernels are told.

    Attributes:
        steps, batch: T and B.
        order, length, first: int64 [B], [B], [T + 1]: see `arguments` in headers/rows.h; None where all are T long.
        reset: bool [T, B] in one piece, or None.
        threads: how many share the rows.
    """

    steps: int
    batch: int
    order: Tensor | None
    length: Tensor | None
    first: Tensor | None
    reset: Tensor | None
    threads: int

    @property
    def addresses(self) -> tuple[int, int, int, int]:
        """The addresses of the four, 0 for None."""
        if self.order is None and self.reset is None:
            return (0, 0, 0, 0)
        return (_address(self.order), _address(self.length), _address(self.first), _address(self.reset))


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


class Kernels:
    """A cell's loops in C, for one dtype.

    Attributes:
        fused: what is run.
        dtype: torch.float32 or torch.float64, of tensors.
        bf16: products multiply numbers rounded to bfloat16, and add them up in float32; made for torch.bfloat16.
        loops: the generated text.
        forward, forward_and_keep, reverse: the loops.
        functions: their entries in the library, by name; each takes the address of a struct: `arguments` of
            headers/rows.h, and `outer_products` the one of headers/gradients.h.
    """

    def __init__(self, fused: Fused, dtype: torch.dtype) -> None:
        if len(fused.core.nodes) > MOST_NODES:
            count = f"{len(fused.core.nodes):,} values a step"
            raise BuildError(f"it has {count}, and a compiler may take very long over more than {MOST_NODES:,}")
        self.fused = fused
        self.bf16 = dtype == torch.bfloat16
        self.dtype = torch.float32 if self.bf16 else dtype
        self.lanes = vector_bytes() // _BYTES[self.dtype]
        self.loops = Loops(fused, registers=24 if vector_bytes() == 64 else 12, bf16=self.bf16)
        self.forward = self.loops.forward
        self.forward_and_keep = self.loops.forward_and_keep
        self.reverse = self.loops.reverse
        names = [*(kernel.name for kernel in self.loops.all()), "outer_products"]
        library = build(self.text(), ascii_name(fused.core.name)[:60], names)
        self.functions = {name: library[name] for name in names}
        for function in self.functions.values():
            function.restype = None
            function.argtypes = (ctypes.c_void_p,)
        self.library = library

    def text(self) -> str:
        """Return the whole C file: definitions, the headers, and the loops."""
        double = int(self.dtype == torch.float64)
        words = f"#define REAL_IS_DOUBLE {double}\n#define LANES {self.lanes}\n" + "#define BF16 1\n" * self.bf16
        return f"{words}{headers()}{self.loops.text()}"

    def call(self, kernel: Kernel, block: array[int]) -> None:
        """Run one of the loops on what `arguments` returned, completed.

        Raises:
            LoopcellError: memory ran out.
        """
        self.run(kernel.name, block)
        if block[FAILED]:
            raise LoopcellError("there is not enough memory to run this network")

    def run(self, function: str, block: array[int]) -> None:
        """Call one of the library's functions on a struct of 64-bit numbers."""
        self.functions[function](block.buffer_info()[0])

    def arguments(
        self, kernel: Kernel, addresses: list[int], strides: list[int], sizes: list[int], rows: Rows
    ) -> array[int]:
        """Return the struct `arguments` of headers/rows.h for a call.

        Args:
            kernel: `forward`, `forward_and_keep` or `reverse`.
            addresses: of the kernel's slots and matrices, in order; zeros may be filled in later.
            strides: two for each of them.
            sizes: as the kernel names them.
            rows: how the rows run.
        """
        few = rows.steps * rows.batch <= FEW_ROWS
        return array(
            "q",
            [
                threads.entry() or 0,
                rows.threads,
                rows.steps,
                rows.batch,
                self._chunk(kernel, sizes, rows),
                few or not kernel.packs,
                0,
                *rows.addresses,
                *_SET_BY_THE_CALL,
                *sizes,
                *addresses,
                *strides,
                *kernel.no_packs,
            ],
        )

    def kept_width(self, sizes: Mapping[str, int]) -> int:
        """Return how many numbers `forward_and_keep` keeps for every step of a row."""
        loop = self.forward_and_keep.loop
        kept = [loop.graph.results[key] for key in self.forward_and_keep.kept]
        return sum(sizes[loop.size(index)] if loop.graph.nodes[index].dims else 1 for index in kept)

    def _chunk(self, kernel: Kernel, sizes: list[int], rows: Rows) -> int:
        """Return how many steps are computed ahead at a time: as many as stay in the second-level cache."""
        if rows.steps == 1:
            return 1
        width = sum(sizes[place] if place >= 0 else 1 for place in kernel.computed_ahead)
        bytes_a_step = max(1, width) * _BYTES[self.dtype] * -(-rows.batch // rows.threads)
        return max(1, min(rows.steps, _AHEAD_BYTES // max(1, bytes_a_step)))


FEW_ROWS = 4
"""Up to so many steps of all rows, packing weights and calling a library of products cost more than they give."""
_AHEAD_BYTES = 256 * 1024
"""Values computed ahead of the loop: what a core's second-level cache holds beside the weights."""


FAILED = 13
"""The place of `failed` in the struct."""
_SET_BY_THE_CALL = (0,) * 8
"""memory, next, failed, start, and the four places in `data`."""
DIRECT, PACKED, MEMORY, START, DATA = 5, 6, 11, 14, 19
"""The places of `direct`, `packed`, `memory`, `start` and `data`."""
