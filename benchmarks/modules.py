"""Entries made from PyTorch modules: loopcell's, torch.nn's, and loops in Python."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from benchmarks.comparison import Entry, Observed
from benchmarks.task import Network, Task, named, named_gradients


def network_of(module: nn.Module, lengths: Tensor | None = None) -> Network:
    """Turn a module into a function to the output and a tuple of states: `(h, c)`, `h` and State become that.

    Args:
        module: torch.nn's or loopcell's.
        lengths: of the rows, for loopcell's.
    """
    options = {} if lengths is None else {"lengths": lengths}

    def network(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        y, state = module(x, **options)
        if isinstance(state, Tensor):
            return y, (state,)
        return y, tuple(state.values() if isinstance(state, Mapping) else state)

    return network


class Job(Protocol):
    """Makes an entry: a name, a module with its weights, how it is called, what to do, and what should come."""

    def __call__(self, name: str, module: nn.Module, network: Network, task: Task, truth: Observed | None) -> Entry:
        """Make it."""
        ...


def forward(name: str, module: nn.Module, network: Network, task: Task, truth: Observed | None) -> Entry:
    """Return a forward pass without gradients."""
    return forward_pass(name, network, task.x.to(_dtype(module)), truth)


def training(name: str, module: nn.Module, network: Network, task: Task, truth: Observed | None) -> Entry:
    """Return a forward and a backward pass: the gradients of the input and of every parameter."""
    x = task.x.to(_dtype(module)).detach().clone().requires_grad_()
    return training_pass(name, network, {"x": x, **dict(module.named_parameters())}, task.cotangent, truth)


def forward_pass(name: str, network: Network, x: Tensor, truth: Observed | None) -> Entry:
    """Return a forward pass of a function."""

    @torch.no_grad()
    def run() -> tuple[Tensor, tuple[Tensor, ...]]:
        return network(x)

    return Entry(name, run, lambda: named(*run()), truth)


def training_pass(
    name: str, network: Network, leaves: Mapping[str, Tensor], cotangent: Tensor, truth: Observed | None
) -> Entry:
    """Return a forward and a backward pass of a function.

    Args:
        name: the entry's.
        network: what is run, on the leaf "x".
        leaves: what gradients are wanted of, by name.
        cotangent: the gradient that arrives at the output.
        truth: what should come.
    """
    x, wanted = leaves["x"], list(leaves.values())
    arriving = cotangent.to(network(x)[0].dtype)

    def run() -> tuple[Tensor, tuple[Tensor, ...]]:
        y, _ = network(x)
        return y, torch.autograd.grad(y, wanted, arriving)

    def observe() -> Observed:
        y, gradients = run()
        return named_gradients(y, list(leaves), gradients)

    return Entry(name, run, observe, truth)


JOBS: dict[str, Job] = {"forward": forward, "training": training}


def truth_of(job: Job, task: Task, network: Callable[[nn.Module], Network] | None = None) -> Observed:
    """Return what a job should give: torch.nn in float64.

    Args:
        job: what is done.
        task: with what.
        network: how the module is called; by default on the padded input.
    """
    module = copy.deepcopy(task.module).double()
    return job("truth", module, (network or network_of)(module), task, None).observe()


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
