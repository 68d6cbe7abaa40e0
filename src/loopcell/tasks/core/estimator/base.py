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

import numpy as np
import torch
from pydantic import TypeAdapter
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from loopcell import cells
from loopcell.data import Scale
from loopcell.equations import Cell
from loopcell.errors import ArgumentError, InputError, UsageError, quoted
from loopcell.tasks.core.argument_docs import with_arguments
from loopcell.tasks.core.argument_names import EARLIER_NAMES, unknown_argument
from loopcell.tasks.core.estimator.context import PartOfRun
from loopcell.tasks.core.estimator.ending import Naive, notes_of
from loopcell.tasks.core.estimator.engine import (
    READING_FACTOR,
    FitOptions,
    device_of,
    on_device,
    optimise,
    private_randomness,
)
from loopcell.tasks.core.estimator.examples import BatchT, Examples, Indices
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.model_file import building, fill, read_model, write_model
from loopcell.tasks.core.model_kind import model_path
from loopcell.tasks.core.networks.non_finite import cause_in
from loopcell.tasks.core.networks.reader import find_cell
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
NOT_KEPT = ("cell", "encoder", "features", "embedding", "random_state", "device", "progress", "devices")


class Estimator(BaseEstimator, PartOfRun):  # type: ignore[misc] # scikit-learn has no types
    """Arguments, training, reading, files.

    A task derives from this (or from `SequenceEstimator`) and from the dataclass of its arguments, and says what
    network it has, what it learns from the data beside weights, and how that is stored.

    Attributes:
        task: its name in a model file.
        network_: the trained network, in evaluation mode.
        outcome_: how training ended: the reason, the updates made, the lowest loss on the held-out part.
        pace_: the numbers that it was trained with: batch size, passes, patience, learning rate, warm-up.
        notes_: sentences about the training data and the run that the user should know.
    """

    task: ClassVar[str]
    network_: nn.Module
    outcome_: Outcome
    pace_: Pace
    notes_: list[str]
    scoring_share: ClassVar[float] = 0.1  # of a command's time limit
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
    def _fitting(self, seed: int) -> Iterator[None]:
        """Around all of a `fit`: it draws from generators of its own, and leaves no half of a model when it fails."""
        self.__dict__.pop("network_", None)
        self._started = time.monotonic() if self._context.began is None else self._context.began
        self._columns = self._context.columns
        try:
            with private_randomness(seed):
                yield
        except BaseException:
            self.__dict__.pop("network_", None)
            raise

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
        with ExitStack() as stack:
            folder = None if run is None else RunFolder(Path(run))
            if folder is not None:
                stack.enter_context(only_process(folder))
                self._prepare_run(folder, {"seed": seed, "fingerprint": self._fingerprint(training)}, resumed)
            config = in_time(settings.training_config(seed, len(training)), self._seconds_elsewhere())
            options = FitOptions(config, folder, self.save, settings.progress, resumed)
            self.outcome_ = optimise(self.network_, training, held_out, options)
        self.pace_ = settings.pace(len(training))
        naive = None if held_out is None else self._naive(held_out)
        self._note(notes_of(self.outcome_, settings, self.pace_, naive))

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
        job = {"task": self.task, **self.facts(), **own}
        if not resumed:
            RunFolder.create(run.path, {**job, "source": self._context.source})
            return
        before = run.read_config()
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
                yield indices, _demand_finite(network, partial(read, on_device(batch, device)))

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
        """The arguments that a file keeps, and the cell's equations."""
        settings = checked(self)
        kind = settings_class(type(self))
        config = TypeAdapter(kind).dump_python(settings, mode="json", exclude=set(NOT_KEPT))
        cell = {"cell": json.loads(find_cell(settings.cell).to_json())} if hasattr(settings, "cell") else {}
        return {"config": config, **cell}

    def save(self, path: str | PathLike[str]) -> None:
        """Write one self-contained file: weights, equations, vocabulary, labels, settings.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        write_model(Path(path), self.task, self._fitted(), self.facts(), scale_tensors(self._scales()))

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
        estimator._restore(facts["learned"])
        if "columns" in facts:
            estimator._columns = Columns.model_validate(facts["columns"])
        return estimator


def _as_given(cell: Cell) -> Cell | str:
    """A cell as a user would have given it: the name, where the library's cell of that name is the very same."""
    known = cells.CELLS.get(cell.name)
    return cell.name if known is not None and known.to_json() == cell.to_json() else cell


def _demand_finite(network: nn.Module, read: Callable[[], list[Any] | Tensor]) -> list[Any] | Tensor:
    """Refuse to answer with what is not a number; the error says where it comes from."""
    found = read()
    values = [found] if isinstance(found, Tensor) else map(torch.as_tensor, found)
    if not all(bool(torch.isfinite(value).all()) for value in values):
        cause = cause_in(network, read) or "its weights, or the numbers of the input, are too large"
        raise InputError(f"the model gives scores that are not finite: {cause}")
    return found


def in_order(count: int, parts: Iterator[tuple[Indices, Any]]) -> list[Any]:
    """Put what was read back into the order of the examples."""
    found: list[Any] = [None] * count
    for indices, values in parts:
        for index, value in zip(indices.tolist(), values, strict=True):
            found[index] = value
    return found


def stacked(count: int, parts: Iterator[tuple[Indices, Any]], width: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The rows [K] of each example as float64 [N, K], in the order of the examples."""
    rows = np.zeros((count, width))
    for indices, values in parts:
        rows[indices] = values.double().cpu().numpy()
    return rows
