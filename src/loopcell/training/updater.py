"""One update of the weights: chunks forward, gradients back, clipping, the optimizer, the schedule."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, cast

import torch
from torch import Tensor, nn

from loopcell.errors import TrainingError
from loopcell.training.carried import CarriedState, first_clue
from loopcell.training.checkpoint import (
    gather,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    scatter,
    under,
)
from loopcell.training.config import TrainingConfig
from loopcell.training.optimizer import (
    MakeOptimizer,
    build_optimizer,
    build_schedule,
    own_optimizer,
    restore_schedule,
    warmup_of,
)
from loopcell.training.randomness import random_state, restore_random_state
from loopcell.training.step import ChunkSource, ChunkT, StateT, StepResult, TrainingStep

if TYPE_CHECKING:
    from lightning_fabric import Fabric


ADVICE = "try a lower learning rate or stronger clipping"


class UpdateResult(NamedTuple):
    """The figures of an update, over all processes.

    Attributes:
        loss_sum: summed loss of its predictions.
        predictions: how many they were.
        gradient_norm: norm of the mean loss's gradient, before clipping.
        clipped: whether it was above what clipping allows.
        flags: the sums over all processes of what `update` was given: how many said yes, seconds added up.
    """

    loss_sum: float
    predictions: int
    gradient_norm: float
    clipped: bool
    flags: tuple[float, ...]


class Updater(Generic[ChunkT, StateT]):
    """The module, its optimizer and schedule, and the state that is carried along the stream.

    Args:
        step: the module to train.
        chunks: the data of this process.
        config: how.
        fabric: the device and the processes.
        total_updates: the schedule's length.
        optimizer: makes the optimizer; None for AdamW as the config has it.
    """

    def __init__(
        self,
        step: TrainingStep[ChunkT, StateT],
        chunks: ChunkSource[ChunkT],
        config: TrainingConfig,
        fabric: Fabric,
        total_updates: int,
        optimizer: MakeOptimizer | None = None,
    ) -> None:
        self._step, self._fabric, self._optimization = step, fabric, config.optimization
        self._limit = config.optimization.clip or math.inf
        self._own = optimizer is not None
        self._raw_optimizer = (
            build_optimizer(step, config.optimization) if optimizer is None else own_optimizer(step, optimizer)
        )
        self._module, self._optimizer = fabric.setup(_Sealed(step), self._raw_optimizer)
        self._schedule = build_schedule(self._raw_optimizer, config.optimization, total_updates)
        self._total, self._warmup = total_updates, warmup_of(config.optimization, total_updates)
        self._warm = False
        self._chunks, self._carried = chunks, CarriedState(step, chunks, config.truncation.window)
        # The gradients are summed over this many predictions and scaled when the real number is known.
        self._nominal = config.batch_size * config.truncation.k1 * config.truncation.accumulate

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return float(self._schedule.get_last_lr()[0])

    @property
    def warm(self) -> bool:
        """True if an update has been made after the warm-up, at the height of the learning rate."""
        return self._warm

    def hasten(self, share: float) -> None:
        """Let the learning rate be where it would be after this share of the schedule that follows the warm-up."""
        place = self._warmup + int(share * (self._total - self._warmup))
        while self._schedule.last_epoch < min(place, self._total - 1):
            self._schedule.step()

    def at_update(self, update: int) -> None:
        """Put the schedule where it is after so many updates, however far a time limit had hastened it."""
        if self._schedule.last_epoch == update:
            return
        for group in self._raw_optimizer.param_groups:
            group["lr"] = group["initial_lr"]  # which the schedule has noted
        with warnings.catch_warnings():  # that the optimizer has made none of these steps, which it has, before
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            self._schedule = build_schedule(self._raw_optimizer, self._optimization, self._total)
            for _ in range(min(update, self._total)):  # a file may say that there were any number
                self._schedule.step()

    def restart(self) -> None:
        """Start the stream again, from the initial state."""
        self._carried.restart()

    def update(self, indices: Sequence[int], flags: Sequence[float]) -> UpdateResult:
        """Train on some neighbouring chunks.

        The gradient is that of the mean loss over all predictions of all processes.

        Args:
            indices: the chunks, in order.
            flags: facts of this process, yes or no or numbers, whose sum all processes are to know after the update.

        Raises:
            TrainingError: the loss or the gradient is not finite; the weights are as they were.
        """
        self._warm = self._warm or self._schedule.last_epoch >= self._warmup
        before = self._carried.states()
        losses, count = self._backward(indices)
        loss, total, *raised = self._over_processes(float(losses), count, *flags)
        demand_finite("loss", loss, lambda: self._cause(indices, before))
        norm = self._descend(int(total), lambda: self._cause_of_gradient(indices, before))
        return UpdateResult(loss, int(total), norm, norm > self._limit, tuple(raised))

    @property
    def _untrained(self) -> bool:
        """True before the first update, when the learning rate has no part in what happens."""
        return self._schedule.last_epoch == 0

    def _cause(self, indices: Sequence[int], before: tuple[StateT, ...]) -> str | None:
        """Run some chunks again, on the weights of before the update, and return why their loss is not finite."""
        with self._fabric.autocast():
            found = first_clue(self._step.cause, self._carried.chunks_from(before, indices))
        if found is None:
            return "no update has been made, so look at the data and the equations" if self._untrained else None
        return found.sentence if found.certain or self._untrained else f"{found.sentence}; {ADVICE}"

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, optimizer, generators and carried state; all processes have to call it."""
        own = prefixed("carried", self._carried.tensors())
        own |= prefixed("random", random_state(self._fabric.device))
        return {
            **prefixed("weights", self._step.state_dict()),
            **prefixed("optimizer", optimizer_tensors(self._raw_optimizer)),
            **prefixed("process", gather(self._fabric, own)),
        }

    def schedule(self) -> dict[str, Any]:
        """Return the schedule's state, as JSON can hold it."""
        return self._schedule.state_dict()

    def restore(self, tensors: dict[str, Tensor], schedule: dict[str, Any]) -> None:
        """Put back what `tensors` and `schedule` gave."""
        self._step.load_state_dict(under("weights", tensors))
        rates = restore_schedule(self._schedule, schedule, self._total)
        self._warm = self._schedule.last_epoch > self._warmup
        restore_optimizer(self._raw_optimizer, under("optimizer", tensors), rates, own=self._own)
        own = scatter(self._fabric, under("process", tensors))
        self._carried.restore(under("carried", own))
        restore_random_state(under("random", own), self._fabric.device)

    def _backward(self, indices: Sequence[int]) -> tuple[Tensor, int]:
        """Add up the gradients of the chunks' losses, divided by the nominal count."""
        losses, count = torch.zeros((), device=self._fabric.device), 0
        for index in indices:
            more = index != indices[-1]
            with self._fabric.no_backward_sync(self._module, enabled=more):
                result = self._carried.run(self._call, index)
                self._fabric.backward(result.loss_sum / self._nominal)
            losses = losses + result.loss_sum.detach()
            count += result.predictions
        return losses, count

    def _call(self, chunk: ChunkT, state: StateT) -> StepResult[StateT]:
        sealed = self._module(_Seal((chunk, state)))
        return cast("StepResult[StateT]", sealed.content)

    def _descend(self, count: int, cause: Callable[[], str | None]) -> float:
        """Scale to the mean, clip, step; the norm before clipping. `cause` says why it is not finite."""
        # Processes were averaged and chunks divided by the nominal count: a full update has a factor of one.
        factor = self._nominal * self._fabric.world_size / max(1, count)
        if factor != 1.0:
            for parameter in self._step.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        found = self._fabric.clip_gradients(
            self._module, self._optimizer, max_norm=self._limit, error_if_nonfinite=False
        )
        norm = float(cast(Tensor, found))
        # Not skipped: without a loss scale to lower, the same batch, or the same weights, would fail again, and the
        # batch's examples would be left out of every pass without a word.
        demand_finite("gradient's norm", norm, cause)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._schedule.last_epoch < self._total:  # a hastened one may have ended
            self._schedule.step()
        return norm

    def _cause_of_gradient(self, indices: Sequence[int], before: tuple[StateT, ...]) -> str | None:
        """Run some chunks again, and return which gradient was not finite first."""
        with self._fabric.autocast():
            found = first_clue(self._step.cause_of_gradient, self._carried.chunks_from(before, indices))
        sentence = self._bad_gradient() if found is None else found.sentence
        return sentence if self._untrained or (found is not None and found.certain) else f"{sentence}; {ADVICE}"

    def _bad_gradient(self) -> str:
        """Name the first parameter whose gradient is not finite."""
        bad = [
            name
            for name, weight in self._step.named_parameters()
            if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
        ]
        which = f"that of {bad[0]} is not finite though the loss is" if bad else "their sum is not finite"
        if not self._untrained:
            return which
        return (
            f"{which}, and no update has been made: the equations have a derivative that is not, such as that of sqrt "
            "at 0, or the sequences are so long that it grows without limit"
        )

    def _over_processes(self, *values: float) -> list[float]:
        """Sum each value over all processes."""
        if self._fabric.world_size == 1:
            return [float(value) for value in values]
        own = torch.tensor(values, dtype=torch.float64, device=self._fabric.device)
        summed: list[float] = cast(Tensor, self._fabric.all_reduce(own, reduce_op="sum")).tolist()
        return summed


class _Seal:
    """Something that Fabric and DistributedDataParallel hand through without looking inside.

    They would take states and chunks apart to cast their tensors, which is for the step to do.
    """

    def __init__(self, content: object) -> None:
        self.content = content


class _Sealed(nn.Module):
    """A training step whose argument and result are sealed."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step = step

    def forward(self, argument: _Seal) -> _Seal:
        """Open, run, seal."""
        chunk, state = cast("tuple[object, object]", argument.content)
        return _Seal(self.step(chunk, state))


def demand_finite(what: str, value: float, cause: Callable[[], str | None] = lambda: None) -> None:
    """Refuse to go on with a number that is not finite.

    Args:
        what: its name.
        value: the number.
        cause: asked for the reason; where it gives none, a step was too large or the data have a NaN.

    Raises:
        TrainingError: it is not finite.
    """
    if not math.isfinite(value):
        advice = f"{ADVICE}, and where the data are floats look for NaN among them"
        raise TrainingError(f"the {what} became {value}; {cause() or advice}")
