"""Loops: a program's kernels called on tensors, forward and in reverse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from loopcell.backends.triton.codegen.layout import Loop, forward_loop, reverse_loop
from loopcell.backends.triton.codegen.slots import Use
from loopcell.backends.triton.launch.memory import Columns, Shape
from loopcell.backends.triton.launch.run import run_loop
from loopcell.equations.keys import OUTPUT, Key
from loopcell.passes.derive import OuterProduct
from loopcell.passes.program import Program


@dataclass(frozen=True, eq=False)
class Saved:
    """What a forward loop has saved.

    Attributes:
        values: of the step, [T, B, n], by key.
        histories: the states before each step, and the last one after it, [T + 1, B, n], by key.
    """

    values: Mapping[Key, Tensor]
    histories: Mapping[Key, Tensor]


@dataclass(frozen=True, eq=False)
class Results:
    """What a forward loop gives: the output [T, B, O], the states [B, n], what is recorded [T, B, n] by name."""

    output: Tensor
    states: list[Tensor]
    recorded: dict[str, Tensor]


class Kernels:
    """The loops of a program; one for all networks of a cell.

    Attributes:
        program: the equations.
        inference, training, reverse: its loops.
        states: their keys, in the cell's order.
        read: keys of the tensors that the loops are given: states, hoisted values, parameters, draws.
        recorded: names of what is recorded.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.inference = forward_loop(program, saves=False)
        self.training = forward_loop(program, saves=True)
        self.reverse = reverse_loop(program)
        leaves = (*self.training.leaves(), *self.reverse.leaves())
        self.states = self.training.states
        self.read = frozenset(self.states) | {node.key for node in leaves if node.op not in ("saved", "cotangent")}
        self.recorded = tuple(key.name for key in program.loop.results if key.kind == "record")

    def shape_of(self, key: Key, shape: Shape) -> tuple[int, ...]:
        """Return the shape of the output, or of a state."""
        width = shape.width(self.training.sizes.of(self.training.graph.results[key]))
        return (shape.steps, shape.batch, width) if key == OUTPUT else (shape.batch, width)

    def forward(self, leaves: Mapping[Key, Tensor], shape: Shape, *, saves: bool) -> tuple[Results, Saved]:
        """Run the loop in the order of time.

        Args:
            leaves: states [B, n], hoisted values, parameters, draws, by key.
            shape: of the call.
            saves: save what the reverse loop reads.
        """
        loop = self.training if saves else self.inference
        like = leaves[loop.states[0]] if loop.states else next(iter(leaves.values()))
        written = [(key, loop.sizes.of(loop.graph.results[key])) for key, _, _ in loop.written()]
        saved_keys = [(key, size) for key, size in written if key.kind == "saved"]
        columns = Columns.of(saved_keys, shape)
        block = shape.empty(like, (shape.steps, shape.batch, columns.width))
        to = {key: columns.take(block, key) for key, _ in saved_keys}
        for key, size in written:
            if key.kind != "saved":
                to[key] = shape.empty(like, (shape.steps, shape.batch, shape.width(size)))
        finals, histories = run_loop(loop, leaves, to, shape)
        recorded = {key.name: to[key] for key, _ in written if key.kind == "record"}
        values = {key: to[key] for key, _ in saved_keys}
        return Results(to[OUTPUT], [finals[key] for key in loop.states], recorded), Saved(values, histories)

    def backward(
        self,
        leaves: Mapping[Key, Tensor],
        saved: Saved,
        arriving: Mapping[Key, Tensor],
        shape: Shape,
    ) -> dict[Key, Tensor]:
        """Run the loop against the order of time, and the products after it.

        Args:
            leaves: as `forward` had them.
            saved: by `forward`.
            arriving: the gradients of the output [T, B, O] and of the states after the last step, by their key.
            shape: of the call.

        Returns:
            The gradients of the leaves, by key, as tensors that broadcast to them or sum to them.
        """
        loop = self.reverse
        like = next(iter(arriving.values()))
        order = _beside_each_other(self.program.backward.outer, loop.same)
        written = [(key, use, loop.sizes.of(loop.graph.results[key])) for key, use, _ in loop.written()]
        by_step = {key: size for key, use, size in written if use is Use.WRITTEN}
        ordered = [key for key in order if key in by_step] + [key for key in by_step if key not in order]
        columns = Columns.of([(key, by_step[key]) for key in ordered], shape)
        block = shape.empty(like, (shape.steps, shape.batch, columns.width))
        to = {key: columns.take(block, key) for key in ordered}
        for key, use, size in written:
            if use is Use.SUMMED:
                to[key] = like.new_zeros((shape.batch, shape.width(size)))
        finals, _ = run_loop(loop, {**leaves, **saved.values, **arriving}, to, shape, saved.histories)
        results = to | {key: to[other] for key, other in loop.same.items() if other in to}
        gradients: dict[Key, Tensor] = {**finals}
        gradients |= {key: value for key, value in results.items() if key.kind in ("hoisted", "parameter")}
        return gradients | self._of_matrices(block, columns, leaves, saved, results, shape)

    def _of_matrices(
        self,
        block: Tensor,
        columns: Columns,
        leaves: Mapping[Key, Tensor],
        saved: Saved,
        results: Mapping[Key, Tensor],
        shape: Shape,
    ) -> dict[Key, Tensor]:
        """Return the gradients of the loop's matrices: one product for all cotangents of an operand."""
        same = self.reverse.same
        gradients: dict[Key, Tensor] = {}
        for operand, products in _by_operand(self.program.backward.outer).items():
            v = self._operand(same.get(operand, operand), leaves, saved, results, shape).flatten(0, 1)
            ranges = {p: columns.ranges[same.get(p.cotangent, p.cotangent)] for p in products}
            for group in _adjacent(ranges):
                start, stop = ranges[group[0]][0], sum(ranges[group[-1]])
                product = block[..., start:stop].flatten(0, 1).T @ v
                for part in group:
                    gradient = product.narrow(0, ranges[part][0] - start, ranges[part][1])
                    key = Key("parameter", part.parameter)
                    gradients[key] = gradients[key] + gradient if key in gradients else gradient
        return gradients

    def _operand(
        self,
        key: Key,
        leaves: Mapping[Key, Tensor],
        saved: Saved,
        results: Mapping[Key, Tensor],
        shape: Shape,
    ) -> Tensor:
        """Return [T, B, n]: what a matrix was multiplied with at every step."""
        if key in saved.histories:
            before = saved.histories[key][: shape.steps]
            reset = shape.lengths.reset
            return before if reset is None else before.masked_fill(reset.unsqueeze(-1), 0.0)
        value = next(found[key] for found in (saved.values, results, leaves) if key in found)
        return value.expand(shape.steps, shape.batch, value.shape[-1])


def _by_operand(outer: Iterable[OuterProduct]) -> dict[Key, list[OuterProduct]]:
    groups: dict[Key, list[OuterProduct]] = {}
    for product in outer:
        groups.setdefault(product.operand, []).append(product)
    return groups


def _beside_each_other(outer: Iterable[OuterProduct], same: Mapping[Key, Key]) -> list[Key]:
    """Return the keys of the products' cotangents, those of one operand side by side."""
    cotangents = [product.cotangent for products in _by_operand(outer).values() for product in products]
    return list(dict.fromkeys(same.get(key, key) for key in cotangents))


def _adjacent(ranges: Mapping[OuterProduct, tuple[int, int]]) -> list[list[OuterProduct]]:
    """Return products in groups whose columns lie side by side, each column once in a group."""
    groups: list[list[OuterProduct]] = []
    for product in sorted(ranges, key=lambda product: ranges[product]):
        if groups and sum(ranges[groups[-1][-1]]) == ranges[product][0]:
            groups[-1].append(product)
        else:
            groups.append([product])
    return groups


@lru_cache(maxsize=256)
def kernels_of(program: Program) -> Kernels:
    """Return a program's loops, the same ones for every network of the cell."""
    return Kernels(program)
