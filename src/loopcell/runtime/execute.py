"""One cell over one sequence in one direction: draws, programs, the chosen back end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from loopcell.backends.c import Call, run_fused
from loopcell.backends.direct import autocast_dtype, is_jit_traced, is_plain, is_traced, observer
from loopcell.backends.weights import Weights
from loopcell.equations import Cell
from loopcell.equations.graph import Node
from loopcell.runtime.fused import FusedCaller
from loopcell.runtime.operator import describe, name_of, run as run_operator
from loopcell.runtime.plan import Plan, Route, choose, kernel_products, may_fuse, narrow_results, operator_runs, route
from loopcell.runtime.programs import Programs, known_names, watched, why_not_built
from loopcell.runtime.rows import Rows

Results = tuple[Tensor, list[Tensor], dict[str, Tensor]]
"""The output [T, B, O], the final states [B, n], and what was recorded [T, B, n]."""


class Executable:
    """A cell made ready to run with known sizes.

    Everything is built here, so that a call (perhaps while torch.compile captures it) only runs it.

    Args:
        cell: the equations.
        sizes: every size by name.
        autocast_keeps_dtype: under autocast results have the dtype of the states, where it is longer than autocast's.

    Attributes:
        cell: the equations.
        sizes: every size by name.
        output_size: O, the length of the output.
        state_sizes: the length of every state, by name.
        names: of the values that can be recorded.
    """

    def __init__(self, cell: Cell, sizes: Mapping[str, int], *, autocast_keeps_dtype: bool = False) -> None:
        graph = cell.graph
        self.cell = cell
        self._autocast_keeps_dtype = autocast_keeps_dtype
        self.sizes = dict(sizes)
        lengths = {key: sizes[graph.nodes[index].dims[0]] for key, index in graph.results.items()}
        self.output_size = lengths.pop("output")
        self.state_sizes = {key.removeprefix("state."): length for key, length in lengths.items()}
        self._names: dict[tuple[bool, tuple[str, ...]], str] = {}
        self._callers: dict[tuple[bool, tuple[str, ...]], FusedCaller] = {}
        for training in (True, False):
            self._caller(training, ())
        self._input = next((node.key for _, node in graph.leaves("input")), "input.unused")
        self._draws = tuple(node for _, node in graph.leaves("random"))
        self.names = tuple(known_names(graph))
        self._state_keys = tuple(f"state.{name}" for name in graph.states)
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
        products: torch.dtype | None = None,
        stretch: int = 0,
    ) -> tuple[Float[Tensor, "T B O"], list[Float[Tensor, "B _"]], dict[str, Float[Tensor, "T B _"]]]:
        """Run the cell over a sequence.

        Args:
            x: the input [T, B, I].
            states: the states before the first step, each [B, n], in the cell's order.
            weights: the parameters.
            rows: lengths and resets.
            training: draw random numbers, rather than take their means.
            record: names of values to return at every step.
            products: what numbers are rounded to before they are multiplied with weights, where kernels can do so;
                None: nothing.
            stretch: steps between the states that are kept for the gradient, what lies between them being computed
                again; 0: everything is kept that the gradient needs.

        Returns:
            The output [T, B, O], the states after the last step, and what was recorded, by name.
        """
        narrow = narrow_results(x.dtype, x.device)
        if narrow is not None and self._runs_fused(x, states, weights):
            return self._widened(x, states, weights, rows, narrow, training=training, record=record, stretch=stretch)
        if training and self._dropped_weights:
            weights = Weights.of({name: self._dropped(name, weight) for name, weight in weights.named().items()})
        leaves = {self._input: x, **dict(zip(self._state_keys, states, strict=True))}
        if training and self._draws:
            leaves |= {node.key: self._draw(node, x) for node in self._draws}
        run = partial(self._run, training=training, record=record, products=products)
        whole = record or not torch.is_grad_enabled() or torch.compiler.is_compiling() or observer() is not None
        if stretch and not whole:  # a trace of stretches would hold for one T
            found = self._in_stretches(run, leaves, weights, rows, stretch)
        else:
            found = run(leaves, weights, rows)
        return found if autocast_dtype(x.device) is None else _in_dtype(found, self.results_dtype(x, states))

    def plan(self, device: torch.device, dtype: torch.dtype, *, training: bool) -> Plan:
        """Return which path runs on tensors of a device and dtype, as things stand now, and why.

        That kernels cannot be built is known once a call has tried.
        """
        found = choose(self.cell.name, device, dtype, dtype if self._autocast_keeps_dtype else None)
        narrow = narrow_results(dtype)
        products = kernel_products(narrow) or (dtype if narrow is None else torch.float32)
        refusal = why_not_built(self._callers[training, ()].programs, products) if found.fused else None
        if refusal is None:
            return found
        return Plan(found.cell, "reference", f"plain PyTorch, step by step: no kernel could be built: {refusal}")

    def results_dtype(self, x: Tensor, states: Sequence[Tensor]) -> torch.dtype:
        """Return the dtype of results for an input and states, as things stand now."""
        asked_for = autocast_dtype(x.device)
        if asked_for is not None and self._autocast_keeps_dtype:  # the state stays in the sum, gates come in half
            return torch.promote_types(states[0].dtype if states else x.dtype, asked_for)
        return narrow_results(x.dtype, x.device) or x.dtype

    def _run(
        self,
        leaves: dict[str, Tensor],
        weights: Weights,
        rows: Rows,
        *,
        training: bool,
        record: tuple[str, ...],
        products: torch.dtype | None,
    ) -> Results:
        """Run with the draws made, on the path that these tensors may take."""
        x = leaves[self._input]
        caller = self._callers.get((training, record)) or self._caller(training, record)
        if torch.compiler.is_compiling():
            if operator_runs(x.device, x.dtype):
                return self._as_operator(leaves, weights, rows, training, record, products)
            return caller.programs.run_reference(leaves, weights, self.sizes, rows)
        way = route((*leaves.values(), *weights.bases), (rows.lengths, rows.reset))
        if way is not Route.REFERENCE:
            kernels = caller.kernels(kernel_products(products) or x.dtype)
            if kernels is not None and way is Route.KERNELS:
                return run_fused(*caller.call(kernels, leaves, weights, rows))
            if kernels is not None:
                return self._as_operator(leaves, weights, rows, training, record, products)
        return caller.programs.run_reference(leaves, weights, self.sizes, rows)

    def _in_stretches(
        self, run: Callable[..., Results], leaves: dict[str, Tensor], weights: Weights, rows: Rows, stretch: int
    ) -> Results:
        """Run a few steps at a time, and keep for the gradient only the states between these stretches."""
        along = {self._input, *(node.key for node in self._draws if node.random and node.random.each == "step")}
        # Split, not sliced: the gradient of many slices would be as many tensors of the whole length.
        parts = {key: torch.split(leaves[key], stretch) for key in along if key in leaves}
        outputs = []
        for place, start in enumerate(range(0, rows.steps, stretch)):
            now = {**leaves, **{key: split[place] for key, split in parts.items()}}
            stretch_of_rows = rows.part(start, min(start + stretch, rows.steps))
            y, states, _ = checkpoint(run, now, weights, stretch_of_rows, use_reentrant=False, preserve_rng_state=False)
            outputs.append(y)
            leaves = {**leaves, **dict(zip(self._state_keys, states, strict=True))}
        return torch.cat(outputs), [leaves[key] for key in self._state_keys], {}

    def _runs_fused(self, x: Tensor, states: Sequence[Tensor], weights: Weights) -> bool:
        """Say whether kernels run on tensors, once these have one dtype."""
        if torch.compiler.is_compiling():
            return operator_runs(x.device, x.dtype)
        tensors = (x, *states, *weights.bases)
        return may_fuse(x.device, x.dtype) and all(is_plain(tensor) or is_traced(tensor) for tensor in tensors)

    def _widened(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Weights,
        rows: Rows,
        narrow: torch.dtype,
        *,
        training: bool,
        record: tuple[str, ...],
        stretch: int,
    ) -> Results:
        """Run in float32 what is stored, or asked for, in half precision: sums are never narrower than that."""
        results = self.results_dtype(x, states)
        with torch.autocast("cpu", enabled=False):
            y, new, seen = self(
                x.float(),
                [state.float() for state in states],
                weights.float(),
                rows,
                training=training,
                record=record,
                products=narrow,
                stretch=stretch,
            )
        return _in_dtype((y, new, seen), results)

    def prepared(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Weights,
        rows: Rows,
        *,
        training: bool = False,
        products: torch.dtype | None = None,
    ) -> tuple[Call, list[Tensor]] | None:
        """Return the kernel call for tensors like these; None where no kernel may run, or it depends on the call."""
        leaves = {self._input: x, **dict(zip(self._state_keys, states, strict=True))}
        if narrow_results(x.dtype) or route((*leaves.values(), *weights.bases)) is not Route.KERNELS:
            return None
        if training and (self._draws or self._dropped_weights):
            return None
        caller = self._callers[training, ()]
        kernels = caller.kernels(kernel_products(products) or x.dtype)
        return None if kernels is None else caller.call(kernels, leaves, weights, rows)

    def operator_name(self, *, training: bool, record: tuple[str, ...] = ()) -> str:
        """Return the text by which the operator knows this cell."""
        return self._names[training, record]

    def _as_operator(
        self,
        leaves: dict[str, Tensor],
        weights: Weights,
        rows: Rows,
        training: bool,
        record: tuple[str, ...],
        products: torch.dtype | None,
    ) -> Results:
        """Run the kernels as one operator, which compilers, modes and traces see."""
        caller = self._callers[training, record]
        leaves = {**leaves, **caller.programs.held(leaves, weights, self.sizes)}
        what = describe(self.operator_name(training=training, record=record), leaves, weights.text, products)
        tensors = [*leaves.values(), *weights.bases]
        # A trace must be one for training and inference; it keeps nothing, and the backward pass runs forward again.
        keep = not is_jit_traced() and torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        y, *rest = run_operator(tensors, rows.lengths, rows.reset, what, keep)
        states, seen = rest[: len(self._state_keys)], rest[len(self._state_keys) : -1]
        return y, states, dict(zip(record, seen, strict=True))

    def _caller(self, training: bool, record: tuple[str, ...]) -> FusedCaller:
        """Return the kernels of training or evaluation, with values to record; the same ones at every call."""
        graph = watched(self.cell.graph, record) if record else self.cell.graph
        caller = FusedCaller(Programs.of(graph, training=training), self.sizes)
        self._names[training, record] = name_of(self.cell, caller, record, training=training)
        return self._callers.setdefault((training, record), caller)

    def _dropped(self, name: str, weight: Tensor) -> Tensor:
        rate = self._dropped_weights.get(name, 0.0)
        return functional.dropout(weight, rate) if rate else weight

    def _draw(self, node: Node, x: Tensor) -> Tensor:
        random = node.random
        assert random is not None  # every random leaf says what it draws
        rows = x.shape[:-1] if random.each == "step" else x.shape[1:-1]
        chances = torch.full((*rows, self.sizes[node.dims[0]]), random.probability, dtype=x.dtype, device=x.device)
        return torch.bernoulli(chances) * random.scale


def _in_dtype(results: Results, dtype: torch.dtype) -> Results:
    y, states, seen = results
    return y.to(dtype), [state.to(dtype) for state in states], {name: value.to(dtype) for name, value in seen.items()}
