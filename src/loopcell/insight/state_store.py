"""StateStore: what a model computed at every step of a corpus, on disk, so that the corpus may be larger than memory.

The states of a corpus are hundreds of times as large as its text, which is why they are written in parts as they are
computed, and mapped into memory part by part when they are searched. The texts of the steps do fit, and are held.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError, InputError, UsageError, quoted
from loopcell.files.atomic import atomic_write
from loopcell.insight.corpus_parts import STEPS, CorpusPart, CorpusReader, column, fingerprint
from loopcell.insight.state_file import (
    StatesDtype,
    StatesFile,
    StatesHeader,
    StatesPart,
    arrow,
    batch_of,
    narrowed,
    schema_of,
)


def store_states(
    model: CorpusReader,
    corpus: Any,
    path: str | PathLike[str],
    quantities: Sequence[str] | None = None,
    *,
    dtype: StatesDtype = "float16",
    about: Mapping[str, str] | None = None,
) -> StateStore:
    """Let a model read a corpus, and write what its layers computed at every step.

    Args:
        model: a fitted estimator.
        corpus: for a language model a text, a `pathlib.Path` or a list of these, each read as one stream; for other
            estimators sequences in the form of those that `fit` was given, one after the other.
        path: the Arrow file to write, whole or not at all.
        quantities: names in the cell's equations, such as ("c",) or ("f", "i"); None for the cell's states.
        dtype: of the numbers: float16 keeps three digits, and half of the disk.
        about: further facts to keep in the file.

    Raises:
        DataError: the corpus is empty, or does not fit the model.
        InputError: no layer has a quantity of that name, or its numbers are larger than float16 can hold.
        FileWriteError: the disk is full, the folder may not be written, ...
        MissingExtraError: pyarrow is not installed (`pip install loopcell[data]`).
    """
    if dtype not in ("float16", "float32"):
        raise UsageError(f"states are stored as float16 or float32, not {quoted(dtype)}")
    arrow()
    with _closed(model.corpus_states(corpus, quantities)) as parts:
        first = next(parts, None)
        if first is None:
            raise DataError("the corpus is empty: it has no step")
        header = StatesHeader(
            model=fingerprint(model),
            title=type(model).__name__,
            layers=tuple(layer.name for layer in first.layers),
            separator=first.separator,
            about=dict(about or {}),
        )
        with atomic_write(path) as temporary:
            _write(temporary, header, first, parts, dtype)
    return StateStore.open(path)


@contextmanager
def _closed(parts: Iterable[CorpusPart]) -> Iterator[Iterator[CorpusPart]]:
    """Give the parts, and end a generator of them however it is left: one may hold a temporary folder."""
    found = iter(parts)
    try:
        yield found
    finally:
        if isinstance(found, Generator):
            found.close()


def _write(path: Path, header: StatesHeader, first: CorpusPart, rest: Iterable[CorpusPart], dtype: StatesDtype) -> None:
    """Write the parts of a corpus; short ones together, so that a file has few parts."""
    pa = arrow()
    widths = {name: value.shape[1] for name, value in _states(first).items()}
    if not widths:
        raise InputError("there is nothing to store: no value of the cell has a name in its equations")
    schema = schema_of(header, widths, dtype)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        waiting: list[dict[str, Any]] = []
        for rows in _rows(chain([first], rest), dtype):
            waiting.append(rows)
            if sum(len(each["step"]) for each in waiting) >= STEPS:
                writer.write_batch(batch_of(schema, _joined(waiting)))
                waiting = []
        if waiting:
            writer.write_batch(batch_of(schema, _joined(waiting)))


def _rows(parts: Iterable[CorpusPart], dtype: StatesDtype) -> Iterator[dict[str, Any]]:
    """Yield the columns of each part that has a step."""
    sequence, done = -1, 0
    for part in parts:
        done = done if part.sequence == sequence else 0
        count = len(part.tokens)
        rows: dict[str, Any] = {
            "sequence": np.full(count, part.sequence, np.int64),
            "step": np.arange(done, done + count, dtype=np.int64),
            "token": [_writable(token) for token in part.tokens],
            "text": [_writable(text) for text in part.texts],
            "unknown": part.unknown,
        }
        sequence, done = part.sequence, done + count
        if count:
            yield rows | {name: narrowed(name, value, dtype) for name, value in _states(part).items()}


def _states(part: CorpusPart) -> dict[str, npt.NDArray[np.float32]]:
    """Return the states [T, n] by the names of their columns."""
    each = ((number, layer) for number, layer in enumerate(part.layers))
    return {column(number, name): value for number, layer in each for name, value in layer.quantities.items()}


def _joined(waiting: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of several parts as one."""
    if len(waiting) == 1:
        return dict(waiting[0])
    return {
        name: np.concatenate([rows[name] for rows in waiting])
        if isinstance(value, np.ndarray)
        else [entry for rows in waiting for entry in rows[name]]
        for name, value in waiting[0].items()
    }


