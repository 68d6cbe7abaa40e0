"""Two models that differ in the recurrent module alone, trained in turns by one loop, and their clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import loopcell

MODULES: dict[str, dict[str, Callable[[int, int], nn.Module]]] = {
    "lstm": {"loopcell": loopcell.LSTM, "torch.nn": nn.LSTM},
    "gru": {"loopcell": loopcell.GRU, "torch.nn": nn.GRU},
}
CLOSE = 1e-3
"""Of a gradient's largest entry, at the start."""
SAME_CURVE = 0.03
"""Nats by which two validation losses after as many updates may differ: rounding grows over thousands of updates."""


@dataclass(frozen=True)
class Recipe:
    """The training: Adam, its rate going down on a straight line to 0 after the last pass."""

    hidden_size: int = 512
    embedding_size: int = 128
    batch_size: int = 32
    chunk: int = 64
    learning_rate: float = 2e-3
    clip: float = 1.0
    held_out: float = 0.1
    target: float = 1.50
    most_passes: int = 8
    updates_a_turn: int = 10
    turns_between_evaluations: int = 4
    seed: int = 1


class Text:
    """tinyshakespeare in lanes: training tokens [N, B], held-out tokens [M, B]; each lane is one segment of the text.

    Attributes:
        size: V, the number of characters.
    """

    def __init__(self, text: str, recipe: Recipe) -> None:
        alphabet = {character: place for place, character in enumerate(sorted(set(text)))}
        tokens = torch.tensor([alphabet[character] for character in text])
        cut = int(len(tokens) * (1 - recipe.held_out))
        self.size = len(alphabet)
        self.training = _lanes(tokens[:cut], recipe.batch_size)
        self.held_out = _lanes(tokens[cut:], recipe.batch_size)


