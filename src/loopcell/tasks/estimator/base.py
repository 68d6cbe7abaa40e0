"""Estimator: what every task has in common, whatever its data look like."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import TypeAdapter
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import InputError, UsageError
from loopcell.tasks.config import Columns
from loopcell.tasks.estimator.engine import READING_FACTOR, Goal, device_of, on_device, optimise, private_randomness
from loopcell.tasks.estimator.examples import BatchT, Examples, Indices
from loopcell.tasks.model_file import building, fill, model_path, read_model, write_model
from loopcell.tasks.networks.reader import find_cell
from loopcell.tasks.settings import checked, settings_class
from loopcell.training.loop import Outcome
from loopcell.training.run_folder import RunFolder

# Where things run, what was begun with and how it is shown is no part of a model.
NOT_KEPT = ("cell", "encoder", "features", "embedding", "random_state", "device", "progress")


class Estimator(BaseEstimator, ABC):  # type: ignore[misc] # scikit-learn has no types
    """Arguments, training, reading, files.

    A task derives from this (or from `SequenceEstimator`) and from the dataclass of its arguments, and says what
    network it has, what it learns from the data beside weights, and how that is stored.

    Attributes:
        task: its name in a model file.
        network_: the trained network, in evaluation mode.
        outcome_: how training ended: the reason, the updates made, the lowest loss on the held-out part.
    """

    task: ClassVar[str]
    network_: nn.Module
    outcome_: Outcome
    columns_: Columns | None = None  # of the files that the shell trained it on, for `loopcell predict`
    source_: dict[str, Any] | None = None  # which files the data came from, for `loopcell resume`

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

    # --- training --------------------------------------------------------------------------------------------------

    @contextmanager
    def _fitting(self, seed: int) -> Iterator[None]:
        """Around all of a `fit`: it draws from generators of its own, and leaves no half of a model when it fails."""
        self.__dict__.pop("network_", None)
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
        own = {"seed": seed, "fingerprint": training.fingerprint()} if run else {}
        folder = None if run is None else self._run_folder(RunFolder(Path(run)), own, resumed)
        goal = Goal(settings.training_config(seed), folder, self.save, settings.progress, resumed)
        self.outcome_ = optimise(self.network_, training, held_out, goal)

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

    def _run_folder(self, run: RunFolder, own: dict[str, Any], resumed: bool) -> RunFolder:
        """Make the folder of a new run, or look whether this one is that of the same job."""
        job = {"task": self.task, **self.facts(), **own}
        if resumed:
            before = run.read_config()
            if _comparable(before, job) != _comparable(job, job):
                what = "other data" if before.get("fingerprint") != own["fingerprint"] else "other settings"
                raise UsageError(f"the run {run.path} was started with {what}; it can only go on with the same")
            return run
        made = RunFolder.create(run.path)
        made.write_json(made.config, {**job, "source": self.source_})
        return made

    # --- reading ---------------------------------------------------------------------------------------------------

    def _read(
        self, examples: Examples[BatchT], read: Callable[[BatchT], list[Any] | Tensor]
    ) -> Iterator[tuple[Indices, Any]]:
        """Run the network over examples without learning; gives their numbers and what `read` makes of them."""
        network = self._fitted()
        device = device_of(network)
        with torch.no_grad():
            for indices, batch in examples.in_order_of_length(READING_FACTOR * int(self.batch_size)):
                yield indices, _demand_finite(read(on_device(batch, device)))

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
        settings = checked(self)
        kind = settings_class(type(self))
        config = TypeAdapter(kind).dump_python(settings, mode="json", exclude=set(NOT_KEPT))
        cell = {"cell": json.loads(find_cell(settings.cell).to_json())} if hasattr(settings, "cell") else {}
        columns = {"columns": self.columns_.model_dump(exclude_none=True)} if self.columns_ else {}
        return {"config": config, **cell, **columns, "learned": self._learned()}

    def save(self, path: str | PathLike[str]) -> None:
        """Write one self-contained file: weights, equations, vocabulary, labels, settings.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        write_model(Path(path), self.task, self._fitted(), self.facts())

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
        with building(path):
            estimator = cls.from_facts(content.facts)
            estimator.set_params(**others)
            network = cls._network(estimator, checked(estimator))
        fill(path, network, content.tensors)
        estimator.network_ = network
        return estimator

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """An estimator without weights of what `facts` gave; any exception when it was not given by it."""
        known = {field.name for field in fields(settings_class(cls))} - set(NOT_KEPT)
        unknown = facts["config"].keys() - known
        if unknown:
            raise UsageError(f"its config has {min(unknown)[:80]!r}, which is none of this task's settings")
        cell = {"cell": _as_given(Cell.from_json(json.dumps(facts["cell"])))} if "cell" in cls().get_params() else {}
        estimator = cls(**facts["config"], **cell)
        estimator._restore(facts["learned"])
        if "columns" in facts:
            estimator.columns_ = Columns.model_validate(facts["columns"])
        return estimator


def _as_given(cell: Cell) -> Cell | str:
    """A cell as a user would have given it: the name, where the library's cell of that name is the very same."""
    known = cells.CELLS.get(cell.name)
    return cell.name if known is not None and known.to_json() == cell.to_json() else cell


def _demand_finite(found: list[Any] | Tensor) -> list[Any] | Tensor:
    """Refuse to answer with what is not a number."""
    values = [found] if isinstance(found, Tensor) else map(torch.as_tensor, found)
    if not all(bool(torch.isfinite(value).all()) for value in values):
        raise InputError("the model gives scores that are not finite: its weights are damaged")
    return found


def _comparable(facts: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs of one job have in common; how long it may take is no part of it."""
    found = {key: facts.get(key) for key in like}
    plain: dict[str, Any] = json.loads(json.dumps({**found, "config": {**(found["config"] or {}), "time_limit": None}}))
    return plain


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
