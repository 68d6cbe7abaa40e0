"""NetworkStream: a network that reads on, by steps and by chunks of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.layers.state import State
from loopcell.layers.stepper import SteppedNetwork
from loopcell.layers.streaming.base import Owner, ReadingOn, demand_state
from loopcell.layers.streaming.inputs import ChunkReader
from loopcell.layers.streaming.rows import RowRunner, row_runner
from loopcell.layers.streaming.state import StreamState

NETWORK = "network"
"""The task of a state of one stream of a network."""
NetworkStart: TypeAlias = StreamState | State | str | PathLike[str] | None


class NetworkStream(ReadingOn):
    """A network that reads on; `net.stream()` makes one.

    It runs what evaluation runs (no dropout, draws replaced by their means), without gradients, on the weights as they
    were when it was made; `refresh()` takes them anew. Chunks of any size give the numbers of the whole sequence, bit
    for bit. A chunk counts when it has returned: one that fails, or is interrupted, leaves the stream as it was.
    Threads may share a stream, and go on one after the other.

    Args:
        net: the network.

    Attributes:
        rows: how many steps were read, those before a stop included.
    """

    def __init__(self, net: SteppedNetwork) -> None:
        self._net = net
        self._runner = row_runner(net, 1)
        super().__init__(owner_of(net, NETWORK, self._runner))
        self._read = ChunkReader(net.spec, self._runner, like_of(net))
        self._states = rows_at_rest(net, self._runner, 1)

    @property
    def fused(self) -> bool:
        """True where generated kernels run; else each step is a call of the network."""
        return self._runner.fused

    def step(self, frame: Tensor, **inputs: Tensor) -> Tensor:
        """Take one step.

        Args:
            frame: the input of this step, [I].
            inputs: the cell's further inputs by name, [n] each, or a number [].

        Returns:
            The output [O].

        Raises:
            InputError: a shape, dtype or device is off, or a further input is missing.
            ArgumentError: the cell reads no input of that name.
        """
        with self._lock:
            return self._run(self._read.of_one(frame, inputs, step=True))[0]

    def feed(self, chunk: Tensor, **inputs: Tensor) -> Tensor:
        """Take the next steps, any number of them.

        Args:
            chunk: the input, [T, I]; T may be 0.
            inputs: the cell's further inputs by name, [T, n] each, or [T] of one number a step.

        Returns:
            The output [T, O].

        Raises:
            InputError: as `step`.
        """
        with self._lock:
            return self._run(self._read.of_one(chunk, inputs, step=False))

    def _run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        # The states serve later calls too, so they are not made for inference alone; and the old ones stay until the
        # new ones are whole.
        with torch.inference_mode(False), torch.no_grad():
            states = self._states.clone()
            y = self._runner.run(inputs, states)[:, 0]
        self._states = states
        self.rows += len(y)
        return y

    def _separate(self) -> dict[str, Any]:
        return {"_runner": self._runner.copy()}  # for another thread; weights are shared

    def refresh(self) -> None:
        """Take the network's weights as they are now; the state stays."""
        with self._lock:
            state = self._runner.layout.tensors(self._states)
            self._runner = row_runner(self._net, 1)
            self._owner = owner_of(self._net, NETWORK, self._runner)
            self._read = ChunkReader(self._net.spec, self._runner, like_of(self._net))
            self._states = self._runner.layout.rows(state, rows_at_rest(self._net, self._runner, 1))
            assert self._rest is not None  # `begin` kept it
            self._rest = replace(self._rest, model=self._owner.fingerprint)

    def begin(self, start: NetworkStart) -> Self:
        """Start at a state: of a stream, of a call (`y, state = net(x)`), or in a file; see `ReadingOn.begin`."""
        if not isinstance(start, State):
            return super().begin(start)
        with self._lock:
            super().begin(None)
            self._states = self._runner.layout.rows(checked_state(start, self._example()), self._states)
            return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a pickle is made of: the network with its weights as they are then, and the state."""
        return _made_again, (self._net, self.state)

    def __copy__(self) -> Self:
        return self.fork()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.fork()

    # --- state -----------------------------------------------------------------------------------------------------

    def _example(self) -> State:
        return State.of(self._runner.layout.tensors(self._states))

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return {}, {name: tensor.cpu() for name, tensor in self._example().items()}

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self._states = self._runner.layout.rows(demand_state(tensors, self._example()), self._states)


def owner_of(net: SteppedNetwork, task: str, runner: RowRunner) -> Owner:
    """Return what tells a network from others, for its streams."""
    return Owner(task, type(net).__name__, runner.fingerprint)


def rows_at_rest(net: SteppedNetwork, runner: RowRunner, count: int) -> Tensor:
    """Return the states at rest of some streams, [B, W]."""
    with torch.inference_mode(False):
        return torch.zeros((count, runner.layout.width), dtype=runner.dtype, device=like_of(net).device)


def checked_state(state: State, own: State) -> State:
    """Return a state as a call of the network gave it, of one row.

    Args:
        state: [L, 1, n] each, or [L, n] of one sequence without an axis of rows.
        own: the network's, for names, shapes and dtypes.

    Raises:
        InputError: it is another network's, or of several rows.
    """
    found = {name: tensor.unsqueeze(1) if tensor.dim() == 2 else tensor for name, tensor in state.detach().items()}
    shapes = {name: list(tensor.shape) for name, tensor in found.items()}
    wanted = {name: list(tensor.shape) for name, tensor in own.items()}
    if shapes != wanted:
        raise InputError(f"the state of a stream is {wanted}, one row; got {shapes}: take a row with state.select([0])")
    for name, tensor in found.items():
        if torch.promote_types(tensor.dtype, own[name].dtype) != own[name].dtype:
            raise InputError(
                f"state `{name}` is {tensor.dtype}, and the stream's is {own[name].dtype}: convert it first"
            )
    return State.of({name: found[name].to(tensor) for name, tensor in own.items()})


def like_of(net: SteppedNetwork) -> Tensor:
    """Return a tensor of a network's dtype and device."""
    return next(iter(net.initial_state(1).values()), torch.empty(0))


def _made_again(net: SteppedNetwork, state: StreamState) -> NetworkStream:
    stream = NetworkStream(net)
    return stream.begin(replace(state, model=stream.state.model))
