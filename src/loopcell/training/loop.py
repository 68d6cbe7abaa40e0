"""The training loop: when to update, evaluate, tell, save and stop."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Generic, cast

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from loopcell.errors import FileFormatError, TrainingError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.training.checkpoint import CHECKPOINT, Position
from loopcell.training.config import TrainingConfig
from loopcell.training.evaluation import Evaluation, clue_of_held_out, evaluate
from loopcell.training.history import History
from loopcell.training.interrupt import stop_on_signals
from loopcell.training.randomness import seed_everything
from loopcell.training.report import Report
from loopcell.training.resumption import Reason, nothing_left
from loopcell.training.run_folder import RunFolder
from loopcell.training.step import ChunkSource, ChunkT, StateT
from loopcell.training.time_limit import TimeLimit
from loopcell.training.updater import ADVICE, Updater, UpdateResult, demand_finite
from loopcell.training.watcher import Watcher
from loopcell.training.work import Callback, Outcome, Work

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Callback", "Outcome", "Trainer", "Work"]


class Trainer(Generic[ChunkT, StateT]):
    """One run, new or resumed.

    Args:
        work: what to train on what.
        config: how.
        fabric: the device and the processes (`start_fabric`).
        run: where checkpoints go; None keeps none, and `export` alone sees the best model.
    """

    def __init__(
        self, work: Work[ChunkT, StateT], config: TrainingConfig, fabric: Fabric, run: RunFolder | None
    ) -> None:
        if not len(work.chunks):
            raise TrainingError("there is nothing to train on: the data has not even one prediction to learn")
        self._work, self._config, self._fabric, self._run = work, config, fabric, run
        self.total_updates = _total_updates(work.chunks, config)
        self.position, self.history = Position(), History()
        self._updater = Updater(work.step, work.chunks, config, fabric, self.total_updates, work.optimizer)
        self._watcher = Watcher(work, config.intervals.watch if run is not None else 0, fabric)
        self._stop = threading.Event()
        self._time = TimeLimit(work, config, self.total_updates)
        # The weights are there; from here on every process draws for itself.
        seed_everything(config.seed + 1 + fabric.global_rank)

    def fit(self) -> Outcome:
        """Train until the run is complete, out of time or patience, or interrupted.

        Raises:
            TrainingError: the loss, its gradient or the held-out loss is not finite, because a step was too large, the
                data have a NaN or the equations make one. The message names the update and, where it is known, the
                cause; the last checkpoint stays, and where no update was made nothing does.
            FileWriteError: a checkpoint cannot be written; the last one stays.
        """
        self._time.begin(self.position.seconds)
        reason = self._ended_before()
        idle = "" if reason is None else nothing_left(reason, self.position, self._config.length)
        if self._run is not None and self._fabric.is_global_zero:
            self._run.forget_failure()
        if self.position.update == 0:
            self._save(best=True)
        if reason is None:
            self._watcher.begin(self.position)
        self._work.chunks.begin_epoch(self.position.epoch)
        self._work.step.train()
        try:
            with stop_on_signals() as self._stop:
                while reason is None:
                    reason = self._advance()
        except TrainingError as error:
            self._leave_nothing_untrained()
            if self._run is not None and self._fabric.is_global_zero:
                self._run.note_failure(self.position.update, str(error))
            raise
        return Outcome(reason, self.position, self._updater.warm, idle, self.history.table())

    def resume(self) -> None:
        """Go back to the run's last checkpoint.

        Raises:
            UsageError: the run had another number of processes.
            FileFormatError: the checkpoint is damaged or belongs to another run.
        """
        assert self._run is not None, "a run without a folder has nothing to go back to"
        content = read_tensor_file(self._run.last, CHECKPOINT)
        processes = content.facts.get("processes")
        if processes != self._fabric.world_size:
            now = self._fabric.world_size
            raise UsageError(f"this run had {processes} processes and can only go on with as many, not {now}")
        try:
            self.position = Position.model_validate(content.facts["position"])
            self.history = History.model_validate(content.facts.get("history", {}))  # none before 0.1
            if self.position.chunk >= len(self._work.chunks):
                raise ValueError("the pass over the data has ended before")
            self._updater.restore(content.tensors, content.facts["schedule"])
            self._updater.at_update(self.position.update)
        except (LookupError, ArithmeticError, ValueError, TypeError, RuntimeError, ValidationError) as error:
            raise FileFormatError(f"{self._run.last} does not belong to this run, or is damaged") from error

    def _leave_nothing_untrained(self) -> None:
        """Remove the model and checkpoints written before a first update that could not be made."""
        if self._run is not None and self._fabric.is_global_zero and self.position.update == 0:
            for file in (self._run.model, self._run.last, self._run.best):
                file.unlink(missing_ok=True)

    def _advance(self) -> Reason | None:
        """Make one update and what follows from it; return the reason to stop, if there is one."""
        rate = self._updater.learning_rate
        result = self._update()
        epoch_ended = self._turn_epoch()
        self._keep_to_the_time(result)
        reason = self._reason(result)
        loss = self._validate() if self._evaluation_is_due(epoch_ended, reason) else None
        best = loss is not None and self._judge(loss)
        alone = self._fabric.world_size == 1
        if reason is None and loss is not None and alone and self._time.leaves_no_update(self.position):
            reason = "time limit"  # these weights are evaluated; others would have to be once more
        if reason is None and self._out_of_patience():
            reason = "patience"
        if loss is not None or epoch_ended or reason not in (None, "interrupted"):
            stopped = self._close_row(rate, (loss, best))
            reason = "callback" if reason is None and stopped else reason
            self._watcher.after(self.position, ending=reason is not None)
        if reason == "time limit":  # a run that is resumed with the same limit has none left
            self.position.seconds = max(self.position.seconds, self._time.seconds or 0.0)
        self._tell(result, rate, (loss, best), ending=reason not in (None, "interrupted"))
        if loss is not None or epoch_ended or reason or self._due(self._config.intervals.save_every):
            self._save(best or self._work.validation is None)
        return reason

    def _update(self) -> UpdateResult:
        """Train on the next chunks and move on."""
        position = self.position
        per_update = self._config.truncation.chunks_per_update
        indices = range(position.chunk, min(position.chunk + per_update, len(self._work.chunks)))
        flags = (self._stop.is_set(), self._time.leaves_no_update(position), self._time.passed())
        with self._time.one_update():
            try:
                result = self._updater.update(indices, flags)
            except TrainingError as error:
                raise self._located(position.update + 1, error) from error
            position.chunk = indices.stop
            position.count(result.loss_sum, result.predictions, clipped=result.clipped)
            self.history.add(result.loss_sum, result.predictions)
            position.seconds = self._time.passed()
        return result

    def _turn_epoch(self) -> bool:
        """Go back to the start of the data at its end."""
        if self.position.chunk < len(self._work.chunks):
            return False
        self.position.epoch += 1
        self.position.chunk = 0
        self._work.chunks.begin_epoch(self.position.epoch)
        self._updater.restart()
        return True

    def _ended_before(self) -> Reason | None:
        """Return why a run that is resumed has nothing left to do."""
        if self.position.update >= self.total_updates:
            return "complete"
        if self._out_of_patience():
            return "patience"
        return "time limit" if self._time.was_passed(self.position) else None

    def _out_of_patience(self) -> bool:
        return self.position.without_gain >= (self._config.length.patience or math.inf)

    def _reason(self, result: UpdateResult) -> Reason | None:
        interrupted, late, _ = result.flags
        if self.position.update >= self.total_updates:
            return "complete"
        if interrupted:
            return "interrupted"
        return "time limit" if late else None

    def _keep_to_the_time(self, result: UpdateResult) -> None:
        """Let the learning rate fall with the time where the time limit will come before the last update."""
        share = self._time.share_of_schedule(self.position, result.flags[2] / self._fabric.world_size)
        if share is not None:
            self._updater.hasten(share)

    def _due(self, every: int | None) -> bool:
        return every is not None and self.position.update % every == 0

    def _evaluation_is_due(self, epoch_ended: bool, reason: Reason | None) -> bool:
        if self._work.validation is None or reason == "interrupted":
            return False
        return epoch_ended or reason is not None or self._due(self._config.intervals.evaluate_every)

    def _validate(self) -> float:
        """Return the mean held-out loss over all processes; TrainingError when it is not finite."""
        with self._time.one_evaluation():
            loss = self._held_out_loss()
        try:
            demand_finite("held-out loss", loss, self._cause_of_held_out)
        except TrainingError as error:
            raise self._located(self.position.update, error) from error
        return loss

    def _cause_of_held_out(self) -> str | None:
        chunks = self._work.validation
        assert chunks is not None
        found = clue_of_held_out(self._work.step, chunks)
        return found and (found.sentence if found.certain else f"{found.sentence}; {ADVICE}")

    def _held_out_loss(self) -> float:
        assert self._work.validation is not None
        with self._fabric.autocast():
            own = evaluate(self._work.step, self._work.validation)
        if self._fabric.world_size == 1:
            return own.loss
        sums = torch.tensor(own, dtype=torch.float64, device=self._fabric.device)
        loss, count = cast(Tensor, self._fabric.all_reduce(sums, reduce_op="sum")).tolist()
        return Evaluation(loss, int(count)).loss

    def _located(self, update: int, error: TrainingError) -> TrainingError:
        """Return the error with the update at which it happened."""
        kept = "; the last checkpoint stays" if self._run and self.position.update else ""
        return TrainingError(f"at update {update} {error}{kept}")

    def _judge(self, loss: float) -> bool:
        """Compare with the best loss so far, and remember."""
        position = self.position
        if position.best_loss is not None and not loss < position.best_loss:
            position.without_gain += 1
            return False
        position.best_loss, position.best_update, position.without_gain = loss, position.update, 0
        return True

    def _close_row(self, rate: float, validation: tuple[float | None, bool]) -> bool:
        """Add a row to the history and tell the callbacks; return whether one of them ends the run."""
        position, (loss, best) = self.position, validation
        row = self.history.close_row(
            epoch=position.epoch,
            update=position.update,
            seconds=position.seconds,
            validation_loss=loss,
            learning_rate=rate,
            best=best,
        )
        answers = [callback(dict(row)) for callback in self._work.callbacks]  # all of them hear of it
        # Not what is only true in a condition, such as a number that a one-line function happens to return.
        return any(isinstance(answer, bool | np.bool_) and bool(answer) for answer in answers)

    def _tell(self, result: UpdateResult, rate: float, validation: tuple[float | None, bool], *, ending: bool) -> None:
        """Report the update to the observers."""
        position, looks = self.position, self._watcher.taken()
        train_loss, clip_rate = None, None
        looked = bool(looks) and looks[-1].update == position.update
        if ending or looked or validation[0] is not None or self._due(self._config.intervals.log_every):
            train_loss, clip_rate = position.take_unlogged()
        report = Report(
            update=position.update,
            total_updates=self.total_updates,
            epoch=position.epoch,
            predictions=position.predictions,
            loss=result.loss_sum / max(1, result.predictions),
            train_loss=train_loss,
            gradient_norm=result.gradient_norm,
            learning_rate=rate,
            seconds=position.seconds,
            validation_loss=validation[0],
            best=validation[1],
            clip_rate=clip_rate,
            looks=looks,
        )
        for observer in self._work.observers:
            observer.observe(report)

    def _save(self, best: bool) -> None:
        """Write the checkpoint, and before it the model and the best checkpoint where they are due.

        A kill in between leaves the older `last`, from which the same best model comes about again.
        """
        if self._run is None:
            if best:
                self._work.export()
            return
        tensors = self._updater.tensors()
        facts = {
            "position": self.position.model_dump(),
            "history": self.history.model_dump(),
            "schedule": self._updater.schedule(),
            "processes": self._fabric.world_size,
        }
        if not self._fabric.is_global_zero:
            return
        content = TensorFile(tensors, facts)
        if best:
            self._work.export()
            write_tensor_file(self._run.best, CHECKPOINT, content)
        write_tensor_file(self._run.last, CHECKPOINT, content)


def _total_updates(chunks: ChunkSource[ChunkT], config: TrainingConfig) -> int:
    per_epoch = math.ceil(len(chunks) / config.truncation.chunks_per_update)
    return config.length.total_updates(per_epoch)
