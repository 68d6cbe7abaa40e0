"""What tests run in a process of their own: JAX has threads, and a later test that forks would be warned of them."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace

import torch

from benchmarks import modules
from benchmarks.comparison import Settings, complaint
from benchmarks.grid import Shape
from benchmarks.measure import QUICK
from benchmarks.peers import torch_nn
from benchmarks.peers.find import Absent, peer
from benchmarks.suites import SUITES, ragged
from benchmarks.task import make_task

SMALL = Shape(4, 2, 3, 5)


def start():
    """As in other tests: plain PyTorch, and warnings are errors, but for those of the peers' own modules."""
    os.environ["LOOPCELL_BACKEND"] = "reference"
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", DeprecationWarning)


def whole_sequences(name, cell, layers, both):
    """What is wrong with a peer's output or gradients; None where it is not installed."""
    found = peer(name)
    if isinstance(found, Absent):
        return None
    task = make_task(cell, Shape(6, 3, 4, 5), num_layers=layers, bidirectional=both)
    truth = modules.truth_of(modules.forward, task)
    wrong = complaint(found.forward(task, truth))
    if hasattr(found, "forward_bound"):
        wrong += complaint(found.forward_bound(task, truth))
    if hasattr(found, "training"):
        wrong += complaint(found.training(task, modules.truth_of(modules.training, task)))
    return wrong


def steps(name, cell):
    """What is wrong with a peer's steps, before some were timed and after."""
    found = peer(name)
    if isinstance(found, Absent):
        return None
    task = make_task(cell, Shape(6, 1, 4, 5))
    before = task.x.clone()
    wrong = ""
    for ready in (found.step, getattr(found, "step_bound", found.step)):
        entry = ready(task, torch_nn.step_truth(task))
        wrong += complaint(entry)
        entry.run()
        entry.run()
        wrong += complaint(entry)
    return wrong + ("" if torch.equal(task.x, before) else "everybody's input was changed")


def lengths(cell):
    """What is wrong with ONNX Runtime's rows of different lengths."""
    found = peer("onnxruntime")
    if isinstance(found, Absent):
        return None
    task, lengths_of_rows = make_task(cell, Shape(6, 3, 4, 5)), torch.tensor([2, 6, 1])
    truth = modules.truth_of(modules.forward, task, ragged.packing(lengths_of_rows))
    return complaint(found.forward_ragged(task, lengths_of_rows, truth))


def rows(suite, shape=SMALL):
    """The rows of a suite's first part, at another size."""
    part = replace(SUITES[suite].parts[0], sizes=shape)
    return SUITES[suite].run(part, Settings(QUICK))
