"""A cell's loops as C text: two forward, one back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loopcell.backends.c.codegen.forward import ForwardKernel
from loopcell.backends.c.codegen.kernel import LoopKernel
from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.codegen.reverse import ReverseKernel
from loopcell.equations.graph import Graph
from loopcell.equations.keys import Key
from loopcell.equations.names import ascii_name
from loopcell.equations.printing import text as equations
from loopcell.passes.fuse import Fused


class Loops:
    """The loops of a cell.

    Args:
        fused: the cell.
        registers: how many vectors may hold accumulators.
        factors: what products multiply, FULL, PAIRS, TILES or SPLIT.

    Attributes:
        forward: the loop for inference.
        forward_and_save: the same, which saves for backward what the reverse loop reads.
        reverse: the loop of the backward pass.
        backward: the derived step, each value stored once.
        alias: results of the derived step that are another one's: {key: the other's key}.
        saved_states: names of the states whose values before each step the reverse loop needs.
    """

    def __init__(self, fused: Fused, registers: int, factors: Factors = Factors.FULL) -> None:
        self.fused = fused
        self.backward, self.alias = _deduplicated(fused.backward.graph)
        # A state is read by the derived step itself, or by a product after the loop: d h^T needs h before each step.
        operands = {outer.operand for outer in fused.backward.outer}
        needed = {node.key for _, node in self.backward.leaves("state")} | operands
        self.saved_states = frozenset(name for name in fused.core.states if Key("state", name) in needed)
        self.registers = registers
        self.forward = ForwardKernel("forward", fused.inference, frozenset(), registers, factors)
        # The function's name in C is older than the attribute's; libraries in caches go by the text.
        self.forward_and_save = ForwardKernel("forward_and_keep", fused.training, self.saved_states, registers, factors)
        self.reverse = ReverseKernel(self.backward, registers, factors)

    def all(self) -> tuple[LoopKernel, ...]:
        """Return the three loops."""
        return (self.forward, self.forward_and_save, self.reverse)

    def text(self) -> str:
        """Return the C text, without the headers that it stands on."""
        return loops_text(self.fused, self.all(), self.registers)


def loops_text(fused: Fused, kernels: Sequence[LoopKernel], registers: int) -> str:
    """Return the C text of some loops of a cell, without the headers that it stands on."""
    shapes = sorted({shape for kernel in kernels for shape in kernel.products()})
    each = sorted({(vectors, rows) for vectors, most in shapes for rows in range(1, most + 1)})
    # A function for every number of rows, since the compiler has to know it to hold all sums in registers.
    products = [f"PRODUCT({vectors}, {rows}, {_one_pass(vectors, rows, registers)})" for vectors, rows in each]
    weight = next((kernel.factors.weight for kernel in kernels), "")
    products += [_products(vectors, most, weight) for vectors, most in shapes]
    if any(kernel.factors.on_tiles for kernel in kernels):  # whose products stand in a header
        products = []
    return "\n".join(["", _comment(fused.core), *products, "", *(kernel.text() for kernel in kernels)])


def _one_pass(vectors: int, rows: int, registers: int) -> int:
    """Return how many vectors a product takes at a time: half of them where all sums do not fit into registers."""
    return vectors // 2 if vectors * rows > registers else vectors


def _deduplicated(graph: Graph) -> tuple[Graph, dict[Key, Key]]:
    """Return the reverse step with each value stored once, and which results share a store.

    Sums and what travels to the step before are stores of their own kind, and the gradient of an input is handed out
    as a tensor of its own.
    """
    own = ("state", "parameter", "hoisted", "input")
    apart = {key: i for key, i in graph.results.items() if key.kind in own}
    first: dict[int, Key] = {}
    for key, index in graph.results.items():
        if key not in apart:
            first.setdefault(index, key)
    alias = {key: first[i] for key, i in graph.results.items() if key not in apart and first[i] != key}
    return replace(graph, results=apart | {key: index for index, key in first.items()}), alias


def _comment(graph: Graph) -> str:
    """Return the equations as a C comment; a cell's name is free text, and must not be able to end it."""
    lines = [ascii_name(graph.name), "", *equations(graph).replace("*/", "* /").splitlines()]
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def _products(vectors: int, most: int, weight: str) -> str:
    """Return the function that takes the product for the number of rows that there are."""
    cases = [f"    case {rows}: product_{vectors}_{rows}(w, rows, K, out); break;" for rows in range(most, 0, -1)]
    given = f"int m, const {weight} *w, const factor *const *rows, int64_t K, vec *out"
    return "\n".join([f"INLINE void products_{vectors}_{most}({given}) {{", "    switch (m) {", *cases, "    }", "}"])
