"""ONNX Runtime, forward only: it trains no LSTM, GRU or RNN nodes.

It can be called in two ways. `run` is the usual one: arrays in, new arrays out, as a network of PyTorch has it. With
bound memory a call writes where it was told to before, and allocates nothing; the results name that apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from benchmarks.comparison import Entry, Observed
from benchmarks.peers.onnx_model import model, output_sizes
from benchmarks.task import Task, named

NAME, BOUND = "ONNX Runtime", "ONNX Runtime, bound memory"


def forward(task: Task, truth: Observed) -> Entry:
    """Return a forward pass."""
    return _run(model(task), {"x": task.x.numpy()}, truth)


def forward_ragged(task: Task, lengths: Tensor, truth: Observed) -> Entry:
    """Return a forward pass over rows of different lengths [B]."""
    inputs = {"x": task.x.numpy(), "lengths": lengths.to(torch.int32).numpy()}
    return _run(model(task, has_lengths=True), inputs, truth)


def _run(made: onnx.ModelProto, inputs: Mapping[str, Any], truth: Observed) -> Entry:
    of = session(made)

    def run() -> Any:
        return of.run(None, inputs)

    return Entry(NAME, run, lambda: _named(*map(torch.from_numpy, run())), truth)


def forward_bound(task: Task, truth: Observed) -> Entry:
    """Return a forward pass with bound memory."""
    outputs = {name: zeros(sizes) for name, sizes in output_sizes(task).items()}
    bound = Bound(session(model(task)), {"x": in_its_memory(task.x.numpy())}, outputs)

    def observe() -> Observed:
        bound.run()
        return _named(*(tensor_of(place) for place in outputs.values()))

    return Entry(BOUND, bound.run, observe, truth)


def _named(y: Tensor, *states: Tensor) -> Observed:
    return named(y.transpose(1, 2).flatten(2), states)  # from [T, D, B, H]


def step(task: Task, truth: Observed) -> Entry:
    """Return one step after the other, the states that came out going in again."""
    of = session(_one_step(task))
    start = {f"initial_{name}": np.zeros((1, task.sizes.B, task.sizes.H), np.float32) for name in task.states}

    def once(feed: dict[str, Any]) -> dict[str, Any]:
        _, *states = of.run(None, feed)
        return {"x": feed["x"], **dict(zip(start, states, strict=True))}

    carried = [{"x": task.x[:1].numpy(), **start}]

    def run() -> None:
        carried[0] = once(carried[0])

    def observe() -> Observed:
        feed, outputs = {"x": task.x[:1].numpy(), **start}, []
        for x in task.x.unsqueeze(1):
            feed = once({**feed, "x": x.numpy()})
            outputs.append(torch.from_numpy(feed["initial_h"])[0])
        return {"the outputs": torch.stack(outputs)}

    return Entry(NAME, run, observe, truth)


def step_bound(task: Task, truth: Observed) -> Entry:
    """Return one step after the other with bound memory."""
    timed = BoundSteps(task)

    def observe() -> Observed:
        fresh = BoundSteps(task)
        return {"the outputs": torch.stack([fresh.step(x) for x in task.x])}

    return Entry(BOUND, timed.run, observe, truth)


class Bound:
    """A session with its inputs and outputs bound."""

    def __init__(self, of: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        self._session = of
        self._binding = of.io_binding()
        for name, place in inputs.items():
            self._binding.bind_ortvalue_input(name, place)
        for name, place in outputs.items():
            self._binding.bind_ortvalue_output(name, place)

    def run(self) -> None:
        """Run once, into the bound outputs."""
        self._session.run_with_iobinding(self._binding)


class BoundSteps:
    """One step after the other: two sets of states, each in turn what is read and what is written."""

    def __init__(self, task: Task) -> None:
        of, sizes = session(_one_step(task)), (1, task.sizes.B, task.sizes.H)
        self._x = in_its_memory(task.x[:1].numpy().copy())  # written to, and the array's memory is not copied
        self._y = zeros((1, *sizes))
        sets = [{name: zeros(sizes) for name in task.states} for _ in range(2)]
        self._bound = [
            Bound(
                of,
                {"x": self._x} | {f"initial_{name}": place for name, place in read.items()},
                {"y": self._y} | written,
            )
            for read, written in (sets, sets[::-1])
        ]
        self._turn = 0

    def run(self) -> None:
        """Take one step with the input that is bound."""
        self._bound[self._turn].run()
        self._turn = 1 - self._turn

    def step(self, x: Tensor) -> Tensor:
        """Take one step with x [B, I]; returns the output [B, H]."""
        self._x.update_inplace(x.unsqueeze(0).numpy())
        self.run()
        return tensor_of(self._y)[0, 0]


def _one_step(task: Task) -> onnx.ModelProto:
    return model(replace(task, sizes=task.sizes._replace(T=1)), carries_state=True)


def session(made: onnx.ModelProto) -> Any:
    """Load a model, with as many threads as PyTorch has here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])


def in_its_memory(array: Any) -> Any:
    """Return an array as ONNX Runtime keeps it, in the same memory."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def zeros(sizes: Sequence[int]) -> Any:
    """Return zeros in its memory."""
    return in_its_memory(np.zeros(sizes, np.float32))


def tensor_of(place: Any) -> Tensor:
    """Return a copy of what lies in its memory."""
    return torch.from_numpy(place.numpy().copy())
