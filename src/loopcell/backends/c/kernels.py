"""Kernels: a cell's loops as one compiled library, and calling it on memory."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from loopcell.backends.c.build import build, vector_bytes
from loopcell.backends.c.forward import ForwardKernel
from loopcell.backends.c.kernel import Kernel
from loopcell.backends.c.names import headers
from loopcell.backends.c.reverse import ReverseKernel
from loopcell.equations.graph import Graph
from loopcell.equations.names import ascii_name
from loopcell.equations.printing import text
from loopcell.errors import LoopcellError
from loopcell.passes.fuse import Fused

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
        dtype: torch.float32 or torch.float64.
        source: the generated text, without the headers.
        back: the reverse step, each value stored once.
        alias: results of the reverse step that are another one's: {key: the other's key}.
        kept_states: names of the states whose values before each step the reverse loop needs.
        forward, forward_and_keep, reverse: the loops.
        functions: their entries in the library, by name; each takes the address of an `arguments`.
    """

    def __init__(self, fused: Fused, dtype: torch.dtype) -> None:
        self.fused = fused
        self.dtype = dtype
        self.lanes = vector_bytes() // _BYTES[dtype]
        self.back, self.alias = _deduplicated(fused.backward.graph)
        operands = {outer.operand for outer in fused.backward.outer}
        states = {node.key for _, node in self.back.leaves("state")} | operands
        self.kept_states = frozenset(name for name in fused.core.states if f"state.{name}" in states)
        registers = 24 if vector_bytes() == 64 else 12
        self.forward = ForwardKernel("forward", fused.inference, frozenset(), registers)
        self.forward_and_keep = ForwardKernel("forward_and_keep", fused.training, self.kept_states, registers)
        self.reverse = ReverseKernel(self.back, registers)
        self.source = self._emit()
        library = build(self.text(), ascii_name(fused.core.name)[:60])
        self.functions = {kernel.name: library[kernel.name] for kernel in self._kernels()}
        for function in self.functions.values():
            function.restype = None
            function.argtypes = (ctypes.c_void_p,)
        self.library = library

    def text(self) -> str:
        """Return the whole C file: definitions, the headers, and the loops."""
        double = int(self.dtype == torch.float64)
        return f"#define REAL_IS_DOUBLE {double}\n#define LANES {self.lanes}\n{headers()}{self.source}"

    def call(self, kernel: Kernel, addresses: list[int], strides: list[int], sizes: list[int], rows: Rows) -> None:
        """Run one of the loops.

        Args:
            kernel: `forward`, `forward_and_keep` or `reverse`.
            addresses: of the kernel's slots and matrices, in order.
            strides: two for each of them.
            sizes: as the kernel names them.
            rows: how the rows run.

        Raises:
            LoopcellError: memory ran out.
        """
        block = self.arguments(kernel, addresses, strides, sizes, rows)
        self.functions[kernel.name](block.buffer_info()[0])
        if block[FAILED]:
            raise LoopcellError("there is not enough memory to run this network")

    def arguments(
        self, kernel: Kernel, addresses: list[int], strides: list[int], sizes: list[int], rows: Rows
    ) -> array[int]:
        """Return the struct `arguments` of headers/rows.h for a call."""
        few = rows.steps * rows.batch <= _FEW_ROWS
        return array(
            "q",
            [
                thread_pool() or 0,
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
        kept = [index for key, index in loop.graph.results.items() if key.startswith("saved.")]
        kept += [loop.graph.results[f"state.{state}"] for state in self.kept_states]
        return sum(sizes[loop.size(index)] if loop.graph.nodes[index].dims else 1 for index in kept)

    def _chunk(self, kernel: Kernel, sizes: list[int], rows: Rows) -> int:
        """Return how many steps are computed ahead at a time: as many as stay in the second-level cache."""
        if rows.steps == 1:
            return 1
        width = sum(sizes[place] if place >= 0 else 1 for place in kernel.computed_ahead)
        bytes_a_step = max(1, width) * _BYTES[self.dtype] * -(-rows.batch // rows.threads)
        return max(1, min(rows.steps, _AHEAD_BYTES // max(1, bytes_a_step)))

    def _kernels(self) -> tuple[Kernel, ...]:
        return (self.forward, self.forward_and_keep, self.reverse)

    def _emit(self) -> str:
        shapes = sorted({shape for kernel in self._kernels() for shape in kernel.products()})
        each = sorted({(vectors, rows) for vectors, most in shapes for rows in range(1, most + 1)})
        products = [f"PRODUCT({vectors}, {rows})" for vectors, rows in each]
        products += [_products(vectors, most) for vectors, most in shapes]
        return "\n".join(["", _comment(self.fused.core), *products, "", *(k.text() for k in self._kernels())])


_FEW_ROWS = 4
"""Up to so many rows and steps in all, packing the weights costs more than it gives."""
_AHEAD_BYTES = 256 * 1024
"""Values computed ahead of the loop: what a core's second-level cache holds beside the weights."""


FAILED = 13
"""The place of `failed` in the struct."""
_SET_BY_THE_CALL = (0,) * 7
"""memory, next, failed, and the four places in `data`."""
DIRECT, PACKED, MEMORY, DATA = 5, 6, 11, 18
"""The places of `direct`, `packed`, `memory` and `data`."""


def _deduplicated(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """Return the reverse step with each value stored once, and which results share a store.

    Sums and what travels to the step before are stores of their own kind.
    """
    apart = {key: i for key, i in graph.results.items() if key.startswith(("state.", "parameter.", "hoisted."))}
    first: dict[int, str] = {}
    for key, index in graph.results.items():
        if key not in apart:
            first.setdefault(index, key)
    alias = {key: first[i] for key, i in graph.results.items() if key not in apart and first[i] != key}
    return replace(graph, results=apart | {key: index for index, key in first.items()}), alias


def _comment(graph: Graph) -> str:
    """Return the equations as a C comment; a cell's name is free text, and must not be able to end it."""
    lines = [ascii_name(graph.name), "", *text(graph).replace("*/", "* /").splitlines()]
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def _products(vectors: int, most: int) -> str:
    """Return the function that takes the product for the number of rows that there are."""
    cases = [f"    case {rows}: product_{vectors}_{rows}(w, rows, K, out); break;" for rows in range(most, 0, -1)]
    given = "int m, const real *w, const real *const *rows, int64_t K, vec *out"
    return "\n".join([f"INLINE void products_{vectors}_{most}({given}) {{", "    switch (m) {", *cases, "    }", "}"])


@cache
def thread_pool() -> int | None:
    """Return the entry of the thread pool that torch itself uses: one pool, and torch.set_num_threads holds."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            return ctypes.cast(ctypes.CDLL(str(path)).GOMP_parallel, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
    return None
