"""One cell over one sequence in one direction: draws, programs, the chosen back end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from loopcell.backends.c import Call, KernelRows, Kernels, plain, run_fused
from loopcell.backends.c.threads import granted
from loopcell.backends.reference import Function, Masks, ReferenceProgram, call, emit, reference_program, run
from loopcell.backends.weights import Weights
from loopcell.equations import Cell
from loopcell.equations.graph import Graph, Node
from loopcell.errors import InputError, LoopcellError
from loopcell.passes import build_program
from loopcell.passes.fuse import Fused
from loopcell.runtime.plan import choose


@dataclass(frozen=True)
class Order:
    """The rows of a batch, those that run longest first; a kernel works on what still runs, and on nothing else.

    Attributes:
        rows: int64 [B].
        length: int64 [B], in that order.
        first: int64 [T + 1], the number of steps of all rows before each step.
        index: int64 [N], the place in [T * B] of every step of every row, in the order of computation.
    """

    rows: Tensor
    length: Tensor
    first: Tensor
    index: Tensor


@dataclass(frozen=True)
class Rows:
    """Where the rows of a batch end and start afresh.

    Attributes:
        steps: T.
        lengths: int64 [B], or None where every row is T long.
        reset: bool [T, B], true where a row's state becomes 0 before the step; never past a row's end. Or None.
    """

    steps: int
    lengths: Int64[Tensor, " B"] | None = None
    reset: Bool[Tensor, "T B"] | None = None

    def valid(self) -> Bool[Tensor, "T B"] | None:
        """Return where there is something to compute; None where everywhere."""
        if self.lengths is None:
            return None
        return torch.arange(self.steps, device=self.lengths.device).unsqueeze(1) < self.lengths

    def masks(self) -> Masks:
        """Return the same as masks over [T, B]."""
        return Masks(self.valid(), self.reset)

    @cached_property
    def order(self) -> Order | None:
        """The rows sorted by length; None where all are T long."""
        if self.lengths is None or not self.lengths.numel() or int(self.lengths.min()) >= self.steps:
            return None
        length, rows = self.lengths.clamp(max=self.steps).sort(descending=True, stable=True)
        runs = torch.arange(self.steps).unsqueeze(1) < length  # [T, B], in that order
        first = torch.zeros(self.steps + 1, dtype=torch.int64)
        torch.cumsum(runs.sum(1), 0, out=first[1:])
        places = torch.arange(self.steps).unsqueeze(1) * len(rows) + rows
        return Order(rows.contiguous(), length.contiguous(), first, places[runs])

    @cached_property
    def plain_reset(self) -> Bool[Tensor, "T B"] | None:
        """The resets in one piece, as kernels read them."""
        return None if self.reset is None else self.reset.contiguous()


class Executable:
    """A cell made ready to run with known sizes.

    Everything is built here, so that a call (perhaps while torch.compile captures it) only runs it.

    Attributes:
        cell: the equations.
        sizes: every size by name.
        output_size: O, the length of the output.
        state_sizes: the length of every state, by name.
    """

    def __init__(self, cell: Cell, sizes: Mapping[str, int]) -> None:
        graph = cell.graph
        self.cell = cell
        self.sizes = dict(sizes)
        lengths = {key: sizes[graph.nodes[index].dims[0]] for key, index in graph.results.items()}
        self.output_size = lengths.pop("output")
        self.state_sizes = {key.removeprefix("state."): length for key, length in lengths.items()}
        self._training = _Programs.of(graph, training=True)
        self._evaluation = _Programs.of(graph, training=False)
        self._input = next((node.key for _, node in graph.leaves("input")), "input.unused")
        self._draws = tuple(node for _, node in graph.leaves("random"))
        self._dropped_weights = {node.name: node.value for _, node in graph.leaves("parameter") if node.value}

    def __call__(
        self,
        x: Float[Tensor, "T B I"],
        states: Sequence[Float[Tensor, "B _"]],
        weights: Weights,
        rows: Rows,
        *,
        training: bool,
        record: tuple[str, ...] = (),
    ) -> tuple[Float[Tensor, "T B O"], list[Float[Tensor, "B _"]], dict[str, Float[Tensor, "T B _"]]]:
        """Run the cell over a sequence.

        Args:
            x: the input [T, B, I].
            states: the states before the first step, each [B, n], in the cell's order.
            weights: the parameters.
            rows: lengths and resets.
            training: draw random numbers, rather than take their means.
            record: names of values to return at every step.

        Returns:
            The output [T, B, O], the states after the last step, and what was recorded, by name.
        """
        programs = self._training if training else self._evaluation
        if record:
            programs = _Programs.of(_watched(self.cell.graph, record), training=training)
        if training and self._dropped_weights:
            weights = Weights.of({name: self._dropped(name, weight) for name, weight in weights.named().items()})
        leaves = {self._input: x, **zip_states(self.cell.states, states)}
        if training:
            leaves |= {node.key: self._draw(node, x) for node in self._draws}
        if choose(self.cell.name, x.device, x.dtype).fused and _are_alike(leaves, weights, x):
            kernels = _kernels(programs, x.dtype)
            if kernels is not None:
                return run_fused(*self._fused_call(kernels, programs, leaves, weights, rows))
        named = {f"parameter.{name}": weight for name, weight in weights.named().items()}
        sizes = {f"size.{name}": size for name, size in self.sizes.items()}
        return run(programs.reference, {**sizes, **leaves, **named}, rows.masks())

    def _fused_call(
        self, kernels: Kernels, programs: _Programs, leaves: dict[str, Tensor], weights: Weights, rows: Rows
    ) -> tuple[Call, list[Tensor]]:
        if programs.once is not None:
            named = {f"parameter.{name}": weight for name, weight in weights.named().items()}
            sizes = {f"size.{name}": size for name, size in self.sizes.items()}
            leaves = {**leaves, **programs.held({**sizes, **leaves, **named})}
        order, batch = rows.order, leaves[self._input].shape[1]
        work = rows.steps * batch * sum(base.numel() for base in weights.bases)
        kernel_rows = KernelRows(
            steps=rows.steps,
            batch=batch,
            order=order and order.rows,
            length=order and order.length,
            first=order and order.first,
            reset=rows.plain_reset,
            threads=granted(min(torch.get_num_threads(), batch)) if work > _MOST_WORK_ALONE else 1,
        )
        keys = (*leaves, *(f"base.{place}" for place in range(len(weights.bases))))
        made = Call(
            kernels, programs.reference, keys, weights.parts, self.sizes, kernel_rows, rows, order and order.index
        )
        return made, [plain(tensor) for tensor in (*leaves.values(), *weights.bases)]

    def _dropped(self, name: str, weight: Tensor) -> Tensor:
        rate = self._dropped_weights.get(name, 0.0)
        return functional.dropout(weight, rate) if rate else weight

    def _draw(self, node: Node, x: Tensor) -> Tensor:
        random = node.random
        assert random is not None  # every random leaf says what it draws
        rows = x.shape[:-1] if random.each == "step" else x.shape[1:-1]
        chances = torch.full((*rows, self.sizes[node.dims[0]]), random.probability, dtype=x.dtype, device=x.device)
        return torch.bernoulli(chances) * random.scale


_MOST_WORK_ALONE = 200_000
"""Multiplications below which waking a second thread costs more than it gives."""


def zip_states(names: Sequence[str], states: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the states by key."""
    return {f"state.{name}": state for name, state in zip(names, states, strict=True)}


