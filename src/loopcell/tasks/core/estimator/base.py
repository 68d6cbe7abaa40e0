"""Estimator: what every task has in common, whatever its data look like."""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import fields
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import TypeAdapter
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from loopcell import cells
from loopcell.data.examples import Scale
from loopcell.equations import Cell
from loopcell.errors import ArgumentError, UsageError, quoted
from loopcell.tasks.core.argument_docs import with_arguments
from loopcell.tasks.core.argument_names import EARLIER_NAMES, unknown_argument
from loopcell.tasks.core.estimator.context import PartOfRun
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
from loopcell.tasks.core.estimator.seeds import demand_seed
from loopcell.tasks.core.estimator.warm_start import demand_same_network, go_on_from, network_made_of
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.model_file import building, fill, read_model, write_model
from loopcell.tasks.core.model_kind import model_path
from loopcell.tasks.core.own_functions import PYTHON_ONLY, as_list, demand_same_functions, own_functions
from loopcell.tasks.core.pace import Pace
from loopcell.tasks.core.scale_tensors import scale_tensors, take_scales
from loopcell.tasks.core.settings import checked, settings_class
from loopcell.training.config import in_time
from loopcell.training.loop import Outcome
from loopcell.training.progress import working
from loopcell.training.resumption import demand_same_job
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process

MOST_NOTES = 100  # that are kept: a model may read any number of tables

# Where things run, what was begun with and how it is shown is no part of a model.
NOT_KEPT = (
    *("cell", "encoder", "features", "embedding", "random_state", "device", "devices", "progress"),
    *PYTHON_ONLY,
)


