"""A small job for the training loop that knows nothing of the rest of the library: torch.nn alone."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn
from torch.nn import functional

from loopcell.training.config import TrainingConfig
from loopcell.training.hardware import start_fabric
from loopcell.training.loop import Trainer, Work
from loopcell.training.run_folder import RunFolder
from loopcell.training.step import StepResult, TrainingStep

VOCABULARY = 5


class ToyStep(TrainingStep):
    """Next-token prediction with torch.nn.GRU; a chunk is (inputs [T, B], targets [T, B]).

    Targets equal to `ignored` do not count.
    """

    def __init__(self, dropout=0.0, hidden=6, ignored=-100):
        super().__init__()
        self.ignored = ignored
        self.embedding = nn.Embedding(VOCABULARY, 4)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(4, hidden)
        self.head = nn.Linear(hidden, VOCABULARY)

    def forward(self, chunk, state):
        outputs, state = self.gru(self.dropout(self.embedding(chunk[0])), state)
        logits = self.head(outputs).flatten(0, 1)
        loss = functional.cross_entropy(logits, chunk[1].flatten(), ignore_index=self.ignored, reduction="sum")
        return StepResult(loss, int((chunk[1] != self.ignored).sum()), state)

    def initial_state(self, batch_size):
        return torch.zeros(1, batch_size, self.gru.hidden_size, dtype=self.head.weight.dtype)


class ToyChunks:
    """Random tokens [N, B], read T steps at a time; the last chunk may be shorter."""

    def __init__(self, steps, batch_size, chunk, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(VOCABULARY, (steps + 1, batch_size), generator=generator)
        self.steps, self.chunk_steps, self.batch_size = steps, chunk, batch_size

    def part(self, first, count):
        """The lanes from `first` on."""
        part = copy.copy(self)
        part.tokens, part.batch_size = self.tokens[:, first : first + count], count
        return part

    def __len__(self):
        return math.ceil(self.steps / self.chunk_steps)

    def begin_epoch(self, epoch):
        """Every epoch reads the same stream."""

    def chunk(self, index):
        begin = index * self.chunk_steps
        end = min(begin + self.chunk_steps, self.steps)
        return self.tokens[begin:end], self.tokens[begin + 1 : end + 1]


class Diary:
    """Observer that keeps every report."""

    def __init__(self):
        self.reports = []

    def observe(self, report):
        self.reports.append(report)


def config(**configs):
    """A quick run on the CPU in fp64, four lanes, without a schedule; configs as dictionaries."""
    defaults = {
        "truncation": {"k1": 8},
        "optimization": {"schedule": "constant", "warmup": 0, "learning_rate": 0.01, "clip": 0.0},
        "length": {"epochs": 1},
        "hardware": {"device": "cpu", "precision": "64-true"},
        "batch_size": 4,
    }
    merged = {
        name: value | configs.pop(name, {}) if isinstance(value, dict) else value for name, value in defaults.items()
    }
    return TrainingConfig.model_validate(merged | configs)


def make_step(dropout=0.0, ignored=-100):
    torch.manual_seed(7)
    return ToyStep(dropout, ignored=ignored)


def make_trainer(path, settings, *, step=None, chunks=None, **work):
    """A trainer of the toy; the run's folder is made when it is not there."""
    step = step or make_step()
    chunks = ToyChunks(64, settings.batch_size, settings.truncation.chunk) if chunks is None else chunks
    run = RunFolder(path) if path.exists() else RunFolder.create(path)
    return Trainer(Work(step=step, chunks=chunks, **work), settings, start_fabric(settings.hardware), run)


def weights(trainer):
    return {name: value.clone() for name, value in trainer._work.step.state_dict().items()}


def same(left, right):
    """Whether two tables of tensors are equal to the last bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
