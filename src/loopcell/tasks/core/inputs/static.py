"""Values that hold for a whole sequence, such as an age or a kind of machine: numbers, and categories by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.data.examples import Scale, moments_of
from loopcell.data.examples.arrays import as_number
from loopcell.data.readers import where
from loopcell.errors import DataError, quoted

MOST_VALUES = 2**20  # of a sequence
MOST_CATEGORIES = 100_000  # of a column
FEW_CATEGORIES = 20  # are categories, however few sequences there are
WIDEST_EMBEDDING = 16


class StaticRows(NamedTuple):
    """Static values as a network takes them.

    Attributes:
        numbers: on their scale, float32 [N, A], with whether there is one behind those that may be missing.
        categories: int64 [N, C]; 0 for one that is missing, or that training did not have.
    """

    numbers: Any
    categories: Any


class StaticInput:
    """Static values of a training part: their names, categories, scale and gaps.

    Args:
        names: of the S values.
        categories: by the numbers of columns, the categories that training had, as texts, sorted.
        masked: the columns of numbers that may be missing.

    Attributes:
        scale: of the columns of numbers.
        notes: sentences about the rows that were read last.
    """

    def __init__(self, names: Sequence[str], categories: Mapping[int, list[str]], masked: Sequence[int]) -> None:
        self.names, self.categories, self.masked = list(names), dict(categories), list(masked)
        self.notes: tuple[str, ...] = ()
        self.scale = Scale(np.zeros(len(self.columns)), np.ones(len(self.columns)))

    @classmethod
    def learn(cls, X: Any, categories: Sequence[str]) -> Self:
        """Look at the static values of the training part.

        Args:
            X: the examples, with `static` and `static_names`.
            categories: the names of columns which are categories; columns with texts are so anyway.

        Raises:
            DataError: a value is no number, or a column has as many categories as there are sequences.
            UsageError: there is no column of such a name.
        """
        rows, names = X.static, _names(X)
        if unknown := [name for name in categories if name not in names]:
            raise DataError(f"static has no column {unknown[0]!r} for categories; it has {', '.join(names)}")
        of_words = [at for at, name in enumerate(names) if name in categories or _has_words(rows[:, at])]
        found = cls(names, {at: _learned_categories(rows[:, at], names[at]) for at in of_words}, ())
        numbers = found._numbers(X)
        moments = moments_of([numbers], numbers.shape[1])
        found.scale = moments.scale()
        found.masked = [at for at, count in zip(found.columns, moments.counts, strict=True) if count < len(rows)]
        return found

    @property
    def columns(self) -> list[int]:
        """The columns of numbers, in order."""
        return [at for at in range(len(self.names)) if at not in self.categories]

    def rows(self, X: Any) -> StaticRows:
        """Return the static values of examples; errors as `learn`, and for other columns than in training."""
        self._demand_columns(X)
        numbers = self.scale.read(self._numbers(X), "static") if self.columns else np.zeros((len(X), 0), np.float32)
        there = [~np.isnan(numbers[:, self.columns.index(at)]) for at in self.masked]
        read = np.concatenate([np.nan_to_num(numbers), np.array(there, np.float32).reshape(-1, len(X)).T], axis=1)
        ids = [self._ids(X.static[:, at], at) for at in self.categories]
        self.notes = tuple(self._unseen(X, ids))
        return StaticRows(read.astype(np.float32), np.array(ids, np.int64).reshape(-1, len(X)).T)

    def raw(self, X: Any) -> StaticRows:
        """Return the static values of examples in their own units, NaN where one is missing; errors as `rows`."""
        self._demand_columns(X)
        return StaticRows(self._numbers(X), np.array([self._ids(X.static[:, at], at) for at in self.categories]))

    def reader(self) -> StaticReader:
        """Return the layer that reads the rows."""
        return StaticReader(len(self.columns) + len(self.masked), [len(one) for one in self.categories.values()])

    def to_json(self) -> dict[str, Any]:
        """Return what was learned but for the scale, as plain JSON values."""
        return {"names": self.names, "categories": list(self.categories.items()), "masked": self.masked}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; any exception for anything else."""
        names, masked = stored["names"], stored["masked"]
        categories = {at: _checked_categories(known) for at, known in stored["categories"]}
        if not isinstance(names, list) or not 0 < len(names) <= MOST_VALUES or not all(map(_is_text, names)):
            raise ValueError("its static values have no name each")
        found = cls(names, categories, masked)
        if not all(type(at) is int and 0 <= at < len(names) for at in categories) or set(masked) - set(found.columns):
            raise ValueError("its static columns are none of its columns")
        return found

    def _demand_columns(self, X: Any) -> None:
        if X.static is None:
            raise DataError(
                f"training had static values ({', '.join(self.names)}): give them here too, static=[...], "
                f"{len(self.names)} for each sequence"
            )
        if _names(X) != self.names:
            raise DataError(f"static has the columns {', '.join(_names(X))}, and training had {', '.join(self.names)}")

    def _numbers(self, X: Any) -> npt.NDArray[np.float64]:
        found = np.empty((len(X), len(self.columns)))
        for place, at in enumerate(self.columns):
            for index, value in enumerate(X.static[:, at]):
                try:
                    found[index, place] = as_number(value)
                except ValueError as error:
                    name = f"{where(X, index)}: the static value {self.names[at]!r} is"
                    raise DataError(f"{name} {error}; is it one of categories=?") from None
        if np.isinf(found).any():
            index, place = (int(one) for one in np.argwhere(np.isinf(found))[0])
            raise DataError(f"{where(X, index)}: the static value {self.names[self.columns[place]]!r} is infinite")
        return found

    def _ids(self, column: npt.NDArray[Any], at: int) -> npt.NDArray[np.int64]:
        numbers = {category: number + 1 for number, category in enumerate(self.categories[at])}
        return np.array([numbers.get(category_of(value) or "", 0) for value in column], np.int64)

    def _unseen(self, X: Any, ids: list[npt.NDArray[np.int64]]) -> Iterator[str]:
        for at, numbers in zip(self.categories, ids, strict=True):
            unseen = [one for one in X.static[numbers == 0, at] if category_of(one) is not None]
            if unseen:
                yield (
                    f"{len(unseen):,} of {len(X):,} sequences have a {self.names[at]} that training did not have, such "
                    f"as {quoted(unseen[0])}: it is read as unknown"
                )


