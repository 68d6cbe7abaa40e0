"""One cell over one sequence in one direction: draws, programs, the chosen back end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from loopcell.backends.c import Kernels
from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import Weights
from loopcell.equations import Cell
from loopcell.equations.keys import OUTPUT, Key, state_keys
from loopcell.errors import InputError
from loopcell.runtime.dispatch import autocast_dtype, is_jit_traced, narrow_results, observer
from loopcell.runtime.draws import drawn, dropped
from loopcell.runtime.further_input import FurtherInput
from loopcell.runtime.half import converted, converted_weights, narrowed, widened_dtype
from loopcell.runtime.kernels import KernelCall, KernelRunner, RunResults
from loopcell.runtime.obstacles import not_built
from loopcell.runtime.one_device import check_one_device
from loopcell.runtime.operator import run as run_operator
from loopcell.runtime.operator_spec import backend_of_operator, demanded_elsewhere, describe, name_of
from loopcell.runtime.plan import Plan, choose, on_reference
from loopcell.runtime.products import kernel_choice
from loopcell.runtime.programs import Programs, known_names, recording, why_not_built
from loopcell.runtime.routes import RUNS, Route, route
from loopcell.runtime.segments import run_in_segments


class Executable:
    """A cell made ready to run with known sizes.

    Everything is built here, so that a call (perhaps while torch.compile captures it) only runs it.

    Args:
        cell: the equations.
        sizes: every size by name.
        autocast_keeps_dtype: under autocast results have the dtype of the states, where it is longer than autocast's.
        further: names of the inputs of a step that a call gives by name; None: all of the cell's but the first.

    Attributes:
        cell: the equations.
        sizes: every size by name.
        output_size: O, the length of the output.
        further: size and width of every further input, by name.
        state_sizes: the length of every state, by name.
        names: of the values that can be recorded.
    """

    def __init__(
        self,
        cell: Cell,
        sizes: Mapping[str, int],
        *,
        autocast_keeps_dtype: bool = False,
        further: tuple[str, ...] | None = None,
    ) -> None:
        graph = cell.graph
        self.cell = cell
        self._autocast_keeps_dtype = autocast_keeps_dtype
        self.sizes = dict(sizes)
        self.output_size = sizes[graph.size_of(OUTPUT)]
        self.state_sizes = {key.name: sizes[graph.size_of(key)] for key in graph.results if key.kind == "state"}
        self._names: dict[tuple[bool, tuple[str, ...]], str] = {}
        self._runners: dict[tuple[bool, tuple[str, ...]], KernelRunner] = {}
        for training in (True, False):
            self._runner(training, ())
        inputs = {node.name: node for _, node in graph.leaves("input")}
        named = tuple(inputs)[1:] if further is None else further
        self.further = {name: FurtherInput.of(inputs[name], sizes) for name in named}
        self._input = Key("input", next((name for name in inputs if name not in self.further), "unused"))
        self._draws = tuple(node for _, node in graph.leaves("random"))
        self.names = tuple(known_names(graph))
        self._state_keys = state_keys(graph.states)
        self._dropped_weights = {node.name: node.value for _, node in graph.leaves("parameter") if node.value}

    def __call__(
        self,
        x: Float[Tensor, "T B I"],
        states: Sequence[Float[Tensor, "B _"]],
        weights: Weights,
        lengths: Lengths,
        *,
        training: bool,
        record: tuple[str, ...] = (),
        segment: int = 0,
        further: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> tuple[
        Float[Tensor, "T B O"], list[Float[Tensor, "B _"]], dict[str, Float[Tensor, "T B _"]], KernelCall | None
    ]:
        """Run the cell over a sequence.

        Args:
            x: the input [T, B, I].
            states: the states before the first step, each [B, n], in the cell's order.
            weights: the parameters.
            lengths: where rows end and start afresh.
            training: draw random numbers, rather than take their means.
            record: names of values to return at every step.
            segment: steps between the states that are saved for backward, what lies between them being computed again;
                0: everything is saved that the gradient needs.
            further: the further inputs [T, B, n], by name, n = 1 of one number a step.

        Returns:
            The output [T, B, O], the states after the last step, and what was recorded, by name; and the kernel call
            that gave them, where calls on other tensors of the same form may repeat it, else None.

        Raises:
            InputError: further inputs are missing.
        """
        if len(further) != len(self.further):  # a kernel would read from nowhere
            raise InputError(f"cell `{self.cell.name}` also reads {', '.join(self.further)}; {len(further)} came")
        compute = partial(self._compute, training=training, record=record, segment=segment)
        inputs = {self._input: x, **{Key("input", name): tensor for name, tensor in further.items()}}
        half = narrow_results(x.dtype, x.device)
        backend = "reference"  # where autocast, or PyTorch, says itself what is rounded
        if half is not None:
            backend = self._backend((*inputs.values(), *states), weights, lengths, training=training, record=record)
        if half is None or backend == "reference":
            found, call = compute(inputs, states, weights, lengths, products=None)
            return *found, call
        results = self.results_dtype(x, states)
        # Kernels in C compute in float32; elsewhere there is hardware for half precision.
        dtype = torch.float32 if backend == "c" else half
        # Autocast off: it would round again what was just converted, where the reference path runs after all.
        with torch.autocast(x.device.type, enabled=False):
            inputs = dict(zip(inputs, converted(inputs.values(), dtype), strict=True))
            weights = converted_weights(weights, dtype)
            found, call = compute(inputs, converted(states, dtype), weights, lengths, products=half)
        return *narrowed(found, results), call

    def _compute(
        self,
        inputs: Mapping[Key, Tensor],
        states: Sequence[Tensor],
        weights: Weights,
        lengths: Lengths,
        *,
        training: bool,
        record: tuple[str, ...],
        products: torch.dtype | None,
        segment: int,
    ) -> tuple[RunResults, KernelCall | None]:
        """Draw, and run whole or in segments; arguments as of `__call__`.

        `products` is what numbers are rounded to before they are multiplied with weights, where kernels can do so.
        """
        if training and self._dropped_weights:
            weights = dropped(weights, self._dropped_weights)
        x = inputs[self._input]
        leaves = {**inputs, **dict(zip(self._state_keys, states, strict=True))}
        if training and self._draws:
            leaves |= {node.key: drawn(node, x, self.sizes) for node in self._draws}
        run = partial(self._run, training=training, record=record, products=products)
        whole = record or not torch.is_grad_enabled() or torch.compiler.is_compiling() or observer() is not None
        call = None
        if segment and not whole:  # a trace of segments would hold for one T
            by_step = {node.key for node in self._draws if node.random and node.random.each == "step"} | set(inputs)
            found = run_in_segments(run, leaves, weights, lengths, segment, by_step=by_step, states=self._state_keys)
        else:
            found, call = run(leaves, weights, lengths)
        if autocast_dtype(x.device) is not None:  # each operation of the reference path gave the dtype that it chose
            found = narrowed(found, self.results_dtype(x, states))
        return found, call

    def plan(self, device: torch.device, dtype: torch.dtype, *, training: bool) -> Plan:
        """Return which back end runs on tensors of a device and dtype, as things stand now, and why.

        That kernels cannot be built is known once a call has tried.

        Raises:
            UsageError: kernels are demanded, and cannot run.
        """
        runner = self._runners[training, ()]
        found = choose(runner, device, dtype, dtype if self._autocast_keeps_dtype else None)
        if found.backend != "c":
            return found
        computed = widened_dtype(dtype)
        refusal = why_not_built(runner.programs, computed, kernel_choice(computed, narrow_results(dtype)).factors)
        return found if refusal is None else on_reference(found.cell, [("c", not_built(refusal))])

    def results_dtype(self, x: Tensor, states: Sequence[Tensor]) -> torch.dtype:
        """Return the dtype of results for an input and states, as things stand now."""
        asked_for = autocast_dtype(x.device)
        if asked_for is not None and self._autocast_keeps_dtype:  # the state stays in the sum, gates come in half
            return torch.promote_types(states[0].dtype if states else x.dtype, asked_for)
        return narrow_results(x.dtype, x.device) or x.dtype

    def _run(
        self,
        leaves: dict[Key, Tensor],
        weights: Weights,
        lengths: Lengths,
        *,
        training: bool,
        record: tuple[str, ...],
        products: torch.dtype | None,
    ) -> tuple[RunResults, KernelCall | None]:
        """Run with the draws made, on the path that these tensors may take; the kernel call as in `__call__`."""
        x = leaves[self._input]
        runner = self._runners.get((training, record)) or self._runner(training, record)
        if torch.compiler.is_compiling():  # its tensors are fake, and `route` would ask what they are
            backend = self._backend(leaves.values(), weights, lengths, training=training, record=record)
            if backend != "reference" and all(one.dtype == x.dtype for one in (*leaves.values(), *weights.bases)):
                return self._as_operator(leaves, weights, lengths, training, record, products), None
            return runner.programs.run_reference(leaves, weights, self.sizes, lengths), None
        chosen = route((*leaves.values(), *weights.bases), runner, lengths)
        kernels = _kernels(runner, x, products) if chosen.backend == "c" else None
        if chosen.backend == "reference" or (chosen.backend == "c" and kernels is None):
            check_one_device(leaves, weights)
            return runner.programs.run_reference(leaves, weights, self.sizes, lengths), None
        if chosen.as_operator:
            return self._as_operator(leaves, weights, lengths, training, record, products), None
        if kernels is not None:
            call, tensors = runner.prepare(kernels, leaves, weights, lengths)
            return call.run(tensors), call if self._is_repeatable(runner, training=training) else None
        return RUNS[chosen.backend](runner.programs, leaves, weights, self.sizes, lengths), None

    def _is_repeatable(self, runner: KernelRunner, *, training: bool) -> bool:
        """Say whether kernels read the input, the states and the weights as they are.

        Draws, and loop invariants, are tensors that every call makes for itself before its kernels run.
        """
        return runner.programs.once is None and not (training and (self._draws or self._dropped_weights))

    def _backend(
        self,
        leaves: Iterable[Tensor],
        weights: Weights,
        lengths: Lengths,
        *,
        training: bool,
        record: tuple[str, ...],
    ) -> str:
        """Return which back end runs on tensors, the input first, once these have one dtype."""
        x, *others = leaves
        runner = self._runners.get((training, record)) or self._runner(training, record)
        if torch.compiler.is_compiling():
            name = self.operator_name(training=training, record=record)
            return backend_of_operator(name, x.device, x.dtype, resets=lengths.reset is not None)
        return route((x, *others, *weights.bases), runner, lengths, one_dtype=False).backend

    def prepared(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Weights,
        lengths: Lengths,
        *,
        training: bool = False,
        products: torch.dtype | None = None,
        further: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> tuple[KernelCall, list[Tensor]] | None:
        """Return the kernel call for tensors like these; None where no kernel may run, or it depends on the call."""
        leaves = self.leaves(x, states, further)
        if narrow_results(x.dtype) or route((*leaves.values(), *weights.bases)) != Route("c"):
            return None
        if training and (self._draws or self._dropped_weights):
            return None
        runner = self._runners[training, ()]
        kernels = _kernels(runner, x, products)
        return None if kernels is None else runner.prepare(kernels, leaves, weights, lengths)

    def leaves(self, x: Tensor, states: Sequence[Tensor], further: Mapping[str, Tensor]) -> dict[Key, Tensor]:
        """Return the tensors of a call by key, draws aside; the input first."""
        inputs = {self._input: x, **{Key("input", name): tensor for name, tensor in further.items()}}
        return {**inputs, **dict(zip(self._state_keys, states, strict=True))}

    def runner(self, *, training: bool) -> KernelRunner:
        """Return the kernels of training or evaluation, which record nothing."""
        return self._runners[training, ()]

    def operator_name(self, *, training: bool, record: tuple[str, ...] = ()) -> str:
        """Return the text by which the operator knows this cell."""
        return self._names[training, record]

    def _as_operator(
        self,
        leaves: dict[Key, Tensor],
        weights: Weights,
        lengths: Lengths,
        training: bool,
        record: tuple[str, ...],
        products: torch.dtype | None,
    ) -> RunResults:
        """Run the kernels as one operator, which compilers, modes and traces see."""
        programs = self._runners[training, record].programs
        leaves = {**leaves, **programs.invariants(leaves, weights, self.sizes)}
        name = self.operator_name(training=training, record=record)
        spec = describe(name, [str(key) for key in leaves], weights.layout.text, products, demanded_elsewhere())
        tensors = [*leaves.values(), *weights.bases]
        # A trace must be one for training and inference; it saves nothing, and the backward pass runs forward again.
        keep = not is_jit_traced() and torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        y, *rest = run_operator(tensors, lengths.lengths, lengths.reset, spec, keep)
        states, seen = rest[: len(self._state_keys)], rest[len(self._state_keys) : -1]
        return y, states, dict(zip(record, seen, strict=True))

    def _runner(self, training: bool, record: tuple[str, ...]) -> KernelRunner:
        """Return the kernels of training or evaluation, with values to record; the same ones at every call."""
        runner = KernelRunner(Programs.of(recording(self.cell.graph, record), training=training), self.sizes)
        self._names[training, record] = name_of(self.cell, runner, record, training=training)
        return self._runners.setdefault((training, record), runner)


def _kernels(runner: KernelRunner, x: Tensor, products: torch.dtype | None) -> Kernels | None:
    """Return the kernels for an input [T, B, I], by the rows that a thread has of a step."""
    crew = runner.crew(*x.shape[:2])
    rows = -(-x.shape[1] // (crew.threads // crew.team))
    return runner.kernels(x.dtype, kernel_choice(x.dtype, products, rows))
