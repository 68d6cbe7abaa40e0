"""Files of states: what a model computed for every step of a corpus, as Arrow on disk, written and read part by part.

An Arrow IPC file, uncompressed, so that a part is read by mapping it into memory. A row is a step: `sequence` and
`step` (int64, from 0), `token` (utf8: the step in words), `text` (utf8: the characters that are whole with this step),
`unknown` (bool: the model has no such token), and for each layer and quantity a column such as `layer1.c`, a fixed-size
list of float16 or float32. The schema's metadata has under `loopcell` a JSON object with the rest: see `StatesHeader`.

A file may come from a stranger. Nothing in it is run; a compressed part, which could become far more than the file
holds, is refused before it is read; each part is checked whole by Arrow, and its columns against the schema; the
order of all steps is checked when a file is opened.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import FileFormatError, InputError, MissingExtraError, quoted

KEY = b"loopcell"
FORMAT = "states"
VERSION = 1
MAGIC = b"ARROW1"
ALIGNED = 8  # the first message of a file begins at this byte
COMPRESSION = 3  # the field of a RecordBatch in Arrow's Message.fbs

StatesDtype = Literal["float16", "float32"]
Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class StatesHeader:
    """The facts that a file of states begins with.

    Attributes:
        model: the fingerprint of the model that computed them.
        title: what the model is, such as "LanguageModel".
        layers: the name of each layer and direction, by its number in the columns' names.
        separator: what stands between the texts of two steps: nothing for parts of a text, a blank for words.
        about: what the writer wanted to keep beside it, such as a hash of the corpus.
    """

    model: str
    title: str
    layers: tuple[str, ...]
    separator: str
    about: Mapping[str, str]

    def packed(self) -> dict[bytes, bytes]:
        """Return the header as a schema's metadata."""
        return {KEY: json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}).encode()}

    @classmethod
    def unpacked(cls, metadata: Mapping[bytes, bytes] | None, path: Path) -> StatesHeader:
        """Read a schema's metadata; FileFormatError where it is of no file of states, or of a newer format."""
        try:
            found = json.loads((metadata or {})[KEY])
            if found.pop("format") != FORMAT:
                raise ValueError
            version = found.pop("version")
            if version == VERSION:
                header = cls(**{**found, "layers": tuple(found["layers"])})
                header.check()
                return header
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
            raise FileFormatError(f"{path} is not a file of states that loopcell wrote") from None
        raise FileFormatError(
            f"{path} has format {quoted(version)} of states, this loopcell reads {VERSION}: write it anew"
        )

    def check(self) -> None:
        """Raise a ValueError where a fact is of the wrong type."""
        texts = [self.model, self.title, self.separator, *self.layers, *self.about, *self.about.values()]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError


class StatesPart(NamedTuple):
    """Steps of a corpus, in order.

    Attributes:
        first: the row of the first of them, in the whole corpus.
        sequence: int64 [T], which sequence each belongs to, from 0.
        step: int64 [T], its place there, from 0.
        states: by column, [T, n], mapped from the file.
        batch: the rows as Arrow, for the texts.
    """

    first: int
    sequence: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    states: Mapping[str, Numbers]
    batch: Any

    def texts(self, column: str) -> list[str]:
        """Return the `token` or the `text` of every step."""
        found: list[str] = self.batch.column(column).to_pylist()
        return found

    def unknown(self) -> int:
        """Return how many steps are tokens that the model does not have."""
        return int(self.batch.column("unknown").true_count)


def arrow() -> Any:
    """Return pyarrow; MissingExtraError where it is not installed."""
    try:
        import pyarrow as pa
    except (ImportError, OSError) as error:  # OSError: its shared library is missing
        raise MissingExtraError('states of a corpus need pyarrow: pip install "loopcell[data]"') from error
    return pa


def schema_of(header: StatesHeader, widths: Mapping[str, int], dtype: StatesDtype) -> Any:
    """Return the schema of a file with columns of so many units each."""
    pa = arrow()
    number = pa.float16() if dtype == "float16" else pa.float32()
    fixed = [("sequence", pa.int64()), ("step", pa.int64()), ("token", pa.utf8()), ("text", pa.utf8())]
    states = [pa.field(name, pa.list_(number, units), nullable=False) for name, units in widths.items()]
    known = [pa.field(name, kind, nullable=False) for name, kind in (*fixed, ("unknown", pa.bool_()))]
    return pa.schema([*known, *states], metadata=header.packed())


