"""Some of a user's examples, which still know where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from torch import Tensor, strided

from loopcell.data.examples import SequenceData, as_array
from loopcell.data.readers import Units, where
from loopcell.errors import DataError, InputError
from loopcell.tasks.core.estimator.examples import Indices


class Part(Sequence[Any]):
    """Examples by their numbers in what the user gave; errors name them as the user would.

    Args:
        values: all examples: a list, an array, a column of a file, a series of a frame.
        name: what the user calls them, X or y.
        indices: which of them; None for all.

    Attributes:
        weights: how much each of the part's examples counts, float64 [N]; None where all count alike.
        groups: which group each of all examples is of, where that was said; None for the units that they know.
    """

    weights: npt.NDArray[np.float64] | None = None
    groups: Units | None = None

    def __init__(self, values: Any, name: str, indices: Indices | None = None) -> None:
        self.values = _indexed(values, name)
        self.name = name
        self.indices = np.arange(len(self.values)) if indices is None else indices

    @property
    def origins(self) -> PartOrigins:
        """Return where the examples came from; `readers.where` asks for it."""
        return PartOrigins(self)

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Part: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return _plain(self.values[int(self.indices[index])])

    @property
    def units(self) -> Units | None:
        """Return which unit each example is of, so that none is in two parts; None where examples are their own."""
        values = getattr(self.values, "X", self.values)
        units: Units | None = self.groups or getattr(values, "units", None)
        return None if units is None else units.take(self.indices)

    @property
    def step_names(self) -> tuple[str, ...]:
        """The names of the columns that steps were made of; () where there were none, or one."""
        names: tuple[str, ...] = getattr(getattr(self.values, "X", self.values), "step_names", ())
        return names

    @property
    def timed(self) -> bool:
        """True where the steps of the examples have times."""
        return isinstance(self.values, SequenceData) and self.values.timed

    def times_of(self, index: int, steps: int) -> npt.NDArray[np.float64] | None:
        """Return the times of an example's steps; errors as `SequenceData.times_of`."""
        found: npt.NDArray[np.float64] | None = self.values.times_of(int(self.indices[index]), steps)
        return found

    @property
    def static(self) -> npt.NDArray[Any] | None:
        """The static values beside the examples, [N, S]; None where there are none."""
        known = self.values.static if isinstance(self.values, SequenceData) else None
        return None if known is None else known[self.indices]

    @property
    def static_names(self) -> tuple[str, ...] | None:
        """The names of the static values, where they came in a frame."""
        return self.values.static_names if isinstance(self.values, SequenceData) else None

    def whole(self) -> Part:
        """All that the user gave and this is a part of."""
        return Part(self.values, self.name)

    def take(self, indices: Indices) -> Part:
        """Return some of the part's examples."""
        taken = Part(self.values, self.name, self.indices[indices])
        taken.weights = None if self.weights is None else self.weights[indices]
        taken.groups = self.groups
        return taken


def _indexed(values: Any, name: str) -> Any:
    """Return what a user gave as something that has an entry for each number 0, 1, ..."""
    if isinstance(values, SequenceData):
        return values.of(_indexed(values.X, name))
    library = type(values).__module__.partition(".")[0]
    if library == "polars":
        return values.to_list()
    if library == "pandas":  # it is indexed by its labels, which after a selection are not 0, 1, ...
        return list(values)
    if isinstance(values, Tensor) or not hasattr(values, "__getitem__"):
        return as_array(values, name)
    return values


def _plain(value: Any) -> Any:
    """Return an entry without what only carries it: the numbers of tensors, None for what is masked or not there."""
    if isinstance(value, Tensor) and value.layout is strided and not value.is_complex():
        value = as_array(value, "a tensor")
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        return value.tolist()
    if isinstance(value, np.ndarray) and not value.ndim:
        return value.item() if value.dtype.kind not in "Mm" else value[()]
    if isinstance(value, list | tuple) and any(isinstance(one, Tensor) for one in value):
        return [_plain(one) for one in value]
    return None if type(value).__name__ == "NAType" else value


class PartOrigins(Sequence[str]):
    """The places that the examples of a part came from, as a user would say it."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        place = int(self._part.indices[index])
        known = hasattr(self._part.values, "origins")
        return where(self._part.values, place) if known else f"{self._part.name}[{place}]"


def as_part(values: object, name: str) -> Part:
    """Return the user's examples.

    Raises:
        InputError: it is one example, or no sequence of them.
        DataError: there is none.
    """
    if isinstance(values, Part):
        return values
    if hasattr(type(values), "columns"):
        raise InputError(
            f"{name} is a table; give one column of it, such as table['text'], a list of tables, one for each sequence"
            ", or table.to_numpy(), where a row is an example"
        )
    if hasattr(values, "tocsr") or hasattr(values, "todense"):
        raise InputError(f"{name} is a sparse matrix; give it as an array: .toarray()")
    listed = hasattr(values, "__len__") and hasattr(values, "__getitem__")
    no_list = isinstance(values, str | bytes | Mapping) or getattr(values, "ndim", 1) == 0
    if no_list or not (listed or hasattr(values, "__array__")):
        if values is None and name == "y":
            raise InputError("this estimator requires y to be passed, but the target y is None")
        kind = "nothing" if values is None else f"a {type(values).__name__}"
        cure = _cure(values, name)
        raise InputError(f"{name} has to be a list or an array with an entry for each example, not {kind}{cure}")
    part = Part(values, name)
    if not len(part):
        raise DataError(f"{name} is empty: there is no example in it")
    return part


def _cure(values: object, name: str) -> str:
    if values is None or isinstance(values, Mapping):
        return ""
    several = hasattr(values, "__iter__") and not isinstance(values, str | bytes)
    return f"; give list({name})" if several else f"; of a single one give [{name.lower()}]"


def as_pair(X: object, y: object) -> tuple[Part, Part]:
    """Return the user's examples and what belongs to each; DataError when there are more of one than of the other."""
    inputs, targets = as_part(X, "X"), as_part(y, "y")
    if len(inputs) != len(targets):
        raise DataError(f"X has {len(inputs)} examples and y has {len(targets)}")
    return inputs, targets
