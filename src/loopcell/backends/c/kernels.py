"""Kernels: a cell's loops as one compiled library, and calling it on memory."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.c import threads
from loopcell.backends.c.build import build, vector_bytes
from loopcell.backends.c.emit import ForwardKernel, Kernel, ReverseKernel
from loopcell.backends.c.names import headers
from loopcell.equations.graph import Graph
from loopcell.equations.names import ascii_name
from loopcell.equations.printing import text
from loopcell.errors import LoopcellError
from loopcell.passes.fuse import Fused

Address = tuple[int, int, int]
"""A tensor for a kernel: its address, and elements from step to step and from row to row."""

_BYTES = {torch.float32: 4, torch.float64: 8}


@dataclass(frozen=True)
class Rows:
    """How the rows of a batch run, as the kernels are told.

    Attributes:
        steps, batch: T and B.
        order, length, first: int64 [B], [B], [T + 1]: see `arguments` in headers/rows.h; None where all rows are T long.
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
        self._functions = {kernel.name: library[kernel.name] for kernel in self._kernels()}
        for function in self._functions.values():
            function.restype = None
            function.argtypes = (ctypes.c_void_p,)

    def text(self) -> str:
        """Return the whole C file: definitions, the headers, and the loops."""
        double = int(self.dtype == torch.float64)
        return f"#define REAL_IS_DOUBLE {double}\n#define LANES {self.lanes}\n{headers()}{self.source}"

    def call(
        self,
        kernel: Kernel,
        tensors: Mapping[str, Address],
        matrices: Mapping[str, tuple[int, int]],
        sizes: Mapping[str, int],
        rows: Rows,
    ) -> None:
        """Run one of the loops.

        Args:
            kernel: `forward`, `forward_and_keep` or `reverse`.
            tensors: the kernel's slots, by key.
            matrices: address and elements from row to row of the parameters that products read, by name.
            sizes: by name.
            rows: how the rows run.

        Raises:
            LoopcellError: memory ran out.
        """
        arguments = self.arguments(kernel, tensors, matrices, sizes, rows)
        self._functions[kernel.name](ctypes.addressof(arguments))
        if arguments.failed:
            raise LoopcellError("there is not enough memory to run this network")

    def arguments(
        self,
        kernel: Kernel,
        tensors: Mapping[str, Address],
        matrices: Mapping[str, tuple[int, int]],
        sizes: Mapping[str, int],
        rows: Rows,
    ) -> Any:
        """Return the struct `arguments` for a call; it keeps the arrays that it points to."""
        places = [tensors[slot.key] for slot in kernel.slots]
        weights = [matrices[name] for name in kernel.matrices]
        strides = [stride for place in places for stride in place[1:]]
        strides += [stride for weight in weights for stride in (weight[1], 0)]
        return Arguments(
            parallel=threads.entry(),
            threads=rows.threads,
            T=rows.steps,
            B=rows.batch,
            chunk=self._chunk(kernel, sizes, rows),
            direct=not kernel.packs or rows.steps * rows.batch <= _FEW_ROWS,
            size=array([sizes[size] for size in kernel.sizes]),
            at=array([place[0] for place in (*places, *weights)]),
            stride=array(strides),
            pack=array([0] * len(kernel.packs)),
            order=_address(rows.order),
            length=_address(rows.length),
            first=_address(rows.first),
            reset=_address(rows.reset),
        )

    def run(self, kernel: Kernel, arguments: Any) -> None:
        """Run one of the loops on a struct that is ready."""
        self._functions[kernel.name](ctypes.addressof(arguments))

    def _chunk(self, kernel: Kernel, sizes: Mapping[str, int], rows: Rows) -> int:
        """Return how many steps are computed ahead at a time: as many as stay in the second-level cache."""
        if not isinstance(kernel, ForwardKernel) or not kernel.ahead.sweeps:
            return max(1, min(rows.steps, 64))
        graph = kernel.ahead.graph
        width = sum(sizes[kernel.ahead.size(i)] if graph.nodes[i].dims else 1 for i in graph.results.values())
        bytes_a_step = width * _BYTES[self.dtype] * -(-rows.batch // rows.threads)
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


class Arguments(ctypes.Structure):
    """The struct `arguments` of headers/rows.h."""

    _fields_ = (
        ("parallel", ctypes.c_void_p),
        ("threads", ctypes.c_int64),
        ("T", ctypes.c_int64),
        ("B", ctypes.c_int64),
        ("chunk", ctypes.c_int64),
        ("direct", ctypes.c_int64),
        ("size", ctypes.POINTER(ctypes.c_int64)),
        ("at", ctypes.POINTER(ctypes.c_int64)),
        ("stride", ctypes.POINTER(ctypes.c_int64)),
        ("pack", ctypes.POINTER(ctypes.c_int64)),
        ("order", ctypes.c_void_p),
        ("length", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("reset", ctypes.c_void_p),
        ("next", ctypes.c_int64),
        ("failed", ctypes.c_int64),
    )


def array(numbers: Sequence[int]) -> Any:
    """Return numbers as a C array."""
    return (ctypes.c_int64 * max(1, len(numbers)))(*numbers)


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


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
    head = f"INLINE void products_{vectors}_{most}(int m, const real *w, const real *const *rows, int64_t K, vec *out) {{"
    return "\n".join([head, "    switch (m) {", *cases, "    }", "}"])