class Estimator(BaseEstimator, PartOfRun):  # type: ignore[misc] # scikit-learn has no types
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

    task: ClassVar[str]
    network_: nn.Module
    outcome_: Outcome
    pace_: Pace
    random_state_: int
    history_: list[dict[str, Any]]
    notes_: list[str]
    scoring_share: ClassVar[float] = 0.1  # of a command's time limit
    _made_of: dict[str, Any]  # what the network goes by, for `warm_start`
    _from_file = False  # what it learned is what a file says, and nobody has seen the data

    def __init_subclass__(cls, **options: Any) -> None:
        """Name every argument in the class's docstring, as `help` and editors show it."""
        super().__init_subclass__(**options)
        has_settings = any("__dataclass_fields__" in vars(kind) for kind in cls.__mro__)
        if vars(cls).get("__doc__") and has_settings:
            cls.__doc__ = with_arguments(cls.__doc__ or "", settings_class(cls))

    def __new__(cls, *given: Any, **arguments: Any) -> Self:
        """Refuse arguments that there are not.

        Raises:
            ArgumentError: one is given without its name, or has a name that no argument has; the nearest is offered.
        """
        names = [field.name for field in fields(settings_class(cls))]
        if given:
            raise ArgumentError(f"{cls.__name__} takes its arguments by name: {names[0]}=..., not {quoted(given[0])}")
        for name in arguments:
            if name not in names:
                raise ArgumentError(unknown_argument(cls.__name__, name, names))
        made: Self = super().__new__(cls)
        return made

    # --- what a task defines ---------------------------------------------------------------------------------------

    @abstractmethod
    def _network(self, settings: Any) -> nn.Module:
        """Make the network, with a method `loss(batch) -> Loss`, from the settings and from what was learned.

        It is called before training, and without memory when a file is read: nothing in it may look at a weight.
        """

    @abstractmethod
    def _learned(self) -> dict[str, Any]:
        """What the data taught beside the network's tensors, as plain JSON values: vocabularies, labels."""

    @abstractmethod
    def _restore(self, learned: Mapping[str, Any]) -> None:
        """Put back what `_learned` gave; any exception when it was not given by it."""

    def _scales(self) -> dict[str, Scale]:
        """The scales of the numbers that the network reads and gives, by what they are of; a file keeps them."""
        return {}

    def _take_scales(self, scales: Mapping[str, Scale]) -> None:
        """Put back what `_scales` gave; any exception when there are not those that the network asks for."""
        if scales:
            raise ValueError(f"it has a scale of {min(scales)[:80]}, where none is called for")

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
        with ExitStack() as stack:
            folder = None if run is None else RunFolder(Path(run))
            if folder is not None:
                stack.enter_context(only_process(folder))
                self._prepare_run(folder, {"seed": seed, "fingerprint": self._fingerprint(training)}, resumed)
            config = in_time(settings.training_config(seed, len(training)), self._seconds_elsewhere())
            options = FitOptions(config, folder, self.save, settings.progress, resumed)
            options = options._replace(
                loss=own_loss, optimizer=settings.optimizer, callbacks=as_list(settings.callbacks)
            )
            self.outcome_ = optimise(self.network_, training, held_out, options)
        self.history_ = self.outcome_.history
        self.pace_ = settings.pace(len(training))
        naive = None if held_out is None or options.loss is not None else self._naive(held_out)
        self._note(notes_of(self.outcome_, settings, self.pace_, naive))

    def _own_loss(self, settings: Any) -> BatchLoss | None:
        """Return the loss of a batch by a function of the user's; None for the network's own."""
        return None

    def _naive(self, held_out: Any) -> Naive | None:
        """What a loss on the held-out part has to be below, if anything was learned; None where that is not known."""
        return None

    def _note(self, notes: Sequence[str]) -> None:
        """Keep sentences for the user, each once, and say them: to the run, or with the progress that Python shows."""
        before = getattr(self, "notes_", [])
        new = [note for note in dict.fromkeys(notes) if note not in before]
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
        """What of the time limit is not for training: reading the data, and in the shell a tenth for the scores."""
        scores = 0.0 if self._context.began is None else self.scoring_share * float(self.time_limit or 0.0)
        return time.monotonic() - self._started + scores

    def _fingerprint(self, training: Examples[Any]) -> str:
        """What tells the training part from others, in the user's own units."""
        return training.fingerprint()

    def _ended(self, run: str | PathLike[str] | None) -> Self:
        """The last lines of every `fit`: write the model as it is now, and pass an interruption on.

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

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn whether there is a network."""
        return hasattr(self, "network_")

    def _fitted(self) -> nn.Module:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first, or load a model")
        return self.network_

    # --- files -----------------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Everything but the weights that makes the model, as plain JSON values."""
        columns = {"columns": self._columns.model_dump(exclude_defaults=True)} if self._columns else {}
        return {**self._equations_and_config(), **columns, "learned": self._learned()}

    def _equations_and_config(self) -> dict[str, Any]:
        """Return the arguments that a file keeps, and the cell's equations."""
        settings = checked(self)
        kind = settings_class(type(self))
        config = TypeAdapter(kind).dump_python(settings, mode="json", exclude=set(NOT_KEPT))
        cell = {"cell": json.loads(cells.get(settings.cell).to_json())} if hasattr(settings, "cell") else {}
        return {"config": config, **cell}

    def save(self, path: str | PathLike[str]) -> None:
        """Write one self-contained file: weights, equations, vocabulary, labels, settings.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        network = self._fitted()
        facts = {**self.facts(), **self._more_facts()}
        write_model(Path(path), self.task, network, facts, scale_tensors(self._scales()))

    def _more_facts(self) -> dict[str, Any]:
        """Return facts of the training beside what makes the model; a run that goes on is not compared by them."""
        return {"seed": self.random_state_} if hasattr(self, "random_state_") else {}  # not of foreign vectors

    def _restore_more(self, facts: Mapping[str, Any]) -> None:
        """Put back what `_more_facts` gave, where it is there: not in models saved before 0.1; errors as `_restore`."""
        if "seed" in facts:
            self.random_state_ = demand_seed(facts["seed"])

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what `save` wrote, on any machine; the file is checked and runs no code.

        Args:
            path: the file, or the folder of a run, for the model in it.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged, of a newer format or of another task.
        """
        return cls._loaded(model_path(path), {})

    @classmethod
    def _loaded(cls, path: Path, others: Mapping[str, Any]) -> Self:
        """What a file holds, with the arguments that no file can hold; errors as `load`."""
        content = read_model(path, cls.task)
        with building(path, content):
            estimator = cls.from_facts(content.facts)
            estimator.set_params(**others)
            cls._take_scales(estimator, take_scales(content.tensors, cls.task))
            network = cls._network(estimator, checked(estimator))
        fill(path, network, content.tensors)
        estimator.network_ = network
        return estimator

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """An estimator without weights of what `facts` gave; any exception when it was not given by it."""
        known = {field.name for field in fields(settings_class(cls))} - set(NOT_KEPT)
        config = {EARLIER_NAMES.get(name, name): value for name, value in facts["config"].items()}
        unknown = config.keys() - known
        if unknown:
            raise UsageError(f"its config has {min(unknown)[:80]!r}, which is none of this task's settings")
        cell = {"cell": _as_given(Cell.from_json(json.dumps(facts["cell"])))} if "cell" in cls().get_params() else {}
        estimator = cls(**config, **cell)
        estimator._from_file = True
        estimator._made_of = network_made_of(estimator._equations_and_config())
        estimator._restore(facts["learned"])
        estimator._restore_more(facts)
        if "columns" in facts:
            estimator._columns = Columns.model_validate(facts["columns"])
        return estimator


def _as_given(cell: Cell) -> Cell | str:
    """A cell as a user would have given it: the name, where the library's cell of that name is the very same."""
    known = cells.CELLS.get(cell.name)
    return cell.name if known is not None and known.to_json() == cell.to_json() else cell
