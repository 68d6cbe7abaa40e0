"""MATLAB's `.mat` files up to version 7, read by SciPy: a column for each variable that has rows."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from loopcell.data.limits import LARGEST_ROW
from loopcell.data.readers.opening import require_uncompressed
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Record, file_origin
from loopcell.errors import DataError
from loopcell.files.extras import require

HEADER, COMPRESSED = 128, 15  # of version 5: bytes before the first variable, and the type of a packed one
BLOCK = 1 << 20  # bytes
USUAL_RATIO = 64  # of the bytes of a variable to those that it is packed into
LONGEST = 1 << 31  # bytes of a file: it is not read in one stream, so it stands in memory


def read_mat(path: Path, _reading: Reading) -> FileRows:
    """Return a `.mat` file: arrays `[N, ...]`, cell arrays of N arrays or texts, all with equally many rows.

    A variable `[N, 1]` or `[1, N]` is a column of numbers. Single values and structures are left out, and named.
    """
    require_uncompressed(path, "MATLAB's format")
    found = _loaded(path)
    columns = {name: rows for name, value in found.items() if (rows := _rows_of(value)) is not None}
    left_out = [name for name in found if name not in columns]
    if not columns:
        raise DataError(f"{path} has no variable with rows" + (f"; it has {', '.join(left_out)}" if left_out else ""))
    counts = {name: len(rows) for name, rows in columns.items()}
    (first, count), *others = counts.items()
    other = next((name for name, rows in others if rows != count), None)
    if other is not None:
        raise DataError(
            f"{path}: {first} has {count:,} rows and {other} has {counts[other]:,}: they are to be equal (an example "
            "is an index of the first axis)"
        )
    notes = (f"{path}: left out, for having no rows: {', '.join(left_out)}",) if left_out else ()
    return FileRows(tuple(columns), _records(path, columns), notes)


def _loaded(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > LONGEST:
        raise DataError(
            f"{path} is larger than {LONGEST:,} bytes: save its arrays as .npy or Parquet, which are streams"
        )
    with path.open("rb") as file:
        start = file.read(10)
    if start == b"MATLAB 7.3":
        raise _is_hdf5(path)
    _check_unpacked(path)
    scipy_io = require("scipy.io", "train", "MATLAB's files need")
    try:
        found = scipy_io.loadmat(path, chars_as_strings=True)
    except NotImplementedError as error:
        raise _is_hdf5(path) from error
    except Exception as error:  # of a damaged file SciPy raises what it stumbles over
        raise DataError(f"{path} cannot be read as MATLAB's format: {str(error)[:200]}") from error
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _check_unpacked(path: Path) -> None:
    """Refuse variables that are far larger than what they are packed into; SciPy would unpack them whole."""
    with path.open("rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(HEADER)[-2:])
        while order is not None and len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind == COMPRESSED:
                _check_packed(path, file, size)
            else:
                file.seek(size, os.SEEK_CUR)


def _check_packed(path: Path, file: BinaryIO, size: int) -> None:
    most, unpacked, unpacker = max(LARGEST_ROW.most(), USUAL_RATIO * size), 0, zlib.decompressobj()
    for start in range(0, size, BLOCK):
        waiting = file.read(min(BLOCK, size - start))
        while waiting:
            try:
                unpacked += len(unpacker.decompress(waiting, BLOCK))
            except zlib.error:  # of which SciPy says more
                break
            waiting = unpacker.unconsumed_tail
            if unpacked > most:
                raise DataError(
                    f"{path}: a variable of {size:,} bytes becomes more than {most:,} bytes, which are not unpacked at "
                    f"once; {LARGEST_ROW.cure()}"
                )


def _is_hdf5(path: Path) -> DataError:
    return DataError(
        f"{path} is of MATLAB's version 7.3 (HDF5), which is not read: save it in MATLAB as "
        f"save('{path.name}', ..., '-v7'), or its arrays in Python (h5py) with numpy.savez"
    )


def _rows_of(value: Any) -> list[Any] | npt.NDArray[Any] | None:
    """Return the rows of a variable; None where it has none that could be read."""
    array = np.asarray(value)
    if array.dtype.kind == "O" and array.dtype.names is None:
        return _cells(array)
    if array.dtype.kind not in "biufU" or array.size <= 1:
        return None
    if array.ndim == 2 and 1 in array.shape:
        return array.reshape(-1)
    return array


def _cells(array: npt.NDArray[Any]) -> list[Any] | None:
    """Return the rows of a cell array of vectors, matrices or texts."""
    if array.ndim != 2 or 1 not in array.shape or array.size <= 1:
        return None
    cells = [np.asarray(cell) for cell in array.reshape(-1)]
    if any(cell.dtype.kind not in "biufU" for cell in cells):
        return None
    single = all(cell.size == 1 for cell in cells)
    return [_cell(cell, single=single) for cell in cells]


def _cell(cell: npt.NDArray[Any], *, single: bool) -> Any:
    if cell.dtype.kind == "U":
        return "\n".join(map(str, cell.reshape(-1)))
    if single:
        return cell.reshape(-1)[0]
    return cell.reshape(-1) if cell.ndim == 2 and 1 in cell.shape else cell


def _records(path: Path, columns: Mapping[str, Any]) -> Iterator[Record]:
    for row, values in enumerate(zip(*columns.values(), strict=True), 1):
        yield Record(dict(zip(columns, values, strict=True)), file_origin(path, row))
