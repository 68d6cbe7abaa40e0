"""Estimator: what every task has in common, whatever its data look like."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from rich.console import Console
from torch import Tensor, nn

from loopcell.errors import UsageError
from loopcell.tasks.core.estimator.ending import Naive, notes_of
from loopcell.tasks.core.estimator.engine import (
    READING_FACTOR,
    BatchLoss,
    FitOptions,
    device_of,
    on_device,
    optimise,
    private_randomness,
)
from loopcell.tasks.core.estimator.examples import BatchT, Examples, Indices
from loopcell.tasks.core.estimator.reading import demand_finite
from loopcell.tasks.core.estimator.stored import StoredEstimator
from loopcell.tasks.core.estimator.warm_start import demand_same_network, go_on_from, network_made_of
from loopcell.tasks.core.learning_curve import plot_history
from loopcell.tasks.core.own_functions import as_list, demand_same_functions, own_functions
from loopcell.tasks.core.pace import Pace
from loopcell.tasks.core.settings import checked
from loopcell.training.config import in_time
from loopcell.training.loop import Outcome
from loopcell.training.progress import working
from loopcell.training.resumption import demand_same_job
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process

MOST_NOTES = 100  # that are kept: a model may read any number of tables


class Estimator(StoredEstimator):
    """Arguments, training, reading, files.

    A task derives from this (or from `SequenceEstimator`) and from the dataclass of its arguments, and says what
    network it has, what it learns from the data beside weights, and how that is stored.

    Attributes:
        task: its name in a model file.
        network_: the trained network, in evaluation mode.
        outcome_: how training ended: the reason, the updates made, the lowest loss on the held-out part.
        history_: the curve of the training, a dictionary for each pass over the data, and for the end: epoch, update,
            seconds, train_loss, validation_loss, learning_rate, best. `pandas.DataFrame(model.history_)` makes a table
            of it. After `resume` it has the rows of the whole run. A run's folder keeps it; a model file does not.
        pace_: the numbers that it was trained with: batch size, passes, patience, learning rate, warm-up.
        random_state_: the seed that it was trained with; given as `random_state` it repeats the training.
        notes_: sentences about the training data and the run that the user should know.
    """

    _spoken_of = ""  # before each note: of a member of an ensemble, whose it is
    outcome_: Outcome
    pace_: Pace
    history_: list[dict[str, Any]]
    notes_: list[str]
    scoring_share: ClassVar[float] = 0.1  # of a command's time limit

    # --- training --------------------------------------------------------------------------------------------------

    @contextmanager
    def _fitting(self, seed: int, before: nn.Module | None = None) -> Iterator[None]:
        """Surround all of a `fit`: it draws from generators of its own, and leaves no half of a model when it fails.

        Args:
            seed: of these generators.
            before: the network that training goes on from, which stays when it fails; None begins anew.
        """
        self.__dict__.pop("network_", None)
        self._started = time.monotonic() if self._context.began is None else self._context.began
        self._columns = self._context.columns
        self.random_state_ = seed
        try:
            with private_randomness(seed):
                yield
        except BaseException:
            self.__dict__.pop("network_", None)
            self.__dict__.pop("random_state_", None)
            if before is not None:
                self.network_ = before
            raise

    def _before(self, settings: Any) -> nn.Module | None:
        """Return the network that `fit` goes on from with `warm_start`; None where it begins anew.

        Raises:
            UsageError: the settings ask for another network than there is.
        """
        if not settings.warm_start or not hasattr(self, "network_"):
            return None
        demand_same_network(self._made_of, network_made_of(self._equations_and_config()))
        return self.network_

    def _make_network(self, settings: Any, before: nn.Module | None) -> None:
        """Make `network_`, with the weights of the one before where there is one."""
        self.network_ = self._network(settings)
        self._made_of = network_made_of(self._equations_and_config())
        if before is not None:
            go_on_from(before, self.network_)

    def _train(
        self,
        training: Examples[BatchT],
        held_out: Examples[BatchT] | None,
        seed: int,
        *,
        run: str | PathLike[str] | None = None,
        resumed: bool = False,
    ) -> None:
        """Train `network_` and keep how that ended in `outcome_`."""
        settings = checked(self)
        own_loss = self._own_loss(settings)
        self.pace_ = settings.pace(len(training))
        with ExitStack() as stack:
            folder = None if run is None else RunFolder(Path(run))
            if folder is not None:
                stack.enter_context(only_process(folder))
                self._prepare_run(folder, {"seed": seed, "fingerprint": self._fingerprint(training)}, resumed)
                folder.write_json(folder.pace, self.pace_._asdict())
            config = in_time(settings.training_config(seed, len(training)), self._seconds_elsewhere())
            options = FitOptions(config, folder, self.save, settings.progress, resumed)
            options = options._replace(
                loss=own_loss,
                optimizer=settings.optimizer,
                callbacks=as_list(settings.callbacks),
                change=self._change(settings, seed, training),
            )
            self.outcome_ = optimise(self.network_, training, held_out, options)
        self.history_ = self.outcome_.history
        naive = None if held_out is None or options.loss is not None else self._naive(held_out)
        self._note(notes_of(self.outcome_, settings, self.pace_, naive))

    def _own_loss(self, settings: Any) -> BatchLoss | None:
        """Return the loss of a batch by a function of the user's; None for the network's own."""
        return None

    def _change(self, settings: Any, seed: int, training: Any) -> Callable[[Any, int, int], Any] | None:
        """Return what changes a training batch before it is learned from; None for nothing."""
        return None

    def _naive(self, held_out: Any) -> Naive | None:
        """Return the loss on the held-out part of knowing nothing of the input; None where that is not known."""
        return None

    def _note(self, notes: Sequence[str]) -> None:
        """Keep sentences for the user, each once, and say them: to the run, or with the progress that Python shows."""
        before = getattr(self, "notes_", [])
        said = [f"{self._spoken_of}{note}" for note in dict.fromkeys(notes)]
        new = [note for note in said if note not in before]
        self.notes_ = [*before, *new][-MOST_NOTES:]
        tell = self._context.tell
        for note in new:
            if tell is not None:
                tell(note)
            elif self.progress:
                Console(stderr=True).print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)

    def _working(self, what: str) -> AbstractContextManager[object]:
        """Around work without a bar: a line about it now and then, where progress is shown."""
        return working(Console(stderr=True) if self.progress else None, what)

    def _seconds_elsewhere(self) -> float:
        """Return the seconds of the time limit that are not for training: for reading, and in the shell for scores."""
        scores = 0.0 if self._context.began is None else self.scoring_share * float(self.time_limit or 0.0)
        return time.monotonic() - self._started + scores

    def _fingerprint(self, training: Examples[Any]) -> str:
        """Return what tells the training part from others, in the user's own units."""
        return training.fingerprint()

    def _ended(self, run: str | PathLike[str] | None) -> Self:
        """End a `fit`: write the model as it is now, and pass an interruption on.

        Raises:
            KeyboardInterrupt: training was interrupted; what it came to is kept.
        """
        if run is not None:
            self.save(RunFolder(Path(run)).model)
        if self.outcome_.reason == "interrupted":
            raise KeyboardInterrupt
        return self

    def _prepare_run(self, run: RunFolder, own: dict[str, Any], resumed: bool) -> None:
        """Make the folder of a new run, or look whether this one is that of the same job."""
        job, functions = {"task": self.task, **self.facts(), **own}, own_functions(self)
        if not resumed:
            RunFolder.create(run.path, {**job, "source": self._context.source, "functions": functions})
            return
        before = run.read_config()
        demand_same_functions(run.path, before.get("functions"), functions)
        demand_same_job(run.path, before, job)
        if before != (longer := {**before, "config": job["config"]}):
            run.write_json(run.config, longer)

    def plot_history(self, ax: Any = None) -> Any:
        """Draw the losses of the last `fit` over its updates, and mark the lowest one on held-out data.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `model.plot_history().figure`.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
            UsageError: there is no history: the model comes from a file. `loopcell.tasks.plot_history` draws that of a
                run's folder.
        """
        if not getattr(self, "history_", None):
            raise UsageError(
                "this model has no history: it was not trained here, or has no curve; "
                "loopcell.tasks.plot_history(FOLDER) draws the one of a run"
            )
        return plot_history(self.history_, ax)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _read(
        self, examples: Examples[BatchT], read: Callable[[BatchT], list[Any] | Tensor]
    ) -> Iterator[tuple[Indices, Any]]:
        """Run the network over examples without learning; gives their numbers and what `read` makes of them."""
        network = self._fitted()
        device = device_of(network)
        with torch.no_grad():
            for indices, batch in examples.in_order_of_length(READING_FACTOR * checked(self).reading_batch()):
                yield indices, demand_finite(network, partial(read, on_device(batch, device)))
