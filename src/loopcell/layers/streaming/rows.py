"""Rows of states, and what runs a network on them: the states of one stream lie side by side in one row of memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy, deepcopy
from typing import NamedTuple, Self

import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.files.tensors import fingerprint_of_tensors
from loopcell.layers.spec import StackSpec
from loopcell.layers.state import State
from loopcell.layers.stepper import SteppedNetwork
from loopcell.runtime import LONGEST, ChunkLayer, FusedChunks, Lengths, Weights, may_fuse, threads_for
from loopcell.runtime.half import widened_dtype, widened_weights


class StatePlace(NamedTuple):
    """The place in a row of a state of a layer: `size` numbers from `start` on."""

    layer: int
    name: str
    start: int
    size: int


class RowLayout:
    """The places of a network's states in a row.

    Attributes:
        columns: layer by layer, in the order of the cell's states.
        width: W, of a row.
        layers: L.
    """

    def __init__(self, spec: StackSpec) -> None:
        self.columns: list[StatePlace] = []
        self.width, self.layers = 0, spec.num_layers
        for layer in range(spec.num_layers):
            for name, size in spec.state_sizes.items():
                self.columns.append(StatePlace(layer, name, self.width, size))
                self.width += size

    def tensors(self, rows: Tensor) -> dict[str, Tensor]:
        """Return rows [B, W] as new tensors [L, B, n], by the names of the states."""
        parts: dict[str, list[Tensor]] = {}
        for column in self.columns:
            parts.setdefault(column.name, []).append(rows[:, column.start : column.start + column.size])
        return {name: torch.stack(layers) for name, layers in parts.items()}

    def rows(self, state: Mapping[str, Tensor], like: Tensor) -> Tensor:
        """Return tensors [L, B, n] as rows [B, W], in the dtype of another tensor and on its device."""
        parts = [state[column.name][column.layer].to(like) for column in self.columns]
        return torch.cat(parts, 1) if parts else like.new_zeros((like.shape[0], 0))


class RowRunner(ABC):
    """A network made ready to run on rows of states, with its weights as they were when it was made.

    It computes what evaluation computes: no dropout, draws replaced by their means, no gradients.

    Attributes:
        layout: of a row.
        dtype: of the states in it.
        fingerprint: of the equations, the sizes and the weights.
    """

    layout: RowLayout
    dtype: torch.dtype
    fingerprint: str

    @property
    @abstractmethod
    def fused(self) -> bool:
        """True where generated kernels run; else each step of each row is a call of the network."""

    @abstractmethod
    def run(self, inputs: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Run a chunk.

        Args:
            inputs: the input first, then the cell's further inputs, by name, [T, B, n] each, in the network's dtype.
            rows: the states before the first step, [B, W]; those after the last one are written over them.

        Returns:
            The output [T, B, O]. A row's numbers are the same whatever the other rows, and however its steps are cut
            into chunks.
        """

    @abstractmethod
    def copy(self) -> Self:
        """Return the same with memory of its own, for another thread; the weights are shared."""


