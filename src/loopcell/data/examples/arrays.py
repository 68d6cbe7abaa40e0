"""Whatever holds numbers as an array of numbers. What would lose something on the way is refused in a sentence.

NumPy's own conversion drops the mask of a masked array and the imaginary part of complex numbers, counts nanoseconds
for dates, and rounds whole numbers: none of these is an error there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.tables import columns_by_name, is_table
from loopcell.errors import DataError, quoted

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]

EXACT = 2**53  # whole numbers from here on may not be numbers of float64

# Kinds of NumPy's dtypes that are no numbers, or not the ones that a network reads, and what to do about each.
NO_NUMBERS = {
    "c": "complex numbers: give the real and the imaginary part as two numbers",
    "M": "dates: give numbers instead, such as the days since the first one",
    "m": "spans of time: divide them by a unit, such as numpy.timedelta64(1, 's')",
    "U": "texts, not numbers",
    "S": "bytes, not numbers",
    "T": "texts, not numbers",
    "V": "records with named fields: make an array of them, as numpy.lib.recfunctions.structured_to_unstructured does",
}
# Types in a list that NumPy reads as they are meant; any other is read by itself.
_PLAIN = (bool, int, float, str, list, tuple, type(None), np.ndarray, np.bool_, np.integer, np.floating)
_ORDERED = (list, tuple, np.ndarray)


def as_array(given: Any, name: str) -> Array:
    """Read numbers from an array, a tensor, a list of lists, a table, or anything else that NumPy can make an array of.

    Args:
        given: the numbers.
        name: what an error calls them.

    Returns:
        An array of truth values, whole numbers or floats, of `given`'s own dtype where it has one. What is not there
        (None, a masked value, NA of pandas) is NaN.

    Raises:
        DataError: it is or has something else than real numbers, or whole numbers that float64 would round.
    """
    found = _as_numpy(given, name)
    if found.dtype.kind == "O":
        found = _of_objects(found, name)
    if found.dtype.kind in NO_NUMBERS:
        raise DataError(f"{name} has {NO_NUMBERS[found.dtype.kind]}")
    return found


def as_doubles(given: Any, name: str) -> Doubles:
    """Read numbers as float64; errors as `as_array`."""
    if type(given) is np.ndarray and given.dtype.kind == "f":  # by far the most frequent: nothing to look at
        return given.astype(np.float64, copy=False)
    found = as_array(given, name)
    if found.dtype.kind in "iu" and found.dtype.itemsize == 8:
        _demand_exact(found, name)
    return found.astype(np.float64, copy=False)


def is_tensor(given: Any) -> bool:
    """Return whether this is a tensor of PyTorch, which is not imported to find that out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def as_number(given: Any) -> float:
    """Read one number; NaN for what is not there. ValueError says what else it is."""
    single = isinstance(given, np.ndarray | np.generic) or is_tensor(given)
    if single and given.ndim == 0 and given is not np.ma.masked:
        given = given.item() if not _is_time(given) else given
    if given is None or given is np.ma.masked or type(given).__name__ in ("NAType", "NaTType"):
        return float("nan")
    if isinstance(given, int):
        return _whole(given)
    if isinstance(given, float | np.floating | Decimal | Fraction):  # longdouble gives itself as its item
        return float(given)
    if isinstance(given, PathLike):  # readers of sounds and pictures give their files
        raise ValueError(
            f"{quoted(Path(given).name)}, a sound or a picture, where numbers are read: columns of a table"
        )
    raise ValueError(f"{quoted(given)}, which is {'complex' if isinstance(given, complex) else 'not a number'}")


def number_of_text(text: str) -> float:
    """Read a number that somebody wrote; ValueError says what else it is, or that float64 would round it."""
    try:
        return _whole(int(text))
    except ValueError as error:
        if _TOO_LONG in str(error):
            raise
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a number") from None


def at(index: Sequence[int], shape: Sequence[int]) -> str:
    """Return a place in an array [T] or [T, I], as an error names it."""
    if not index:
        return ""
    step = f" at step {int(index[0]) + 1}"
    return f"{step}, value {int(index[1]) + 1} of {shape[1]}" if len(index) == 2 and shape[1] > 1 else step


def _as_numpy(given: Any, name: str) -> Array:
    """Return anything as an array, which may still have a dtype that is none of numbers."""
    if is_tensor(given):
        return _of_tensor(given, name)
    if isinstance(given, np.ma.MaskedArray):
        return _filled(given)
    if is_table(given):
        return _of_table(given, name)
    if _is_sparse(given):
        raise DataError(f"{name} is a sparse matrix; give it as an array: .toarray()")
    if isinstance(given, list | tuple) and not all(map(_is_plain, set(map(type, given)))):
        return _of_rows(given, name)
    try:
        found = np.asarray(given)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise _unreadable(given, name, error) from error
    rounded = isinstance(given, list | tuple) and found.dtype.kind == "f" and bool((np.abs(found) >= EXACT).any())
    return np.asarray(given, dtype=object) if rounded else found  # NumPy rounds whole numbers beside floats


