"""An estimator without training: its arguments, what a task says of itself, and its files."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import nn

from loopcell import cells
from loopcell.data.examples import Scale
from loopcell.equations import Cell
from loopcell.errors import ArgumentError, UsageError, quoted
from loopcell.export.step_model import StepModel
from loopcell.files.tensors import fingerprint_of_tensors
from loopcell.layers.streaming.base import Owner
from loopcell.tasks.core.argument_docs import with_arguments
from loopcell.tasks.core.argument_names import EARLIER_NAMES, unknown_argument
from loopcell.tasks.core.estimator.context import PartOfRun
from loopcell.tasks.core.estimator.seeds import demand_seed
from loopcell.tasks.core.estimator.warm_start import network_made_of
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.model_file import building, fill, read_model, write_model
from loopcell.tasks.core.model_kind import model_path
from loopcell.tasks.core.own_functions import NAMED, PYTHON_ONLY, named_functions
from loopcell.tasks.core.scale_tensors import scale_tensors, take_scales
from loopcell.tasks.core.settings import checked, settings_class

# Where things run, what was begun with and how it is shown is no part of a model.
NOT_KEPT = (
    *("cell", "encoder", "features", "embedding", "random_state", "device", "devices", "progress", "watch"),
    *PYTHON_ONLY,
)


class StoredEstimator(BaseEstimator, PartOfRun):  # type: ignore[misc] # scikit-learn has no types
    """Arguments, what a task defines, files.

    Attributes:
        task: its name in a model file.
        network_: the trained network, in evaluation mode.
        random_state_: the seed that it was trained with; given as `random_state` it repeats the training.
    """

    task: ClassVar[str]
    labels_each_step: ClassVar[bool] = False  # `NetworkSettings` says so of what is trained on files of examples
    network_: nn.Module
    random_state_: int
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
        """Return what the data taught beside the network's tensors, as plain JSON values: vocabularies, labels."""

    @abstractmethod
    def _restore(self, learned: Mapping[str, Any]) -> None:
        """Put back what `_learned` gave; any exception when it was not given by it."""

    def _scales(self) -> dict[str, Scale]:
        """Return the scales of the numbers that the network reads and gives, by what they are of; a file keeps them."""
        return {}

    def _take_scales(self, scales: Mapping[str, Scale]) -> None:
        """Put back what `_scales` gave; any exception when there are not those that the network asks for."""
        if scales:
            raise ValueError(f"it has a scale of {min(scales)[:80]}, where none is called for")

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn whether there is a network."""
        return hasattr(self, "network_")

    def _fitted(self) -> nn.Module:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first, or load a model")
        return self.network_

    def _owner(self) -> Owner:
        """Return what tells this model from others, for its streams."""
        tensors = {**self._fitted().state_dict(), **scale_tensors(self._scales())}
        return Owner(self.task, type(self).__name__, fingerprint_of_tensors(tensors))

    def step_model(self) -> StepModel:
        """Return what the model computes at a step, from which `loopcell.export` writes it for other places to run.

        Raises:
            UsageError: it has no step: its answer waits for what has not come.
        """
        raise UsageError(
            f"a {type(self).__name__} has no step: it answers once it has read the whole of its input, so there is "
            "nothing that could be exported step by step"
        )

    # --- files -----------------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Everything but the weights that makes the model, as plain JSON values."""
        columns = {"columns": self._columns.model_dump(exclude_defaults=True)} if self._columns else {}
        return {**self._equations_and_config(), **columns, "learned": self._learned()}

    def _equations_and_config(self) -> dict[str, Any]:
        """Return the arguments that a file keeps, and the cell's equations."""
        settings = checked(self)
        kind = settings_class(type(self))
        left_out = set(NOT_KEPT) - set(named_functions(settings))
        config = TypeAdapter(kind).dump_python(settings, mode="json", exclude=left_out)
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
        """Return what a file holds, with the arguments that no file can hold; errors as `load`."""
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
        """Return an estimator without weights of what `facts` gave; any exception when it was not given by it."""
        known = {field.name for field in fields(settings_class(cls))} - (set(NOT_KEPT) - set(NAMED))
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
    """Return a cell as a user would have given it: the name, where the library's cell of that name is the very same."""
    known = cells.CELLS.get(cell.name)
    return cell.name if known is not None and known.to_json() == cell.to_json() else cell
