"""Stepper: a network one step at a time, for control loops, live audio and generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from loopcell.errors import InputError, UsageError
from loopcell.layers.boundary import described
from loopcell.layers.drift import Drift, batch_of, drift
from loopcell.layers.further_inputs import read_step
from loopcell.layers.spec import StackSpec
from loopcell.layers.state import State
from loopcell.runtime import (
    FusedSteps,
    Lengths,
    StepLayer,
    Weights,
    check_width,
    is_plain,
    may_fuse,
    narrow_step,
    nothing_at_work,
    observer,
    transformation,
)
from loopcell.runtime.half import widened_dtype, widened_weights

Width = Literal["bf16", "int8"]
"""To which matrices of weights are rounded."""

_NO_INPUTS: Mapping[str, Tensor] = MappingProxyType({})


class SteppedNetwork(Protocol):
    """A network that can go one step at a time."""

    training: bool

    @property
    def spec(self) -> StackSpec:
        """The settings as one value, and what runs each layer."""

    def initial_state(self, batch_size: int) -> State:
        """Return the state at rest."""

    def sources(self, layer: int, direction: int) -> Weights:
        """Return the parameters of one layer and direction."""

    def train(self, mode: bool) -> object:
        """Train or evaluate."""

    def run(
        self,
        x: Tensor,
        state: State | None,
        lengths: None,
        reset: None,
        record: tuple[str, ...] = (),
        inputs: Mapping[str, Tensor] = _NO_INPUTS,
    ) -> tuple[Tensor | PackedSequence, dict[str, Tensor], dict[str, tuple[Tensor, ...]]]:
        """Run a call."""


class Stepper:
    """A network one step at a time: no allocation, the state in place, the whole stack in one call.

    Made by `net.stepper(batch_size=B)`. It runs what evaluation runs (no dropout, draws replaced by their means),
    without gradients, on the weights as they were when it was made; `refresh()` takes them anew. It belongs to one
    thread, as its output and state are the same memory at every step; `net.stream()` gives what threads may share.

    Attributes:
        batch_size: B.
        weights: "bf16" or "int8", the width to which matrices of weights are rounded; None: they are as in the network.
        weight_error: the largest error of a weight that is rounded so, relative to the largest weight of its row.
    """

    def __init__(
        self, net: SteppedNetwork, batch_size: int, state: State | None = None, weights: Width | None = None
    ) -> None:
        if net.spec.bidirectional:
            raise InputError("a bidirectional network reads the future: it cannot go one step at a time")
        if weights is not None:
            check_width(weights)
        self._net = net
        self.batch_size = batch_size
        self.weights = weights
        self.weight_error = 0.0
        # The memory serves every later call, so it is not made for inference alone.
        with torch.inference_mode(False), torch.no_grad():
            self._make_memory()
        self.refresh()
        if state is not None:
            self.state = state

    def _make_memory(self) -> None:
        net, batch_size = self._net, self.batch_size
        start = net.initial_state(batch_size)
        like = next(iter(start.values()))
        self._shape = torch.Size((batch_size, net.spec.input_size))
        self._dtype, self._device = like.dtype, like.device
        # Kernels compute in float32 where the network is in half precision, and so the state is never rounded.
        dtype = widened_dtype(like.dtype) if may_fuse(like.device, like.dtype) else like.dtype
        self._half = None if dtype == like.dtype else like.dtype
        like = like.to(dtype)
        self._buffers = {name: torch.stack([tensor, tensor]).to(dtype) for name, tensor in start.items()}
        self._x = like.new_zeros(self._shape)
        widths = {name: found.width for name, found in net.spec.further.items()}
        self._further = {name: like.new_zeros((batch_size, width)) for name, width in widths.items()}
        sizes = [executable.output_size for executable in net.spec.executables]
        self._outputs = [like.new_zeros(1, batch_size, size) for size in sizes]
        self._y = self._outputs[-1][0].to(self._dtype)
        self._steps: FusedSteps | None = None
        self._turn = 0

    @property
    def fused(self) -> bool:
        """True where generated kernels run; else each step is a call of the network."""
        return self._steps is not None

    @property
    def state(self) -> State:
        """The state now, a copy; setting it copies into the stepper."""
        return State.of({name: buffer[self._now].to(self._dtype, copy=True) for name, buffer in self._buffers.items()})

    @state.setter
    def state(self, state: State) -> None:
        if not isinstance(state, State) or set(state) != set(self._buffers):
            raise InputError(f"a stepper's state is a loopcell.State with {', '.join(self._buffers)}")
        for name, buffer in self._buffers.items():
            if state[name].shape != buffer.shape[1:]:
                raise InputError(
                    f"state `{name}` must be [layers, batch, size] = {list(buffer.shape[1:])}; "
                    f"got {list(state[name].shape)}"
                )
            buffer[self._now].copy_(state[name].detach())

    def step(self, x: Tensor, **inputs: Tensor) -> Tensor:
        """Take one step.

        Args:
            x: the input of this step, [B, I].
            inputs: the cell's further inputs by name, [B, n] each; of one number also [B].

        Returns:
            The output [B, O]. It is overwritten by the next step: clone what is to last.

        Raises:
            InputError: a shape, dtype or device is off, or a further input is missing or unknown.
        """
        if (  # the usual step: these questions take about as long as the kernel of a small network
            self._alone is not None
            and not inputs
            and type(x) is Tensor
            and x.dtype is self._dtype
            and x.shape == self._shape
            and x.is_cpu
            and not x.is_neg()
            and nothing_at_work()
        ):
            return self._step_of_kernels(self._alone, x)
        if inputs or self._further:
            return self._step_of_several(x, inputs)
        if not isinstance(x, Tensor):
            raise InputError(f"a step takes a tensor, {self._dtype} {list(self._shape)}; got {type(x).__name__}")
        if x.shape != self._shape or x.dtype is not self._dtype or x.device != self._device:
            raise InputError(
                f"a step takes {self._dtype} {list(self._shape)} on {self._device}; "
                f"got {x.dtype} {list(x.shape)} on {x.device}"
            )
        if self._steps is None:
            return self._step_of_network(x)
        return self._step_of_kernels(self._steps, self._checked(x))

    def _step_of_several(self, x: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Take a step of a cell that reads further inputs, all of which are copied to where the kernels read them."""
        spec = self._net.spec
        if (
            not isinstance(x, Tensor)
            or x.shape != self._shape
            or x.dtype is not self._dtype
            or x.device != self._device
        ):
            raise InputError(
                f"a step takes {self._dtype} {list(self._shape)} on {self._device}; got {described(x)}"
                + (f" of {x.dtype} on {x.device}" if isinstance(x, Tensor) else "")
            )
        further = read_step(spec, inputs, x)
        if self._steps is None:
            return self._step_of_network(x, further)
        for name, tensor in further.items():
            self._further[name].copy_(self._checked(tensor).detach())
        return self._step_of_kernels(self._steps, self._checked(x))

    def _step_of_kernels(self, steps: FusedSteps, x: Tensor) -> Tensor:
        if self._half is None:
            if not x.is_contiguous():
                x = x.contiguous()
            steps.step(x.data_ptr())
            return self._y
        steps.step(self._x.copy_(x).data_ptr())
        return self._y.copy_(self._outputs[-1][0])

    def _checked(self, x: Tensor) -> Tensor:
        x = x.resolve_neg()  # a lazily negated tensor has its numbers with the other sign in memory
        if is_plain(x) and nothing_at_work():
            return x
        watcher = observer() or (f"a {type(x).__name__}" if transformation() is None else "a transformation")
        raise InputError(
            f"a stepper's kernel reads and writes memory, which {watcher} does not see; call the network instead"
        )

    def __reduce__(self) -> tuple[type[Stepper], tuple[SteppedNetwork, int, State, Width | None]]:
        """Return what a copy or a pickle is made of; it has the network's weights as they are then."""
        return Stepper, (self._net, self.batch_size, self.state, self.weights)

    def compare(self, x: Tensor, **inputs: Tensor) -> Drift:
        """Measure what narrow weights change, step by step on given data, against the weights as they are.

        Both begin at rest, with the network's weights as they are now; this stepper's state stays where it is.

        Args:
            x: the input [T, B, I], of any B; also where the network is `batch_first`.
            inputs: the cell's further inputs by name, [T, B, n] each; of one number a step also [T, B].

        Raises:
            UsageError: this stepper's weights are not narrow.
            InputError: the input is no sequence, or a step of it is refused.
        """
        if self.weights is None:
            raise UsageError(
                "this stepper's weights are the network's own, so there is nothing to compare; "
                'ask for net.stepper(weights="bf16") or "int8"'
            )
        batch = batch_of(x, inputs)
        narrow, full = (Stepper(self._net, batch, weights=weights) for weights in (self.weights, None))
        return drift(full.step, narrow.step, narrow.weight_error, x, inputs)

    def reset(self, rows: Tensor | list[bool] | None = None) -> None:
        """Start afresh: all rows, or those for which bool `rows` [B] is true."""
        if rows is None:
            for buffer in self._buffers.values():
                buffer.zero_()
        else:
            self.state = self.state.reset(rows)

    def refresh(self) -> None:
        """Take the network's weights as they are now."""
        # Taken out and put back: the new steps begin at the first of the two buffers, wherever the old ones stood.
        state = [buffer[self._now].clone() for buffer in self._buffers.values()]
        self._steps = None
        layers = self._layers() if self.weights is None else self._narrow_layers(self.weights)
        if layers is not None:
            self._steps = FusedSteps(layers)
        # What may run at once on the first input, all there is in most cells; further inputs are looked at before.
        self._alone = None if self._further else self._steps
        for buffer, tensor in zip(self._buffers.values(), state, strict=True):
            buffer[self._now].copy_(tensor)

    @property
    def _now(self) -> int:
        return self._turn if self._steps is None else self._steps.turn

    def _memory_of_layers(self) -> Iterator[tuple[int, Tensor, list[tuple[Tensor, Tensor]], Weights, Tensor]]:
        """Yield the number, the input, both buffers of every state, the weights and the output of each layer."""
        x = self._x.unsqueeze(0)
        for layer, output in enumerate(self._outputs):
            pairs = [(buffer[0, layer], buffer[1, layer]) for buffer in self._buffers.values()]
            weights = self._net.sources(layer, 0)
            if self._half is not None:
                weights = widened_weights(weights)
            # Kernels pack matrices, and read vectors where they are: a copy stays as it was until `refresh`.
            bases = tuple(base.detach().clone() if base.dim() < 2 else base for base in weights.bases)
            yield layer, x, pairs, Weights(bases, weights.layout), output
            x = output

    def _narrow_layers(self, width: Width) -> list[StepLayer]:
        layers, error = [], 0.0
        further = {name: tensor.unsqueeze(0) for name, tensor in self._further.items()}
        with torch.no_grad():
            for layer, x, pairs, weights, output in self._memory_of_layers():
                executable = self._net.spec.executables[layer]
                step = narrow_step(executable, x, [pair[0] for pair in pairs], weights, width, further)
                layers.append(StepLayer(step.forward, step.launch, step.tensors, pairs, output, step.packs))
                error = max(error, step.error)
        self.weight_error = error
        return layers

    def _layers(self) -> list[StepLayer] | None:
        layers = []
        with torch.no_grad():
            for layer, x, pairs, weights, output in self._memory_of_layers():
                ready = self._net.spec.executables[layer].prepared(
                    x,
                    [pair[0] for pair in pairs],
                    weights,
                    Lengths(1),
                    products=self._half,
                    further={name: tensor.unsqueeze(0) for name, tensor in self._further.items()},
                )
                if ready is None:
                    return None
                call, tensors = ready
                layers.append(StepLayer(call.bound.inference, call.launch, tensors, pairs, output))
        return layers

    def _step_of_network(self, x: Tensor, further: Mapping[str, Tensor] = _NO_INPUTS) -> Tensor:
        # A step is evaluation, and the network's own mode is the caller's.
        was_training = self._net.training
        self._net.train(False)
        try:
            with torch.no_grad():
                time = 1 if self._net.spec.batch_first else 0
                inputs = {name: tensor.unsqueeze(time) for name, tensor in further.items()}
                y, states, _ = self._net.run(x.unsqueeze(time), self.state, None, None, inputs=inputs)
        finally:
            self._net.train(was_training)
        assert isinstance(y, Tensor)  # a tensor went in
        self.state = State.of(states)
        self._y.copy_(y.reshape(self._y.shape))
        return self._y