class KernelRows(RowRunner):
    """Generated kernels on rows.

    Args:
        net: the network, whose weights are copied.
        layers: its layers.
        most_rows: the largest B.
        half: the dtype of a network in half precision, whose states are kept in float32; None where it is not.
    """

    fused = True

    def __init__(self, net: SteppedNetwork, layers: list[ChunkLayer], most_rows: int, half: torch.dtype | None) -> None:
        spec = net.spec
        self.layout, self.dtype, self._half = RowLayout(spec), layers[0].tensors[0].dtype, half
        self.fingerprint = identity(net)
        self._chunks = FusedChunks(layers, first_input(spec), most_rows, half)
        self._multiplications = sum(_multiplications(net.spec, layer) for layer in range(spec.num_layers))

    @classmethod
    def of(cls, net: SteppedNetwork, most_rows: int) -> Self | None:
        """Return the kernels of a network; None where none may run on it."""
        like = next(iter(net.initial_state(1).values()), torch.empty(0))
        dtype = widened_dtype(like.dtype) if may_fuse(like.device, like.dtype) else like.dtype
        half = None if dtype == like.dtype else like.dtype
        layers = _chunk_layers(net, like.to(dtype), half)
        return None if layers is None else cls(net, layers, most_rows, half)

    def run(self, inputs: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Run a chunk; see `RowRunner.run`."""
        steps, batch = next(iter(inputs.values())).shape[:2]
        ready = {name: tensor.to(self.dtype).contiguous() for name, tensor in inputs.items()}
        y = self._chunks.run(ready, rows, threads_for(steps * batch * self._multiplications, batch))
        return y if self._half is None else y.to(self._half)

    def copy(self) -> Self:
        """Return the same with memory of its own; see `RowRunner.copy`."""
        other = copy(self)
        vars(other)["_chunks"] = self._chunks.copy()
        return other


class NetworkRows(RowRunner):
    """Calls of a network, a step of a row each: what a row gives then hangs on nothing else, products included.

    Args:
        net: the network, which is copied.
    """

    fused = False

    def __init__(self, net: SteppedNetwork) -> None:
        self._net = deepcopy(net)
        self._net.train(False)
        self.layout, self.fingerprint = RowLayout(net.spec), identity(net)
        self.dtype = next(iter(net.initial_state(1).values()), torch.empty(0)).dtype

    def run(self, inputs: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Run a chunk; see `RowRunner.run`."""
        x = next(iter(inputs.values()))
        spec = self._net.spec
        y = rows.new_empty((*x.shape[:2], spec.executables[-1].output_size), dtype=x.dtype)
        time = 1 if spec.batch_first else 0
        for row in range(x.shape[1]):
            state = State.of(self.layout.tensors(rows[row : row + 1]))
            for step in range(x.shape[0]):
                now = {name: tensor[step, row : row + 1].unsqueeze(time) for name, tensor in inputs.items()}
                first, *_ = now.values()
                further = {name: now[name] for name in spec.further}
                out, states, _ = self._net.run(first, state, None, None, inputs=further)
                assert isinstance(out, Tensor)  # a tensor went in
                y[step, row], state = out.reshape(-1), State.of(states)
            rows[row] = self.layout.rows(state, rows[row : row + 1])[0]
        return y

    def copy(self) -> Self:
        """Return itself: there is no memory that a call leaves anything in."""
        return self


def row_runner(net: SteppedNetwork, most_rows: int) -> RowRunner:
    """Return what runs a network on rows.

    Raises:
        InputError: the network is bidirectional.
    """
    if net.spec.bidirectional:
        raise InputError("a bidirectional network reads the future: it cannot go one step at a time")
    # The memory serves every later call, so it is not made for inference alone.
    with torch.inference_mode(False), torch.no_grad():
        return KernelRows.of(net, most_rows) or NetworkRows(net)


def first_input(spec: StackSpec) -> str:
    """Return the name of the input that a call gives without a name."""
    return next((name for name in spec.cell.inputs if name not in spec.further), "unused")


def identity(net: SteppedNetwork) -> str:
    """Return the fingerprint of a network: the same for another one that computes the same from the same weights."""
    spec = net.spec
    sizes = [sorted(executable.sizes.items()) for executable in spec.executables]
    tensors = {
        f"{layer}.{name}": tensor
        for layer in range(spec.num_layers)
        for name, tensor in net.sources(layer, 0).named().items()
    }
    return fingerprint_of_tensors(tensors, f"{spec.cell.fingerprint} {sizes}\n")


def _chunk_layers(net: SteppedNetwork, like: Tensor, half: torch.dtype | None) -> list[ChunkLayer] | None:
    """Return the layers of a network as kernels; None where none may run.

    Args:
        net: the network.
        like: a tensor of the dtype in which kernels compute.
        half: the dtype of a network in half precision.
    """
    spec, layers = net.spec, []
    columns = RowLayout(spec).columns
    further = {name: like.new_zeros(found.width).expand(LONGEST, 1, -1) for name, found in spec.further.items()}
    width = spec.input_size
    for layer, executable in enumerate(spec.executables):
        ready = executable.prepared(
            like.new_zeros(width).expand(LONGEST, 1, -1),
            [like.new_zeros((1, size)) for size in spec.state_sizes.values()],
            _own(net.sources(layer, 0), half),
            Lengths(LONGEST),
            products=half,
            further=further,
        )
        if ready is None:
            return None
        call, tensors = ready
        starts = [column.start for column in columns if column.layer == layer]
        layers.append(ChunkLayer(call.bound.inference, call.launch, tensors, starts, executable.output_size))
        width = executable.output_size
    return layers


def _own(weights: Weights, half: torch.dtype | None) -> Weights:
    """Return a copy of weights: kernels read biases where they lie, and a stream has those of one moment."""
    wide = weights if half is None else widened_weights(weights)
    return Weights(tuple(base.detach().clone() for base in wide.bases), wide.layout)


def _multiplications(spec: StackSpec, layer: int) -> int:
    """Return how many multiplications a step of one row takes in a layer."""
    executable = spec.executables[layer]
    shapes = executable.cell.graph.parameters.values()
    return sum(math.prod(executable.sizes[size] for size in shape) for shape in shapes if len(shape) > 1)
