"""torch.nn's RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import modules
from benchmarks.comparison import Entry, Observed
from benchmarks.task import Task

NAME = "torch.nn"
CELL_CLASSES: dict[str, Callable[[int, int], nn.RNNCellBase]] = {
    "rnn": nn.RNNCell,
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
}


def forward(task: Task, truth: Observed) -> Entry:
    """Return a forward pass."""
    return modules.forward(NAME, task.module, modules.network_of(task.module), task, truth)


def training(task: Task, truth: Observed) -> Entry:
    """Return a training pass."""
    return modules.training(NAME, task.module, modules.network_of(task.module), task, truth)


def step(task: Task, truth: Observed) -> Entry:
    """Return one step after the other: a sequence of one, and the state handed on."""
    x = task.x[:1].clone()
    carried: list[Any] = [None]

    @torch.inference_mode()
    def run() -> None:
        carried[0] = task.module(x, carried[0])[1]

    @torch.inference_mode()
    def observe() -> Observed:
        return {"the outputs": _unrolled(task)}

    return Entry(NAME, run, observe, truth)


def cell_step(task: Task, truth: Observed) -> Entry:
    """Return the same with torch.nn's LSTMCell and the like, which are made for single steps."""
    cell = CELL_CLASSES[task.cell](task.sizes.I, task.sizes.H)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in task.module.state_dict().items()})
    x = task.x[0].clone()
    carried: list[Any] = [None]

    @torch.inference_mode()
    def run() -> None:
        carried[0] = cell(x, carried[0])

    @torch.inference_mode()
    def observe() -> Observed:
        state, outputs = None, []
        for one in task.x:
            state = cell(one, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return {"the outputs": torch.stack(outputs)}

    return Entry(f"{NAME} cell", run, observe, truth)


def step_truth(task: Task) -> Observed:
    """Return the outputs of all steps, [T, B, H], in float64."""
    return {"the outputs": modules.truth_of(modules.forward, task)["the output"]}


def _unrolled(task: Task) -> Tensor:
    state, outputs = None, []
    for one in task.x.unsqueeze(1):
        y, state = task.module(one, state)
        outputs.append(y[0])
    return torch.stack(outputs)
