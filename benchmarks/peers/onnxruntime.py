"""ONNX Runtime, forward only: it trains no LSTM, GRU or RNN nodes.

Inputs and outputs are bound once, so that a call copies and allocates nothing: of its ways to be called the fastest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from benchmarks.contest import Contestant, Observed
from benchmarks.peers.onnx_model import model, output_sizes
from benchmarks.task import Task, named

NAME = "ONNX Runtime"


def forward(task: Task, truth: Observed) -> Contestant:
    """A forward pass."""
    return _forward(task, model(task), {"x": task.x.numpy()}, truth)


def forward_ragged(task: Task, lengths: Tensor, truth: Observed) -> Contestant:
    """A forward pass over rows of different lengths [B]."""
    inputs = {"x": task.x.numpy(), "lengths": lengths.to(torch.int32).numpy()}
    return _forward(task, model(task, has_lengths=True), inputs, truth)


def _forward(task: Task, made: onnx.ModelProto, inputs: Mapping[str, Any], truth: Observed) -> Contestant:
    bound = Bound(
        session(made),
        {name: in_its_memory(array) for name, array in inputs.items()},
        {name: in_its_memory(np.zeros(shape, np.float32)) for name, shape in output_sizes(task).items()},
    )

    def observe() -> Observed:
        bound.run()
        y = bound.output("y").transpose(1, 2).flatten(2)
        return named(y, tuple(bound.output(state) for state in task.states))

    return Contestant(NAME, bound.run, observe, truth)


def step(task: Task, truth: Observed) -> Contestant:
    """One step after the other."""
    timed = Steps(task)

    def observe() -> Observed:
        fresh = Steps(task)
        return {"the outputs": torch.stack([fresh.step(x) for x in task.x])}

    return Contestant(NAME, timed.run, observe, truth)


class Bound:
    """A session with its inputs and outputs bound."""

    def __init__(self, of: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        self._session, self._outputs = of, outputs
        self._binding = of.io_binding()
        for name, place in inputs.items():
            self._binding.bind_ortvalue_input(name, place)
        for name, place in outputs.items():
            self._binding.bind_ortvalue_output(name, place)

    def run(self) -> None:
        """Run once, into the bound outputs."""
        self._session.run_with_iobinding(self._binding)

    def output(self, name: str) -> Tensor:
        """What the last run wrote."""
        return torch.from_numpy(self._outputs[name].numpy().copy())


class Steps:
    """One step after the other: two sets of states, each in turn what is read and what is written."""

    def __init__(self, task: Task) -> None:
        _, B, _, H = task.sizes
        made = model(replace(task, sizes=task.sizes._replace(T=1)), carries_state=True)
        of = session(made)
        self._x = in_its_memory(task.x[:1].numpy().copy())  # written to, and the array's memory is not copied
        y = in_its_memory(np.zeros((1, 1, B, H), np.float32))
        sets = [{name: in_its_memory(np.zeros((1, B, H), np.float32)) for name in task.states} for _ in range(2)]
        self._bound = [
            Bound(of, {"x": self._x} | {f"initial_{name}": place for name, place in read.items()}, {"y": y} | written)
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
        return self._bound[0].output("y")[0, 0]


def session(made: onnx.ModelProto) -> Any:
    """Load a model, with as many threads as PyTorch has here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])


def in_its_memory(array: Any) -> Any:
    """An array as ONNX Runtime keeps it, in the same memory."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
