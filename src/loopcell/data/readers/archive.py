"""The file formats of the UEA/UCR archive of time-series classification: `.ts`, `.arff`, and rows of numbers.

Every row is one example: `series`, float64 `[T, I]`, and `label`. A missing value (`?`) is NaN; what uses the
series refuses it, or not. Bagnall et al.: The UEA multivariate time series classification archive, 2018
(arXiv 1811.00075), and the format's description in the aeon toolkit.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.lines import lines
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Record, file_origin
from loopcell.errors import DataError

COLUMNS = ("series", "label")
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", re.IGNORECASE)

Parse = Callable[[str], tuple[npt.NDArray[np.float64], str]]


class _BadRowError(Exception):
    """A row that cannot be read, with the reason."""


def read_ts(path: Path, reading: Reading) -> FileRows:
    """Read a `.ts` file: channels between colons, the label last; lengths may vary from row to row."""
    text = enumerate(lines(path, reading.encoding), 1)
    facts: dict[str, str] = {}
    for number, line in text:
        word, _, value = line.strip().partition(" ")
        if word.lower() == "@data":
            break
        if word.startswith("@"):
            facts[word.lower()] = value.strip()
        elif word and not word.startswith("#"):
            raise DataError(
                f"{path} line {number} is not a header of .ts: it begins with {word[:20]!r}, not with @ or #"
            )
    else:
        raise DataError(f"{path} is not .ts: it has no line @data")
    if facts.get("@timestamps", "false").lower() == "true":
        raise DataError(f"{path} has a time stamp beside every value, which is not read; only its values can be used")
    labelled = not facts.get("@classlabel", facts.get("@targetlabel", "true")).lower().startswith("false")
    columns = COLUMNS if labelled else COLUMNS[:1]
    return FileRows(columns, _rows(path, text, reading, lambda line: _ts_row(line, labelled)))


def read_ucr(path: Path, reading: Reading) -> FileRows:
    """Read rows of numbers, the label first, then the series; NaN at a row's end says that it is shorter."""
    return FileRows(COLUMNS, _rows(path, enumerate(lines(path, reading.encoding), 1), reading, _ucr_row))


def read_arff(path: Path, reading: Reading) -> FileRows:
    """Read an `.arff` file: a series per row, of numeric attributes or one relational one, a nominal label last."""
    text = enumerate(lines(path, reading.encoding), 1)
    kinds, inside = list[str](), False
    for number, line in text:
        word = line.strip().partition(" ")[0].lower()
        if word == "@data":
            break
        inside = inside and word != "@end"
        found = _ATTRIBUTE.match(line.strip())
        if found and not inside:
            kinds.append(found[2].strip().lower())
            inside = kinds[-1].startswith("relational")
        elif word and not word.startswith(("%", "@")):
            raise DataError(
                f"{path} line {number} is not a header of arff: it begins with {word[:20]!r}, not with @ or %"
            )
    else:
        raise DataError(f"{path} is not arff: it has no line @data")
    if len(kinds) < 2 or any(kind.startswith(("string", "date")) for kind in kinds[:-1]):
        raise DataError(
            f"{path} is arff of another sort: read are numeric attributes, or a relational one, and a label"
        )
    parse = _relational_row if kinds[0].startswith("relational") else _flat_row
    return FileRows(COLUMNS, _rows(path, text, reading, lambda line: parse(line, len(kinds))))


def _rows(path: Path, text: Iterator[tuple[int, str]], reading: Reading, parse: Parse) -> Iterator[Record]:
    row = 0
    for number, line in text:
        bare = line.strip()
        if not bare or bare.startswith(("%", "#")):
            continue
        row += 1
        origin = file_origin(path, row, number)
        try:
            series, label = parse(bare)
        except _BadRowError as error:
            reading.bad_row(origin, "rows that are no series", str(error))
            continue
        yield Record({"series": series, "label": label}, origin)


def _ts_row(line: str, labelled: bool) -> tuple[npt.NDArray[np.float64], str]:
    *parts, label = line.split(":") if labelled else [*line.split(":"), ""]
    if not parts:
        raise _BadRowError("it has a label and no series")
    return _together([_numbers(part.split(","), f"channel {at}") for at, part in enumerate(parts, 1)]), label.strip()


def _ucr_row(line: str) -> tuple[npt.NDArray[np.float64], str]:
    label, *cells = re.split(r"[,\s]+", line)
    values = _numbers(cells, "the series")
    known = np.flatnonzero(~np.isnan(values))
    return values[: known[-1] + 1 if len(known) else 0, None], _whole(label)


def _flat_row(line: str, attributes: int) -> tuple[npt.NDArray[np.float64], str]:
    *cells, label = _cells(line)
    if len(cells) + 1 != attributes:
        raise _BadRowError(f"it has {len(cells) + 1} values and there are {attributes} attributes")
    return _numbers(cells, "the series")[:, None], label


def _relational_row(line: str, attributes: int) -> tuple[npt.NDArray[np.float64], str]:
    cells = _cells(line)
    if len(cells) != attributes:
        raise _BadRowError(f"it has {len(cells)} values and there are {attributes} attributes")
    channels = re.split(r"\\n|\n", cells[0])
    return _together([_numbers(part.split(","), f"channel {at}") for at, part in enumerate(channels, 1)]), cells[-1]


def _cells(line: str) -> list[str]:
    """Return the values of an arff row: commas between them, quotes of either sort around them."""
    quote = "'" if line.startswith("'") else '"'
    try:
        cells = next(csv.reader([line], quotechar=quote, skipinitialspace=True))
    except csv.Error as error:
        raise _BadRowError(f"it cannot be split into values ({error})") from error
    return [re.sub(r"^(['\"])(.*)\1$", r"\2", cell.strip()) for cell in cells]


def _numbers(cells: list[str], what: str) -> npt.NDArray[np.float64]:
    if cells == [""]:
        return np.empty(0, np.float64)
    try:
        return np.array([float("nan") if cell.strip() == "?" else float(cell) for cell in cells], np.float64)
    except ValueError as error:
        raise _BadRowError(f"{what} has a value that is no number ({error})") from error


def _together(channels: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    lengths = {len(channel) for channel in channels}
    if len(lengths) > 1:
        raise _BadRowError(f"its channels have different lengths ({min(lengths)} to {max(lengths)} steps)")
    return np.stack(channels, axis=1)


def _whole(label: str) -> str:
    """Write a whole label as an integer: some of UCR's are written as `1.0000000e+00`."""
    try:
        value = float(label)
    except ValueError:
        return label
    return str(int(value)) if value.is_integer() else label
