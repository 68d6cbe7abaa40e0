"""Examples and a network on the training engine that the whole library has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeAlias

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from loopcell.files.tensors import read_tensor_file
from loopcell.runtime import sent
from loopcell.tasks.core.estimator.examples import BatchT, ExampleBatches, Examples
from loopcell.tasks.core.networks.clues import clue_to_gradient, clue_to_loss
from loopcell.tasks.core.networks.watching import watch_of
from loopcell.training.checkpoint import CHECKPOINT, under
from loopcell.training.config import TrainingConfig
from loopcell.training.hardware import start_fabric
from loopcell.training.loop import Callback, Outcome, Work
from loopcell.training.optimizer import MakeOptimizer
from loopcell.training.randomness import random_state, restore_random_state, seed_everything
from loopcell.training.run import train
from loopcell.training.run_folder import RunFolder
from loopcell.training.step import ChunkT, Clue, StateT, StepResult, TrainingStep

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# A batch is read without learning, so it takes less memory than one that is learned from.
READING_FACTOR = 4


class Loss(NamedTuple):
    """The loss of a batch.

    Attributes:
        total: scalar, the summed loss of its predictions.
        predictions: how many there are.
    """

    total: Tensor
    predictions: int


class Trainable(Protocol):
    """A network of an estimator, which has a loss beside `forward`."""

    def loss(self, batch: Any) -> Loss:
        """Return the summed loss of a batch's predictions and their number; the batch is on the network's device."""
        ...


BatchLoss: TypeAlias = Callable[[Any], Loss]


class FitOptions(NamedTuple):
    """The options of a training: how a network is trained, and where that is kept.

    Attributes:
        config: the numbers.
        run: a folder for checkpoints and curves, if there is one.
        export: writes the model for its users when it is the best so far.
        progress: show it on standard error.
        resumed: go on from the folder's last checkpoint.
        loss: of a batch, in place of the network's own.
        optimizer: makes one of the network's parameters, in place of AdamW.
        callbacks: called with each row of the history.
        change: of a training batch, with the numbers of its epoch and of itself; None for nothing.
    """

    config: TrainingConfig
    run: RunFolder | None = None
    export: Callable[[Path], None] = lambda _: None
    progress: bool = False
    resumed: bool = False
    loss: BatchLoss | None = None
    optimizer: MakeOptimizer | None = None
    callbacks: Sequence[Callback] = ()
    change: Callable[[Any, int, int], Any] | None = None


class NetworkStep(TrainingStep[Any, tuple[()]], Generic[BatchT]):
    """A network as the training loop wants it: batches have nothing to do with each other, so the state is empty.

    Args:
        network: has a method `loss`, as `Trainable` says.
        loss: in place of that method.
    """

    def __init__(self, network: nn.Module, loss: BatchLoss | None = None) -> None:
        super().__init__()
        self.network = network
        self._loss: BatchLoss = loss or network.loss  # type: ignore[assignment] # Trainable

    def forward(self, chunk: BatchT, state: tuple[()]) -> StepResult[tuple[()]]:
        """Run one batch."""
        loss = self._loss(on_device(chunk, device_of(self.network)))
        return StepResult(loss.total, loss.predictions, ())

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing is carried."""
        return ()

    def cause(self, chunk: BatchT, state: tuple[()]) -> Clue | None:
        """Say which quantity of the equations or which data make the loss of a batch not finite."""
        return clue_to_loss(self, chunk, state)

    def cause_of_gradient(self, chunk: BatchT, state: tuple[()]) -> Clue | None:
        """Say at which quantity of the equations the gradient of a batch stops being finite."""
        return clue_to_gradient(self, chunk, state)


def optimise(
    network: nn.Module, training: Examples[BatchT], held_out: Examples[BatchT] | None, options: FitOptions
) -> Outcome:
    """Train a network; where examples are held out, it ends with the weights that fit them best.

    Raises:
        TrainingError: the loss is not finite.
        UsageError: the run folder is that of another run.
        MissingExtraError: Lightning Fabric is not installed.
    """
    size, seed = options.config.batch_size, options.config.seed
    work = Work(
        step=NetworkStep[BatchT](network, options.loss),
        chunks=ExampleBatches(training, size, seed, change=options.change),
        validation=None if held_out is None else _reading(held_out, READING_FACTOR * size),
    )
    return train_work(network, work, options, start_fabric(options.config.hardware))


def train_work(network: nn.Module, work: Work[ChunkT, StateT], options: FitOptions, fabric: Fabric) -> Outcome:
    """Train a network on its work; where there is held-out data, it ends with the weights that fit it best.

    Raises:
        TrainingError: the loss is not finite.
        UsageError: the run folder is that of another run.
    """
    kept: dict[str, Tensor] = {}

    def keep() -> None:
        if work.validation is not None:
            kept.update({name: tensor.clone() for name, tensor in network.state_dict().items()})
        if options.run:
            options.export(options.run.model)

    console = Console(stderr=True) if options.progress else None
    work = replace(work, export=keep, callbacks=options.callbacks, optimizer=options.optimizer)
    work = replace(work, watch=watch_of(network, work.step))
    outcome = train(work, options.config, fabric, options.run, console=console, resumed=options.resumed)
    fabric.barrier()  # only the first process keeps weights and writes files, which the others read now
    if outcome.position.best_loss is not None:
        if kept:
            network.load_state_dict(kept)
        else:
            work.step.load_state_dict(_best_of(options.run))
    network.eval()
    return outcome


def _reading(examples: Examples[BatchT], batch_size: int) -> ExampleBatches[BatchT]:
    return ExampleBatches(examples, batch_size, seed=0, shuffle=False)


def _best_of(run: RunFolder | None) -> dict[str, Tensor]:
    """Return the best weights of a run that did not get better after it was resumed."""
    assert run is not None
    return under("weights", read_tensor_file(run.best, CHECKPOINT).tensors)


@contextmanager
def private_randomness(seed: int) -> Iterator[None]:
    """Draw from generators with a seed of one's own; afterwards they are where they were."""
    before = random_state(torch.device("cpu"))
    seed_everything(seed)
    try:
        yield
    finally:
        restore_random_state(before, torch.device("cpu"))


def device_of(network: nn.Module) -> torch.device:
    """Return where a network's weights are."""
    return next(network.parameters()).device


def on_device(batch: BatchT, device: torch.device) -> BatchT:
    """Return a batch with its tensors on a device."""
    moved: BatchT = pytree.tree_map_only(Tensor, lambda tensor: sent(tensor, device), batch)
    return moved
