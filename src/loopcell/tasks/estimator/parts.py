"""Some of a user's examples, which still know where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from loopcell.data import where
from loopcell.errors import DataError, InputError
from loopcell.tasks.estimator.examples import Indices


class Part(Sequence[Any]):
    """Examples by their numbers in what the user gave; errors name them as the user would.

    Args:
        values: all examples: a list, an array, a column of a file, a series of a frame.
        name: what the user calls them, X or y.
        indices: which of them; None for all.
    """

    def __init__(self, values: Any, name: str, indices: Indices | None = None) -> None:
        # A frame's series is indexed by its labels, which after a selection are not 0, 1, ...
        self.values = list(values) if type(values).__module__.partition(".")[0] in ("pandas", "polars") else values
        self.name = name
        self.indices = np.arange(len(self.values)) if indices is None else indices

    @property
    def origins(self) -> Origins:
        """Where the examples came from; `loopcell.data.where` asks for it."""
        return Origins(self)

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Part: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Part(self.values, self.name, self.indices[index])
        return self.values[int(self.indices[index])]

    def whole(self) -> Part:
        """All that the user gave and this is a part of."""
        return Part(self.values, self.name)

    def take(self, indices: Indices) -> Part:
        """Some of the part's examples."""
        return Part(self.values, self.name, self.indices[indices])


class Origins(Sequence[str]):
    """Where the examples of a part came from, as a user would say it."""

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
    """The user's examples.

    Raises:
        InputError: it is one example, or no sequence of them.
        DataError: there is none.
    """
    if isinstance(values, Part):
        return values
    if hasattr(values, "columns"):
        raise InputError(f"{name} is a table; give one column of it, such as table['text']")
    if isinstance(values, str | bytes) or not hasattr(values, "__len__") or not hasattr(values, "__getitem__"):
        kind = "nothing" if values is None else f"a {type(values).__name__}"
        raise InputError(f"{name} has to be a list or an array with an entry for each example, not {kind}")
    part = Part(values, name)
    if not len(part):
        raise DataError(f"{name} is empty: there is no example in it")
    return part


def as_pair(X: object, y: object) -> tuple[Part, Part]:
    """The user's examples and what belongs to each; DataError when there are more of one than of the other."""
    inputs, targets = as_part(X, "X"), as_part(y, "y")
    if len(inputs) != len(targets):
        raise DataError(f"X has {len(inputs)} examples and y has {len(targets)}")
    return inputs, targets
