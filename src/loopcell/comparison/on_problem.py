"""Problems with a known answer as a job: one recurrent layer, a read-out, and sequences drawn anew for each update."""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from loopcell.comparison.budget import own_sizes
from loopcell.comparison.gradients import norms_back
from loopcell.comparison.problems import PROBLEMS, Problem
from loopcell.comparison.results import ComparedRun
from loopcell.comparison.settings import DISTANCES, ProblemSettings
from loopcell.comparison.starts import begin_with_memory
from loopcell.equations import Cell
from loopcell.errors import UsageError
from loopcell.layers import Recurrent
from loopcell.training.config import configure

EVALUATE_EVERY = 50
HELD_OUT, TEST = 512, 1024
LOOK_AT = 32
"""Sequences over which the gradient is taken."""
STOP, SCORE, LOOK = -1, -2, -3
"""In place of the number of an update: the draws that training ends by, that are scored, that gradients are of."""


class Answerer(nn.Module):
    """A recurrent layer, and a read-out of its output at the last steps.

    Args:
        problem: what is to be answered.
        cell: of the layer.
        hidden_size: H.
        sizes: further sizes, for a cell that names them.
    """

    def __init__(self, problem: Problem, cell: Cell, hidden_size: int, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.problem = problem
        self.recurrent = Recurrent(cell, problem.inputs, hidden_size, sizes=own_sizes(cell, sizes))
        self.read_out = nn.Linear(self.recurrent.output_size, problem.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network says at every step, [T, B, outputs], of sequences [T, B, I]."""
        answers: Tensor = self.read_out(self.recurrent(x)[0])
        return answers

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of what the layer gave, [T, B, H], against answers [B] or classes [B, A]."""
        if y.is_floating_point():
            found: Tensor = (self.read_out(output[-1]).squeeze(-1) - y).square().mean()
            return found
        said = self.read_out(output[-y.shape[1] :])
        return nn.functional.cross_entropy(said.flatten(0, 1), y.t().flatten())

    def score(self, x: Tensor, y: Tensor) -> float:
        """Return the mean squared error, or the share of classes that are right; NaN where an answer is no number."""
        with torch.no_grad():
            output = self.recurrent(x)[0]
            if y.is_floating_point():
                error = float(self.loss(output, y))
                return error if math.isfinite(error) else math.nan
            said = self.read_out(output[-y.shape[1] :])
        # Among answers that are no numbers, argmax gives the first class, which would be right now and then.
        return float((said.argmax(-1) == y.t()).float().mean()) if bool(said.isfinite().all()) else math.nan


@dataclass(kw_only=True, repr=False, eq=False)
class OnProblem(ProblemSettings):
    """A problem with a known answer, as a job to compare cells on; its arguments are those of `ProblemSettings`.

    Every cell gets one layer and a linear read-out, and learns by Adam from sequences that are drawn anew for each
    update; the same seed draws the same sequences for every cell. Training ends when the problem is solved, on
    sequences that are drawn apart, or with the updates; the score is on others again.

    Args:
        name: "adding", "copying" or "recall".

    Raises:
        UsageError: there is no such problem, or a distance is too small.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in PROBLEMS:
            near = difflib.get_close_matches(self.name, PROBLEMS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PROBLEMS)}"
            raise UsageError(f"no problem is named {self.name!r}; {hint}")
        configure(ProblemSettings, {field.name: getattr(self, field.name) for field in fields(ProblemSettings)})
        if not self.tried or min(self.tried) < self.problem.smallest:
            raise UsageError(f"distances of {self.name} are {self.problem.smallest} steps or more, got {self.tried}")

    @property
    def problem(self) -> Problem:
        """The problem itself."""
        return PROBLEMS[self.name]

    @property
    def data(self) -> str:
        """The source of the problem, in words."""
        return f"drawn anew for each update; {self.problem.source}"

    @property
    def tried(self) -> Sequence[int]:
        """The distances, from near to far."""
        return sorted(set(DISTANCES[self.name] if self.distances is None else self.distances))

    @property
    def solved(self) -> float:
        """The score from which on the problem counts as solved."""
        return self.problem.solved

    def contents(self) -> str:
        """Return nothing: the seeds say what is drawn."""
        return ""

    def shared(self) -> dict[str, Any]:
        """Return the settings that all cells share, but for the distances."""
        return {name: value for name, value in asdict(self).items() if name not in ("name", "distances")}

    def train(self, cell: Cell, hidden_size: int, seed: int, distance: int | None) -> ComparedRun:
        """Train one cell once at one distance."""
        assert distance is not None  # as `tried` has it
        with torch.random.fork_rng(devices=[]):
            net, start = self._begun(cell, hidden_size, seed, distance)
            return self._run(net, seed, distance, start)

    def trained(self, cell: Cell, seed: int, distance: int) -> nn.Module:
        """Return a trained network to look into: the same that `train` scores."""
        with torch.random.fork_rng(devices=[]):
            net, _ = self._begun(cell, self.hidden_size, seed, distance)
            self._learn(net, seed, distance)
        return net

    def draw(self, count: int, distance: int, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return sequences [T, B, I] and their answers."""
        X, y = self.problem.draw(count, distance, tuple(part % 2**31 for part in seed))
        answers = torch.from_numpy(y.astype(np.float32) if y.dtype.kind == "f" else y)
        return torch.from_numpy(X).transpose(0, 1).contiguous(), answers

    def _begun(self, cell: Cell, hidden_size: int, seed: int, distance: int) -> tuple[Answerer, str]:
        """Return a network with its start values, and what these are called."""
        torch.manual_seed(seed)
        net = Answerer(self.problem, cell, hidden_size, self.sizes or {})
        return net, begin_with_memory(net.recurrent, distance) if self.long_memory else "as torch.nn"

    def _run(self, net: Answerer, seed: int, distance: int, start: str) -> ComparedRun:
        before, began = self._gradient(net, seed, distance), time.perf_counter()
        updates, note = self._learn(net, seed, distance)
        seconds = time.perf_counter() - began
        x, y = self.draw(TEST, distance, (seed, SCORE))
        score = math.nan if note else net.score(x, y)
        if not note and math.isnan(score):
            note = f"the answers were no numbers any more after update {updates:,}"
        layers = net.recurrent
        return ComparedRun(
            cell=layers.cell.name,
            seed=seed,
            distance=distance,
            metric=self.problem.metric,
            score=round(score, 6),
            solved=self.problem.reaches(score, self.problem.solved),
            updates=updates,
            seconds=round(seconds, 2),
            hidden_size=layers.hidden_size,
            parameters=sum(parameter.numel() for parameter in layers.parameters()),
            start=start,
            shape={
                "input_size": layers.input_size, "num_layers": 1, "bidirectional": False,
                "steps": len(x), "batch": self.batch_size,
            },
            gradient={"start": before, "end": [] if note else self._gradient(net, seed, distance)},
            baselines={"no memory": self.problem.chance},
            note=note,
        )  # fmt: skip

    def _learn(self, net: Answerer, seed: int, distance: int) -> tuple[int, str]:
        """Train until the problem is solved or the updates are made; return how many, and what went wrong."""
        parameters = list(net.parameters())
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        held_out = self.draw(HELD_OUT, distance, (seed, STOP))
        for update in range(1, self.updates + 1):
            x, y = self.draw(self.batch_size, distance, (seed, update))
            loss = net.loss(net.recurrent(x)[0], y)
            if not math.isfinite(float(loss.detach())):
                return update, f"the loss was no number any more at update {update:,}"
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            if self.clip:
                nn.utils.clip_grad_norm_(parameters, self.clip)
            optimizer.step()
            if update % EVALUATE_EVERY == 0 and self.problem.reaches(net.score(*held_out), self.problem.enough):
                return update, ""
        return self.updates, ""

    def _gradient(self, net: Answerer, seed: int, distance: int) -> list[float]:
        x, y = self.draw(LOOK_AT, distance, (seed, LOOK))
        return norms_back(net.recurrent, x, lambda output: net.loss(output, y))