def _writable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")  # half of a character


@dataclass(frozen=True, eq=False)
class StateStore:
    """The states of a corpus on disk.

    Attributes:
        file: the open file.
    """

    file: StatesFile

    @classmethod
    def open(cls, path: str | PathLike[str], model: Any = None) -> StateStore:
        """Open a file that `store_states` wrote.

        Args:
            path: the file.
            model: the model that is to have written it; None for any.

        Raises:
            FileFormatError: it is missing, torn, or no such file.
            InputError: another model wrote it.
            MissingExtraError: pyarrow is not installed.
        """
        found = cls(StatesFile(Path(path)))
        if model is not None and found.file.header.model != fingerprint(model):
            raise InputError(
                f"{path} has the states of another model ({found.file.header.title}); store those of this one"
            )
        return found

    def __repr__(self) -> str:
        columns = ", ".join(f"{name}[{units}]" for name, units in self.columns.items())
        return f"StateStore({self.file.path.name}: {len(self):,} steps of {columns}, {self.file.dtype})"

    def __len__(self) -> int:
        """Return the number of steps, N."""
        return len(self._index.step)

    @property
    def columns(self) -> Mapping[str, int]:
        """The units of each column of states, by names such as "layer1.c"."""
        return self.file.widths

    @property
    def layers(self) -> tuple[str, ...]:
        """Names that the model gives its layers and directions, by their number."""
        return self.file.header.layers

    @property
    def about(self) -> Mapping[str, str]:
        """Facts that the writer kept beside the states."""
        return self.file.header.about

    @property
    def unknown(self) -> int:
        """The number of steps with tokens that the model does not have."""
        return self._index.unknown

    @property
    def sequence(self) -> npt.NDArray[np.int64]:
        """The sequence that each step belongs to, int64 [N]."""
        return self._index.sequence

    @property
    def step(self) -> npt.NDArray[np.int64]:
        """The place of each step in its sequence, int64 [N]."""
        return self._index.step

    @property
    def tokens(self) -> Sequence[str]:
        """Every step in words."""
        return self._index.tokens

    @property
    def texts(self) -> Sequence[str]:
        """The characters that are whole with each step: "" before a character is."""
        return self._index.texts

    def demand(self, column: str) -> None:
        """Refuse a column that is not there; the InputError names those that are."""
        if column not in self.columns:
            raise InputError(f"no states of {quoted(column)} are stored; there is {', '.join(self.columns)}")

    def parts(self, columns: Sequence[str]) -> Iterator[StatesPart]:
        """Yield the steps in order with some columns of states, a part of some thousand steps at a time.

        Raises:
            InputError: a column is not there.
            FileFormatError: the file is damaged.
        """
        for name in columns:
            self.demand(name)
        return self.file.parts(columns)

    def rows(self, column: str, start: int, end: int) -> npt.NDArray[np.floating[Any]]:
        """Return the states of the rows from `start` up to `end` of all N, [end - start, n]."""
        self.demand(column)
        found = [
            part.states[column][max(0, start - part.first) : end - part.first]
            for part in self.file.parts([column], start, end)
        ]
        return np.concatenate(found) if found else np.empty((0, self.columns[column]), self.file.dtype)

    @cached_property
    def _index(self) -> _Index:
        """Read what is held of every step: texts are a hundredth of the states."""
        sequences, steps, tokens, texts, unknown = [], [], [], [], 0
        interned: dict[str, str] = {}
        for part in self.file.parts([]):
            sequences.append(part.sequence.copy())
            steps.append(part.step.copy())
            tokens += [interned.setdefault(token, token) for token in part.texts("token")]
            texts += [interned.setdefault(text, text) for text in part.texts("text")]
            unknown += part.unknown()
        empty = np.empty(0, np.int64)
        return _Index(np.concatenate([empty, *sequences]), np.concatenate([empty, *steps]), tokens, texts, unknown)


class _Index(NamedTuple):
    sequence: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    tokens: list[str]
    texts: list[str]
    unknown: int