def _lanes(tokens: Tensor, lanes: int) -> Tensor:
    return tokens[: len(tokens) // lanes * lanes].view(lanes, -1).T.contiguous()


def chunks(lanes: Tensor, steps: int) -> list[tuple[Tensor, Tensor]]:
    """Return inputs and targets, each [T, B], one after the other."""
    inputs, targets = torch.split(lanes[:-1], steps), torch.split(lanes[1:], steps)
    return list(zip(inputs, targets, strict=True))


class Model(nn.Module):
    """Embedding, one recurrent layer, a linear head."""

    def __init__(self, make: Callable[[int, int], nn.Module], vocabulary: int, recipe: Recipe) -> None:
        super().__init__()
        torch.manual_seed(recipe.seed)
        self.embedding = nn.Embedding(vocabulary, recipe.embedding_size)
        self.recurrent = make(recipe.embedding_size, recipe.hidden_size)
        self.head = nn.Linear(recipe.hidden_size, vocabulary)

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Map characters [T, B] and a state to logits [T, B, V] and the next state."""
        y, state = self.recurrent(self.embedding(inputs), state)
        return self.head(y), state


def detached(state: Any) -> Any:
    """Return a state without its past."""
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


@dataclass
class Side:
    """One side.

    Attributes:
        model, optimizer: what is trained.
        state: carried from chunk to chunk; None at the start of a pass.
        seconds: of training so far.
        curve: for every evaluation the updates, the seconds and the validation loss.
    """

    model: Model
    optimizer: torch.optim.Adam
    state: Any = None
    seconds: float = 0.0
    curve: list[tuple[int, float, float]] = field(default_factory=list)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a chunk; the state goes on."""
        logits, state = self.model(inputs, self.state)
        self.state = detached(state)
        return cross_entropy(logits.flatten(0, 1), targets.flatten())

    def update(self, inputs: Tensor, targets: Tensor, rate: float, clip: float) -> None:
        """Make one step of Adam."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(inputs, targets).backward()  # type: ignore[no-untyped-call]  # torch's
        nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()

    @torch.no_grad()
    def validate(self, lanes: Tensor, steps: int) -> float:
        """Return the held-out loss in nats a character; the state of training is left alone."""
        state, total = None, 0.0
        for inputs, targets in chunks(lanes, steps):
            logits, state = self.model(inputs, state)
            total += cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
        return total / lanes[1:].numel()

    def reached(self, target: float) -> tuple[int, float] | None:
        """Return the updates and seconds at the first evaluation that is not above the target; None before."""
        return next(((updates, seconds) for updates, seconds, loss in self.curve if loss <= target), None)


class PairedTraining:
    """Both sides, taking turns.

    Args:
        cell: "lstm" or "gru".
        recipe: what and how.
        text: what is read.
    """

    def __init__(self, cell: str, recipe: Recipe, text: Text) -> None:
        self.recipe, self.text = recipe, text
        self.chunks = chunks(text.training, recipe.chunk)
        self.updates = 0
        self.sides: dict[str, Side] = {}
        for name, make in MODULES[cell].items():
            model = Model(make, text.size, recipe)
            self.sides[name] = Side(model, torch.optim.Adam(model.parameters(), recipe.learning_rate))

    @property
    def is_over(self) -> bool:
        """Both have reached the target, or there were enough passes."""
        done = all(side.reached(self.recipe.target) for side in self.sides.values())
        return done or self.updates >= self._most_updates

    @property
    def _most_updates(self) -> int:
        return self.recipe.most_passes * len(self.chunks)

    def rate(self, update: int) -> float:
        """Return the learning rate of an update."""
        return self.recipe.learning_rate * max(0.0, 1 - update / self._most_updates)

    def compare_start(self) -> None:
        """Check that both sides begin with the same loss and gradients.

        Raises:
            SystemExit: they do not.
        """
        inputs, targets = self.chunks[0]
        found = []
        for side in self.sides.values():
            loss = side.loss(inputs, targets)
            found.append([loss, *torch.autograd.grad(loss, list(side.model.parameters()))])
            side.state = None
        for ours, theirs in zip(*found, strict=True):
            error = (ours - theirs).abs().max().item()
            if not error <= CLOSE * theirs.abs().max().item():
                raise SystemExit(f"the two sides do not start alike: a tensor {list(ours.shape)} is off by {error:.3g}")

    def turn(self) -> None:
        """Make some updates of each side, the one that begins changing from turn to turn; then perhaps evaluate."""
        number = self.updates // self.recipe.updates_a_turn
        order = list(self.sides.values())[:: 1 if number % 2 else -1]
        for side in order:
            started = time.perf_counter()
            for update in range(self.updates, self.updates + self.recipe.updates_a_turn):
                place = update % len(self.chunks)
                side.state = side.state if place else None
                side.update(*self.chunks[place], self.rate(update), self.recipe.clip)
            side.seconds += time.perf_counter() - started
        self.updates += self.recipe.updates_a_turn
        if (number + 1) % self.recipe.turns_between_evaluations == 0:
            self.evaluate()

    def evaluate(self) -> None:
        """Add a point to each curve."""
        for name, side in self.sides.items():
            loss = side.validate(self.text.held_out, self.recipe.chunk)
            side.curve.append((self.updates, round(side.seconds, 3), round(loss, 4)))
            print(f"{self.updates:5d} updates  {side.seconds:7.1f} s  {loss:.4f}  {name}", flush=True)

    def row(self, cell: str, threads: int) -> dict[str, Any]:
        """Return the result."""
        curves = {name: side.curve for name, side in self.sides.items()}
        made = {"cell": cell, "threads": threads, "recipe": asdict(self.recipe), "curves": curves, "ratio": None}
        ours, theirs = (self.sides[name].reached(self.recipe.target) for name in ("loopcell", "torch.nn"))
        if ours is None or theirs is None:
            return {**made, "why": f"not both reached {self.recipe.target} in {self.recipe.most_passes} passes"}
        pairs = zip(*curves.values(), strict=True)
        apart = max(abs(one[2] - other[2]) for one, other in pairs)
        if apart > SAME_CURVE:
            return {**made, "why": f"the validation losses differ by up to {apart:.3f}, so it is not the same training"}
        reached = {"loopcell": ours, "torch.nn": theirs}
        return {**made, "reached": reached, "ratio": round(theirs[1] / ours[1], 4)}