class StaticReader(nn.Module):
    """Static numbers as they are, beside a vector for each category; that of 0, the unknown one, begins as zeros.

    Args:
        numbers: A.
        categories: how many of them each column of categories has.

    Attributes:
        output_size: the length of what comes out.
    """

    def __init__(self, numbers: int, categories: Sequence[int]) -> None:
        super().__init__()
        widths = [min(WIDEST_EMBEDDING, 1 + round(count**0.5)) for count in categories]
        self.embeddings = nn.ModuleList(
            nn.Embedding(count + 1, width) for count, width in zip(categories, widths, strict=True)
        )
        self.output_size = numbers + sum(widths)
        for embedding in self.embeddings:
            if embedding.get_parameter("weight").device.type != "meta":
                nn.init.zeros_(embedding.get_parameter("weight")[0].detach())

    def forward(self, rows: StaticRows) -> Tensor:
        """Return [B, `output_size`] of numbers [B, A] and categories [B, C]."""
        vectors = [embedding(rows.categories[:, at]) for at, embedding in enumerate(self.embeddings)]
        return torch.cat([rows.numbers, *vectors], dim=-1)


def _names(X: Any) -> list[str]:
    return list(X.static_names or map(str, range(X.static.shape[1])))


def _has_words(column: npt.NDArray[Any]) -> bool:
    return any(isinstance(one, str) for one in column)


def category_of(value: Any) -> str | None:
    """Return a category as a text; None where there is none. 3 and 3.0 are the same."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    try:
        number = as_number(value)
    except ValueError:
        return str(value)
    return None if np.isnan(number) else f"{number:.17g}"


def _learned_categories(column: npt.NDArray[Any], name: str) -> list[str]:
    found = sorted({category for one in column if (category := category_of(one)) is not None})
    if len(found) > MOST_CATEGORIES or len(found) > max(FEW_CATEGORIES, len(column) / 2):
        raise DataError(
            f"the static column {name!r} has {len(found):,} categories in {len(column):,} sequences: too many to learn "
            "anything of each; leave it out, or group them"
        )
    return found


def _checked_categories(known: object) -> list[str]:
    if not isinstance(known, list) or len(known) > MOST_CATEGORIES or not all(map(_is_text, known)):
        raise ValueError("its categories are no texts")
    return known


def _is_text(value: object) -> bool:
    return isinstance(value, str)
