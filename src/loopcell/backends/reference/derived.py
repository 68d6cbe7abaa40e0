"""The derived backward, run as a program in torch.

The forward loop saves what the reverse step asks for; the reverse loop runs the graph that `derive` made, and the
gradients of matrices are one product each after it. This is what the fused kernels do, in a form that can be compared
with autograd in double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.reference.emit import Function, emit
from loopcell.backends.reference.sequence import Leaves, ReferenceProgram, batched, fixed_arguments, stacked
from loopcell.equations.keys import OUTPUT, Key, cotangent_of
from loopcell.passes.derive import OuterProduct


@dataclass(frozen=True)
class DerivedProgram:
    """A program with its reverse step emitted too.

    Attributes:
        reference: the program's prologue and loop.
        forward: the loop's step, returning as well what the reverse step reads of it.
        backward: the reverse step.
    """

    reference: ReferenceProgram
    forward: Function
    backward: Function

    @classmethod
    def of(cls, reference: ReferenceProgram) -> DerivedProgram:
        """Emit the reverse step of a program."""
        columns_and_states = (*reference.columns, *reference.states)
        forward = emit(reference.program.loop_and_save(), "step_and_save", first=columns_and_states)
        return cls(reference, forward, emit(reference.program.backward.graph, "reverse_step"))


def run_derived(derived: DerivedProgram, leaves: Leaves, lengths: Lengths) -> tuple[Tensor, list[Tensor]]:
    """Run a program over a sequence with the derived backward; see `sequence.run` for the arguments.

    The gradient is exact, and cannot be differentiated again.
    """
    values = {**leaves, **derived.reference.hoisted(leaves)}
    # autograd sees the tensors among a function's arguments, and none inside of a dict: they go one by one.
    keys = tuple(key for key in derived.reference.loop_keys() if isinstance(values[key], Tensor))
    sizes = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
    call = _Call(derived, keys, sizes, lengths)
    output, *states = _DerivedLoop.apply(call, *(values[key] for key in keys))  # type: ignore[no-untyped-call]
    return output, list(states)


@dataclass(frozen=True)
class _Call:
    derived: DerivedProgram
    keys: tuple[Key, ...]
    sizes: dict[Key, Any]
    lengths: Lengths


class _DerivedLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        values = {**call.sizes, **dict(zip(call.keys, tensors, strict=True))}
        outputs, states, history = _forward(call, values)
        ctx.call, ctx.history = call, history
        ctx.save_for_backward(*tensors)
        size = call.derived.reference.output_size
        return (stacked(outputs, states[0], values, size), *(state.clone() for state in states))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_output: Tensor, *d_states: Tensor) -> tuple[Tensor | None, ...]:
        call: _Call = ctx.call
        values = {**call.sizes, **dict(zip(call.keys, ctx.saved_tensors, strict=True))}
        gradients = _ReverseLoop(call, values, ctx.history).run(d_output, list(d_states))
        return (None, *(gradients.get(key) for key in call.keys))


StepValues = dict[Key, Tensor]
"""What one forward step saved, with the states before it, by key."""


def _forward(call: _Call, values: Leaves) -> tuple[list[Tensor], list[Tensor], list[StepValues]]:
    reference, function = call.derived.reference, call.derived.forward
    states: list[Tensor] = [values[key] for key in reference.states]  # type: ignore[misc]
    fixed = fixed_arguments(function, values, skip=len(reference.columns) + len(states))
    outputs, history = [], []
    for t in range(call.lengths.steps):
        if call.lengths.reset is not None:
            states = [state.masked_fill(call.lengths.reset[t].unsqueeze(-1), 0.0) for state in states]
        columns = [values[key][t] for key in reference.columns]  # type: ignore[index]
        results = dict(zip(function.results, function.call(*columns, *states, *fixed), strict=True))
        # The states as the step read them, so after the reset: the reverse step differentiates at these values.
        history.append(
            {
                **dict(zip(reference.states, states, strict=True)),
                **{k: v for k, v in results.items() if k.kind == "saved"},
            }
        )
        output, *new = (batched(results[key], states[0]) for key in (OUTPUT, *reference.states))
        if call.lengths.mask is not None:
            valid = call.lengths.mask[t].unsqueeze(-1)
            output = output.masked_fill(~valid, 0.0)
            new = [torch.where(valid, after, before) for after, before in zip(new, states, strict=True)]
        outputs.append(output)
        states = new
    return outputs, states, history


class _ReverseLoop:
    """The reverse loop: states' cotangents travel, everything else is collected by step."""

    def __init__(self, call: _Call, values: Leaves, history: list[StepValues]) -> None:
        self.call = call
        self.values = values
        self.history = history
        self.states = call.derived.reference.states
        self.steps: list[StepValues] = []  # results of the reverse step, latest step first

    def run(self, d_output: Tensor, d_states: list[Tensor]) -> dict[Key, Tensor]:
        carried = dict(zip(self.states, d_states, strict=True))
        for t in reversed(range(self.call.lengths.steps)):
            carried = self._step(t, d_output[t], carried)
        return {**carried, **self._collected()}

    def _step(self, t: int, d_output: Tensor, carried: StepValues) -> StepValues:
        valid = None if self.call.lengths.mask is None else self.call.lengths.mask[t].unsqueeze(-1)
        # Past a row's end the step was computed on padding and thrown away, so nothing arrives at its results.
        arriving = {cotangent_of(OUTPUT): _masked(d_output, valid)} | {
            cotangent_of(key): _masked(d, valid) for key, d in carried.items()
        }
        columns = {key: self.values[key][t] for key in self.call.derived.reference.columns}  # type: ignore[index]
        leaves = {**self.values, **columns, **self.history[t], **arriving}
        function = self.call.derived.backward
        results = dict(zip(function.results, function.call(*fixed_arguments(function, leaves)), strict=True))
        self.steps.append({key: value for key, value in results.items() if key not in self.states})
        # The sum brings a cotangent that is one for all rows, such as a constant 0, to the form of the batch.
        before = {key: torch.zeros_like(carried[key]) + results[key] for key in self.states}
        if valid is not None:  # past a row's end its state passed through unchanged
            before = {key: torch.where(valid, before[key], carried[key]) for key in self.states}
        # At a reset the state before the step was not read, whatever it was.
        if self.call.lengths.reset is not None:
            before = {key: d.masked_fill(self.call.lengths.reset[t].unsqueeze(-1), 0.0) for key, d in before.items()}
        return before

    def _collected(self) -> StepValues:
        if not self.steps:
            return {}
        # Steps were run from the last to the first; products and sums over time want them in the order of time.
        results = {key: torch.stack([step[key] for step in reversed(self.steps)]) for key in self.steps[0]}
        gradients = {
            key: self._to_shape(key, value) for key, value in results.items() if key.kind in ("hoisted", "parameter")
        }
        outer = self.call.derived.reference.program.backward.outer
        return gradients | matrix_gradients(outer, results, lambda key: self._operand(key, results))

    def _operand(self, key: Key, results: StepValues) -> Tensor:
        if key in self.history[0]:
            return torch.stack([step[key] for step in self.history])
        value = results[key] if key in results else self.values[key]
        assert isinstance(value, Tensor)  # operands of products are vectors
        return value

    def _to_shape(self, key: Key, gradient: Tensor) -> Tensor:
        """Sum the gradient of what was the same at every step (or for every row) over time (and rows)."""
        leaf = self.values[key]
        assert isinstance(leaf, Tensor)  # hoisted values and parameters are tensors
        return gradient if key in self.call.derived.reference.columns else gradient.sum_to_size(leaf.shape)


def matrix_gradients(
    outer: Iterable[OuterProduct], results: Mapping[Key, Tensor], operand: Callable[[Key], Tensor]
) -> dict[Key, Tensor]:
    """Return the gradients of the loop's matrices: for each one product, the sum over time and batch of d v^T.

    Args:
        outer: the products.
        results: what the reverse loop gave, by key, [T, B, n].
        operand: gives by key what a matrix was multiplied with at every step, [T, B, n] or broadcast to it.
    """
    gradients: dict[Key, Tensor] = {}
    for product in outer:
        key = Key("parameter", product.parameter)
        d, v = results[product.cotangent], operand(product.operand)
        gradient = d.flatten(0, -2).T @ v.expand(*d.shape[:-1], v.shape[-1]).flatten(0, -2)
        gradients[key] = gradients[key] + gradient if key in gradients else gradient
    return gradients


def _masked(gradient: Tensor, valid: Tensor | None) -> Tensor:
    return gradient if valid is None else gradient.masked_fill(~valid, 0.0)
