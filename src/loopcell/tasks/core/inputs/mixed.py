"""Steps of numbers and categories: frames with columns of words, or long tables that have some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.data.examples import Scale, as_doubles, as_sequence, column_names, columns_by_name, is_table
from loopcell.data.examples.missing_values import MissingValues
from loopcell.data.readers import where
from loopcell.data.readers.records import Column, Origin
from loopcell.data.series.categories import is_of_words
from loopcell.data.series.numbers import numbers_of
from loopcell.errors import DataError, quoted
from loopcell.tasks.core.inputs.arrays import ArrayInput, settled
from loopcell.tasks.core.inputs.gaps import Gaps
from loopcell.tasks.core.inputs.static import category_of
from loopcell.tasks.core.settings import NetworkSettings

MOST_CATEGORIES = 256  # of a column: each is a column of the cell's input weights, and a number of every step


class MixedInput(ArrayInput):
    """Steps of R columns, of which some are categories: a one among zeros, which the input weights make a vector of.

    A category that is missing, or that training did not have, is zeros, so that it adds nothing.

    Args:
        raw: the names of the R columns.
        categories: by the numbers of columns, the categories that training had, as texts, sorted.
    """

    kind: ClassVar[str] = "mixed"

    def __init__(self, raw: Sequence[str], categories: Mapping[int, list[str]]) -> None:
        self.raw, self.categories = list(raw), dict(categories)
        names = [name for at, name in enumerate(self.raw) for name in self._columns_of(at, name)]
        super().__init__(len(names), names, axes=2)
        self._unseen: Counter[str] = Counter()
        self._first_unseen: dict[str, str] = {}

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Look at which columns are categories, and at what categories there are.

        Raises:
            DataError: a column has more than 256 categories.
        """
        raw = names_of(X)
        assert raw is not None
        found: dict[int, set[str]] = {at: set() for at in _categorical(X, raw, getattr(settings, "categories", ()))}
        for index, example in enumerate(X):
            columns = _columns(example, where(X, index), raw)
            for at, known in found.items():
                known.update(text for cell in columns[at] if (text := category_of(cell)) is not None)
        for at, known in found.items():
            if len(known) > MOST_CATEGORIES:
                raise DataError(
                    f"column {raw[at]!r} has {len(known):,} categories, and {MOST_CATEGORIES} is the most that steps "
                    "of sequences may have: group them, leave the column out, or make numbers of it"
                )
        return settled(cls(raw, {at: sorted(known) for at, known in found.items()}), settings)

    def training_sequences(self, X: Sequence[Any]) -> Ragged:
        """Learn the scale of numbers and where they are missing, and give examples; what categories are is said."""
        found = super().training_sequences(X)
        counts = [f"{self.raw[at]} ({len(known):,})" for at, known in self.categories.items()]
        self.notes = (f"read as categories, a vector for each: {', '.join(counts)}", *self.notes)
        return found

    def sequences(self, X: Sequence[Any]) -> Ragged:
        """All examples as the network reads them; categories that training did not have are counted."""
        self._unseen, self._first_unseen = Counter(), {}
        found = super().sequences(X)
        unseen = (
            f"{count:,} steps have a {name} that training did not have, such as {quoted(self._first_unseen[name])}: it "
            "is read as unknown"
            for name, count in self._unseen.items()
        )
        self.notes = (*self.notes, *unseen)
        return found

    def _scale_of(self, learned: Scale) -> Scale:
        """Leave ones and zeros as they are: of a rare category the deviation is small."""
        widths = [len(self._columns_of(at, name)) for at, name in enumerate(self.raw)]
        ones = np.repeat([at in self.categories for at in range(len(self.raw))], widths)
        return Scale(np.where(ones, 0.0, learned.mean), np.where(ones, 1.0, learned.size))

    def _columns_of(self, at: int, name: str) -> list[str]:
        """Return the names of the numbers that a column becomes."""
        return [f"{name}={one}" for one in self.categories[at]] if at in self.categories else [name]

    def _array(self, example: Any, name: str) -> npt.NDArray[Any]:
        columns = _columns(example, name, self.raw)
        if not len(columns[0]):
            return np.zeros((0, self.input_size))
        parts = [
            self._ones(at, column)
            if at in self.categories
            else self.named_missing.as_nan(as_doubles(column, f"{name}, column {self.raw[at]!r},"))[:, None]
            for at, column in enumerate(columns)
        ]
        return as_sequence(np.concatenate(parts, axis=1), name, missing=True)

    def _ones(self, at: int, cells: Iterable[Any]) -> npt.NDArray[np.float64]:
        numbers = {category: number for number, category in enumerate(self.categories[at])}
        texts = [None if self.named_missing.is_named(cell) else category_of(cell) for cell in cells]
        found = np.zeros((len(texts), len(numbers)))
        for row, text in enumerate(texts):
            if text in numbers:
                found[row, numbers[text]] = 1.0
            elif text is not None:
                self._unseen[self.raw[at]] += 1
                self._first_unseen.setdefault(self.raw[at], text)
        return found

    def row(self, cells: Mapping[str, Any], origin: Origin) -> npt.NDArray[Any]:
        """Return a step of a stream as a sequence [1, R], as the other methods take it; errors name its origin."""
        values = [
            cells[name]
            if at in self.categories
            else numbers_of(name, Column([cells[name]], [origin], name), missing=True)[0]
            for at, name in enumerate(self.raw)
        ]
        found = np.empty((1, len(values)), dtype=object)
        found[0] = values
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the columns, their categories, and what is known of gaps."""
        return {**super().to_json(), "raw": self.raw, "categories": list(self.categories.items())}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        raw, given = stored["raw"], stored["categories"]
        if not _are_texts(raw) or not isinstance(given, list):
            raise ValueError("its columns have no name each")
        categories = {int(at): known for at, known in given}
        right = all(0 <= at < len(raw) and _are_texts(one) and len(one) <= MOST_CATEGORIES for at, one in given)
        if not right or len(categories) < len(given):
            raise ValueError("its categories are none of its columns'")
        found = cls(raw, categories)
        found.gaps = Gaps.from_json(stored, found.input_size, stored.get("fill", "mask"))
        found.named_missing = MissingValues.of([float(number) for number in stored.get("missing", [])])
        return found


def is_mixed(X: Sequence[Any], settings: Any) -> bool:
    """Return whether steps have columns of words, or such that are named as categories."""
    raw = names_of(X)
    return raw is not None and bool(_categorical(X, raw, getattr(settings, "categories", ())))


def names_of(X: Sequence[Any]) -> list[str] | None:
    """Return the names of the columns of steps; None where they have none."""
    if len(X) and is_table(X[0]):
        return column_names(X[0], where(X, 0))
    names = list(getattr(X, "step_names", ()))
    first = next((np.asarray(example) for example in X if len(example)), None) if names else None
    return names if first is not None and first.shape[1:] == (len(names),) else None


def _categorical(X: Sequence[Any], raw: Sequence[str], named: Sequence[str]) -> list[int]:
    """Return the numbers of the columns that are categories, by the first sequence that tells of each."""
    found = {at for at, name in enumerate(raw) if name in named}
    for index, example in enumerate(X):
        columns = _columns(example, where(X, index), raw)
        found |= {at for at, column in enumerate(columns) if at not in found and is_of_words(column)}
        if index and not any(_may_be_words(column) for at, column in enumerate(columns) if at not in found):
            break
    return sorted(found)


def _may_be_words(column: Any) -> bool:
    """Return whether a column has room for words and none in it: the next sequence may tell."""
    return all(category_of(cell) is None for cell in column)


def _columns(example: Any, name: str, raw: Sequence[str]) -> list[Any]:
    """Return the columns of a sequence [T, R], in the order of their names."""
    if is_table(example):
        return [np.asarray(column) for _, column in columns_by_name(example, name, raw)]
    found = np.asarray(example, dtype=object)
    if not found.size:
        return [found.reshape(0)] * len(raw)
    if found.ndim != 2 or found.shape[1] != len(raw):
        listed = ", ".join(raw[:20])
        raise DataError(f"{name} has the shape {list(found.shape)}, and steps have {len(raw)} columns: {listed}")
    return list(found.T)


def _are_texts(given: object) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(one, str) for one in given)


def chosen_steps(input_: Any) -> Iterator[str]:
    """Yield the names of the step columns that are categories."""
    if isinstance(input_, MixedInput):
        yield from (input_.raw[at] for at in input_.categories)