def _is_plain(kind: type) -> bool:
    return issubclass(kind, _PLAIN) and not issubclass(kind, np.ma.MaskedArray)


def _of_tensor(given: Any, name: str) -> Array:
    if str(given.layout) != "torch.strided":
        raise DataError(f"{name} is a sparse tensor; give it as a dense one: .to_dense()")
    plain = given.detach().cpu().resolve_conj().resolve_neg()
    if plain.is_floating_point() and plain.element_size() < 4:  # NumPy has no bfloat16
        plain = plain.float()
    try:
        found: Array = plain.numpy()
    except (TypeError, RuntimeError) as error:
        raise DataError(f"{name} is a tensor that cannot be read as an array: {_one_line(error)}") from error
    return found


def _filled(given: Any) -> Array:
    """Return a masked array with NaN where it is masked."""
    if not np.ma.getmaskarray(given).any():
        return np.asarray(given)
    found: Array
    if given.dtype.kind in "biuf":
        found = given.astype(np.float64).filled(np.nan)
    else:
        found = np.array(given, dtype=object)
        found[np.ma.getmaskarray(given)] = None
    return found


def _of_table(given: Any, name: str) -> Array:
    columns = [as_doubles(column, f"{name}, column {label!r},") for label, column in columns_by_name(given, name)]
    return np.stack(columns, axis=1) if columns else np.empty((len(given), 0))


def _of_rows(given: Sequence[Any], name: str) -> Array:
    """Return an array of a list whose entries are tensors, masked arrays, decimals, ..."""
    if not any(isinstance(row, _ORDERED) or hasattr(row, "__len__") for row in given):
        found = np.empty(len(given), dtype=object)
        found[:] = given
        return found
    rows = [as_array(row, name) for row in given]
    first = rows[0].shape
    for number, row in enumerate(rows):
        if row.shape != first:
            raise _ragged(name, number, _size(row), _size(rows[0]))
    return np.stack(rows)


def _of_objects(found: Array, name: str) -> Array:
    """Read the numbers of an array of Python's objects; NaN for those that are not there."""
    if found.ndim == 1 and any(isinstance(row, _ORDERED) for row in found):
        return _of_rows(list(found), name)
    numbers = np.empty(found.shape)
    for index, value in np.ndenumerate(found):
        try:
            numbers[index] = as_number(value)
        except ValueError as error:
            raise DataError(f"{name} has{at(index, found.shape)} {error}") from None
    return numbers


def _unreadable(given: Any, name: str, error: Exception) -> DataError:
    """Return the error of something that NumPy makes no array of: mostly a list whose rows differ in length."""
    rows = list(given) if isinstance(given, list | tuple) else []
    sizes = [_size(row) for row in rows]
    number = next((at for at, size in enumerate(sizes) if size != sizes[0]), None)
    if number is None and any(
        isinstance(value, _ORDERED) for row in rows if isinstance(row, _ORDERED) for value in row
    ):
        return DataError(f"{name} is ragged: a step has lists of different lengths; a sequence is [T, I]")
    if number is None:
        return DataError(f"{name} cannot be read as an array of numbers: {_one_line(error)}")
    return _ragged(name, number, sizes[number], sizes[0])


def _ragged(name: str, number: int, size: int, first: int) -> DataError:
    return DataError(
        f"{name} is ragged: step {number + 1} has {size} number{'s' * (size != 1)}, and step 1 has {first}; every step "
        "of a sequence has equally many"
    )


def _size(row: Any) -> int:
    return len(row) if hasattr(row, "__len__") and getattr(row, "ndim", None) != 0 else 1


def _whole(value: int) -> float:
    """Return a whole number that float64 holds as it is; ValueError for any other."""
    try:
        found = float(value)
    except OverflowError:
        found = float("nan")
    if found != value:
        raise ValueError(f"the whole number {quoted(value)}, {_TOO_LONG}")
    return found


_TOO_LONG = (
    "which a 64-bit floating-point number would round: subtract what the numbers have in common first, or divide them"
)


def _demand_exact(found: Array, name: str) -> None:
    """Refuse whole numbers that need more than the 53 bits of a float64."""
    size = np.where(found < 0, -found, found).astype(np.uint64)  # of the least int64 too: it wraps around twice
    if not found.size or int(size.max()) < EXACT:
        return
    lowest = np.maximum(size & (~size + np.uint64(1)), np.uint64(1))  # the lowest bit that is set
    wrong = np.argwhere(size // lowest >= EXACT)
    if len(wrong):
        index = tuple(int(place) for place in wrong[0])
        raise DataError(f"{name} has{at(index, found.shape)} the whole number {int(found[index])}, {_TOO_LONG}")


def _is_time(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m")


def _is_sparse(given: Any) -> bool:
    return hasattr(given, "tocsr") or hasattr(given, "todense")


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