def batch_of(schema: Any, columns: Mapping[str, Any]) -> Any:
    """Return rows as Arrow has them: texts, numbers [T] and states [T, n] by column."""
    pa = arrow()
    arrays = []
    for field in schema:
        value = columns[field.name]
        if pa.types.is_fixed_size_list(field.type):
            flat = pa.array(np.ascontiguousarray(value).reshape(-1))
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=field.type))
        else:
            arrays.append(pa.array(value, type=field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def narrowed(name: str, value: Numbers, dtype: StatesDtype) -> Numbers:
    """Return states in the dtype of a file.

    Raises:
        InputError: a number is larger than float16 can hold.
    """
    with np.errstate(over="ignore"):
        found = value.astype(dtype)
    if dtype == "float16" and bool((np.isinf(found) & np.isfinite(value)).any()):
        largest = float(np.abs(value[np.isfinite(value)]).max())
        raise InputError(f"{name} reaches {largest:.3g}, and float16 ends at 65,504: store it with dtype='float32'")
    return found


class StatesFile:
    """An open file of states; a part is mapped into memory when it is asked for.

    Args:
        path: the file.

    Attributes:
        header: what it says of itself.
        widths: the units of each column of states.
        dtype: float16 or float32.

    Raises:
        FileFormatError: it is missing, torn, compressed, or no file of states, or its steps are not in order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        pa = arrow()
        with self._reading():
            source = pa.memory_map(str(path))
            if source.size() < 2 * ALIGNED or source.read(len(MAGIC)) != MAGIC:
                raise FileFormatError(f"{path} is not a file of states that loopcell wrote")
            source.seek(source.size() - len(MAGIC))
            if source.read(len(MAGIC)) != MAGIC:
                raise FileFormatError(f"{path} is truncated: it was not written to its end; write it anew")
            source.seek(ALIGNED)
            messages = pa.ipc.MessageReader.open_stream(source)
            self.schema = pa.ipc.read_schema(messages.read_next_message())
            self.header = StatesHeader.unpacked(self.schema.metadata, path)
            self.widths, self.dtype = self._columns()
            self._messages = [self._uncompressed(message) for message in messages]
            self._check_order()
            self._lengths: dict[int, int] = {}  # of the parts that were read

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self._messages)

    def parts(self, columns: Sequence[str], start: int = 0, end: int | None = None) -> Iterator[StatesPart]:
        """Yield the parts in order that have rows from `start` up to `end`, with some columns of states.

        Raises:
            FileFormatError: a part is damaged.
        """
        first = 0
        for place, message in enumerate(self._messages):
            if end is not None and first >= end:
                return
            if place in self._lengths and first + self._lengths[place] <= start:  # read before, and not wanted
                first += self._lengths[place]
                continue
            part = self._part(message, first, columns)
            self._lengths[place] = len(part.sequence)
            first += len(part.sequence)
            if first > start:
                yield part

    def _part(self, message: Any, first: int, columns: Sequence[str]) -> StatesPart:
        with self._reading():
            batch = arrow().ipc.read_record_batch(message, self.schema)
            batch.validate(full=True)
            if any(column.null_count for column in batch.columns):
                raise ValueError("a value is missing")
            sequence, step = (batch.column(name).to_numpy() for name in ("sequence", "step"))
            return StatesPart(first, sequence, step, {name: self._numbers(batch, name) for name in columns}, batch)

    def _numbers(self, batch: Any, name: str) -> Numbers:
        found: Numbers = batch.column(name).flatten().to_numpy().reshape(batch.num_rows, self.widths[name])
        return found

    def _columns(self) -> tuple[dict[str, int], StatesDtype]:
        """Return the units of each column of states and their dtype, and hold the schema against them."""
        pa = arrow()
        widths = {field.name: field.type.list_size for field in self.schema if pa.types.is_fixed_size_list(field.type)}
        kinds = {str(self.schema.field(name).type.value_type) for name in widths}
        dtype: StatesDtype = "float16" if kinds == {"halffloat"} else "float32"
        if not self.schema.equals(schema_of(self.header, widths, dtype)):
            raise FileFormatError(f"{self.path} is damaged: its columns are not those of a file of states")
        return widths, dtype

    def _check_order(self) -> None:
        """Raise a ValueError where sequences do not come one after the other with steps 0, 1, 2, ...

        Of each part these two columns alone are read.
        """
        last = (-1, 0)
        for message in self._messages:
            batch = arrow().ipc.read_record_batch(message, self.schema)
            columns = [batch.column(name) for name in ("sequence", "step")]
            for column in columns:
                column.validate()
            sequence, step = (
                np.concatenate([[before], column.to_numpy()]) for before, column in zip(last, columns, strict=True)
            )
            same = sequence[1:] == sequence[:-1]
            later = (sequence[1:] > sequence[:-1]) & (step[1:] == 0)
            if not bool((later | (same & (step[1:] == step[:-1] + 1))).all()):
                raise ValueError("its steps are not in order")
            last = (int(sequence[-1]), int(step[-1]))

    def _uncompressed(self, message: Any) -> Any:
        if is_compressed(message.metadata.to_pybytes()):
            raise FileFormatError(f"{self.path} is compressed, and a file of states is not: write it anew")
        return message

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what Arrow raises for a file that is missing or damaged into a FileFormatError."""
        try:
            yield
        except FileNotFoundError:
            raise FileFormatError(f"there is no file {self.path}") from None
        except (arrow().ArrowException, OSError, ValueError, TypeError, MemoryError, StopIteration, EOFError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"{self.path} is damaged: Arrow cannot read it") from error


def is_compressed(message: bytes) -> bool:
    """Say whether a message's body is compressed; a ValueError where it is no batch of rows.

    `message` is the flatbuffer of Arrow's format/Message.fbs: a Message, whose header is a RecordBatch.
    """
    try:
        (root,) = struct.unpack_from("<I", message)
        if message[_field(message, root, 1)] != 3:  # MessageHeader.RecordBatch
            raise ValueError("a message is no batch of rows")
        place = _field(message, root, 2)
        (offset,) = struct.unpack_from("<I", message, place)
        return _field(message, place + offset, COMPRESSION) != 0
    except (struct.error, IndexError) as error:
        raise ValueError("a message is damaged") from error


def _field(message: bytes, table: int, number: int) -> int:
    """Return where a field of a flatbuffer's table stands; 0 where it is left out."""
    (back,) = struct.unpack_from("<i", message, table)
    size, *_ = struct.unpack_from("<H", message, table - back)
    slot = 4 + 2 * number
    if slot >= size:
        return 0
    (offset,) = struct.unpack_from("<H", message, table - back + slot)
    return table + offset if offset else 0