def _are_alike(leaves: Mapping[str, Tensor], weights: Weights, x: Tensor) -> bool:
    """Say whether all tensors have one dtype and device: PyTorch converts what it can, a kernel reads memory."""
    dtype, device = x.dtype, x.device
    return all(tensor.dtype == dtype and tensor.device == device for tensor in (*leaves.values(), *weights.bases))


@dataclass(frozen=True, eq=False)
class _Programs:
    """A graph made ready for both back ends.

    Attributes:
        reference: for plain PyTorch.
        fused: for kernels.
        once: what is computed before a kernel is called; None if nothing.
    """

    reference: ReferenceProgram
    fused: Fused
    once: Function | None

    @classmethod
    def of(cls, graph: Graph, *, training: bool) -> _Programs:
        """Return the programs of a graph, the same ones for every network of the cell."""
        return _made(reference_program(build_program(graph, training=training)))

    def held(self, leaves: Mapping[str, Tensor | int]) -> dict[str, Tensor]:
        """Compute what holds for the whole sequence, by key."""
        assert self.once is not None  # the caller has looked
        return dict(zip(self.once.results, call(self.once, leaves), strict=True))


@lru_cache(maxsize=256)
def _made(reference: ReferenceProgram) -> _Programs:
    fused = reference.program.fused
    once = emit(fused.once, "once") if fused.once.results else None
    return _Programs(reference, fused, once)


@lru_cache(maxsize=256)
def _watched_by_identity(key: _Identity, names: tuple[str, ...]) -> Graph:
    graph = key.graph
    states = {state: graph.results[f"state.{state}"] for state in graph.states}
    labels = {node.label: index for index, node in enumerate(graph.nodes) if node.label and node.args}
    known = {**labels, **states}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"cell `{graph.name}` has no value named {unknown[0]!r}; it has {', '.join(known)}")
    return replace(graph, results={**graph.results, **{f"record.{name}": known[name] for name in names}})


class _Identity:
    """A graph as a cache key: graphs hold dictionaries, so the object itself is the key."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.graph is other.graph


def _watched(graph: Graph, names: tuple[str, ...]) -> Graph:
    """Return a cell's graph with named values among its results.

    Raises:
        InputError: there is no value of that name.
    """
    return _watched_by_identity(_Identity(graph), names)


@lru_cache(maxsize=256)
def _kernels(programs: _Programs, dtype: torch.dtype) -> Kernels | None:
    """Return a program's compiled loops; None, with one warning, where they cannot be built."""
    try:
        return Kernels(programs.fused, dtype)
    except LoopcellError as error:
        warnings.warn(
            f"no fused kernel for {programs.fused.core.name}, which runs on plain PyTorch: {error}", stacklevel=2
        )
        return None
