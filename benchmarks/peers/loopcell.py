"""loopcell itself, through its public names only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import loopcell
from benchmarks import modules
from benchmarks.comparison import Absent, Entry, Observed
from benchmarks.task import Task

CLASSES: dict[str, Callable[..., Any]] = {"rnn": loopcell.RNN, "lstm": loopcell.LSTM, "gru": loopcell.GRU}
NAME = "loopcell"
REFERENCE = "reference"
"""loopcell on plain PyTorch, step by step."""


def network_for(task: Task) -> Any:
    """Return the same network with the same weights."""
    theirs = task.module
    ours = CLASSES[task.cell](
        theirs.input_size, theirs.hidden_size, theirs.num_layers, bidirectional=theirs.bidirectional
    )
    ours.load_state_dict(theirs.state_dict())
    return ours


def path(module: Any) -> str:
    """Return the path of every layer, as `plan` says it now."""
    return "; ".join(dict.fromkeys(plan.backend for plan in module.plan()))


def forward(task: Task, truth: Observed) -> Entry:
    """Return a forward pass."""
    return entry_of(modules.forward, task, truth)


def training(task: Task, truth: Observed) -> Entry:
    """Return a training pass."""
    return entry_of(modules.training, task, truth)


def entry_of(job: modules.Job, task: Task, truth: Observed | None, lengths: Tensor | None = None) -> Entry:
    """Return loopcell at a job, with rows of different lengths if so wished."""
    module = network_for(task)
    return replace(job(NAME, module, modules.network_of(module, lengths), task, truth), path=path(module))


def on_reference(entry: Entry) -> Entry:
    """Return the same entry on the reference path."""
    asked = entry.within(lambda: loopcell.backend("reference"))
    return replace(asked, name=REFERENCE, path="reference")


def step(task: Task, truth: Observed) -> Entry | Absent:
    """Return one step after the other through a stepper; the task's batch is 1."""
    module = network_for(task)
    if not hasattr(module, "stepper"):
        return Absent(NAME, "networks have no stepper")
    stepper = module.stepper(batch_size=task.sizes.B)
    x = task.x[0].clone()

    def observe() -> Observed:
        fresh = module.stepper(batch_size=task.sizes.B)
        return {"the outputs": torch.stack([fresh.step(one).reshape(task.sizes.B, -1).clone() for one in task.x])}

    return Entry(NAME, lambda: stepper.step(x), observe, truth)
