"""Predictions as files: JSON lines, CSV, TSV or Parquet, whole or not at all.

JSON lines have an object for each example, with what belongs together inside. Tables have plain columns: a probability
each (`p_CLASS`), and a row for each step where steps have labels.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer

from loopcell.cli.reporting import say_note
from loopcell.cli.standard_input import STANDARD
from loopcell.errors import DataError, UsageError, quoted

FORMS = ("jsonl", "csv", "tsv", "parquet")
ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".pq": "parquet"}
DELIMITERS = {"csv": ",", "tsv": "\t"}
PACKED = (".gz", ".zst")
ROWS_AT_ONCE = 1024
LAST_ROW = "last_row"  # of a sequence

Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "--out", "-o", help="The file to write; else standard output.")
]
Form: TypeAlias = Annotated[
    str | None,
    typer.Option("--format", help="What is written: jsonl, csv, tsv or parquet; else by the file's ending, or jsonl."),
]
Row = dict[str, Any]
_TIME = re.compile(r"(?P<day>\d{4,}-\d\d-\d\d)(?P<clock> \d\d:\d\d(?::\d\d)?)?(?P<offset>[+-]\d\d:\d\d(?::\d\d)?)?")


class PredictedRow(NamedTuple):
    """The prediction of one example, or of one step of a series.

    Attributes:
        place: what it is told by: its file and row, its unit, the columns that are carried over.
        found: what the model says.
        each_step: whether `labels` has one for each step.
        steps: the file and row of each step, where steps are rows; a table has these in place of the first and last.
    """

    place: Row
    found: Row
    each_step: bool = False
    steps: tuple[Row, ...] = ()


def form_of(output: Path | None, named: str | None) -> str:
    """Return the form of predictions: as named, else by the ending of their file, else JSON lines.

    Raises:
        UsageError: there is no such form, or Parquet is asked for and no file is named.
    """
    if named is not None and named not in FORMS:
        raise UsageError(f"--format is one of {', '.join(FORMS)}, got {quoted(named, 40)}")
    form = named or ("jsonl" if output is None else ENDINGS.get(_plain(output).suffix.lower(), "jsonl"))
    if form == "parquet" and (output is None or output == STANDARD):
        raise UsageError("Parquet is no text: name a file for it (--output)")
    if form == "parquet" and output is not None and _plain(output) != output:
        raise UsageError(f"{output}: Parquet packs its columns itself; leave out {output.suffix}")
    return form


def write(predictions: Iterable[PredictedRow], output: Path | None, form: str) -> None:
    """Write predictions, to standard output where no file is named; errors as reading them, and FileWriteError."""
    if form == "parquet":
        assert output is not None
        _write_parquet(predictions, output)
        return
    lines = _csv_lines(predictions, DELIMITERS[form]) if form in DELIMITERS else map(_json_line, predictions)
    if output is None or output == STANDARD:
        sys.stdout.writelines(lines)
    else:
        _write_lines(lines, output)


def _plain(output: Path) -> Path:
    return output.with_suffix("") if output.suffix.lower() in PACKED else output


# --- rows ----------------------------------------------------------------------------------------------------------


def _json_line(prediction: PredictedRow) -> str:
    place, found = _named_apart(prediction, prediction.found)[:2]
    there = {name: value for name, value in (place | found).items() if value is not None or name in place}
    return json.dumps(there, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _rows(prediction: PredictedRow) -> Iterator[Row]:
    """Yield the rows of a prediction in a table: one, or one for each step."""
    found = prediction.found
    if not prediction.each_step or not isinstance(found.get("labels"), list):
        flat = _flat(found)
        yield _named_apart(prediction, flat).place | flat
        return
    for step, label in enumerate(found["labels"]):
        flat = {"step": step + 1} | _flat({"label": label})
        place = _named_apart(prediction, flat).place
        own = {name: _of_step(value, step) for name, value in place.items()}
        if step < len(prediction.steps):
            own = {name: value for name, value in (own | prediction.steps[step]).items() if name != LAST_ROW}
        yield own | flat


def _flat(found: Mapping[str, Any]) -> Row:
    """Return plain cells: of probabilities one each, of several numbers one each, of others their JSON."""
    flat: Row = {}
    for name, value in found.items():
        if name == "probabilities":
            flat |= {f"p_{label}": share for label, share in value.items()}
        elif name == "values":
            flat |= {f"value_{at}": one for at, one in enumerate(value, 1)}
        elif isinstance(value, dict) and name == "label":  # of several columns
            flat |= {f"label_{column}": _cell(label) for column, label in value.items()}
        elif name != "probability" or "probabilities" not in found:  # the largest of all that are there
            flat[name] = _cell(value)
    return flat


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict | tuple) else value


def _of_step(value: Any, step: int) -> Any:
    """Return the cell of one step of what was carried over of each step; anything else as it is."""
    return value[step] if isinstance(value, list) and step < len(value) else value


def _named_apart(prediction: PredictedRow, found: Row) -> PredictedRow:
    """Return a prediction in which no column that was carried over hides one of the model, and say so."""
    both = [name for name in prediction.place if name in found]
    if not both:
        return prediction
    for name in both:
        say_note(f"the column {name} of the input is written as input_{name}: predictions have one of that name")
    place = {f"input_{name}" if name in both else name: value for name, value in prediction.place.items()}
    return prediction._replace(place=place)


# --- tables --------------------------------------------------------------------------------------------------------


def _even_times(block: list[PredictedRow]) -> Iterator[PredictedRow]:
    """Yield predictions with times in one form, by which programs know a column of times: of hours, midnight has them.

    As a line of JSON has it, a time is as short as it can be.
    """
    found = [_TIME.fullmatch(one.found["time"]) if isinstance(one.found.get("time"), str) else None for one in block]
    clocks = {len(time["clock"] or "") for time in found if time is not None}
    tail = " 00:00:00"[: max(clocks, default=0)] if len(clocks) > 1 else ""
    for one, time in zip(block, found, strict=True):
        if time is None or not tail or len(time["clock"] or "") >= len(tail):
            yield one
        else:
            clock = (time["clock"] or "") + tail[len(time["clock"] or "") :]
            yield one._replace(found=one.found | {"time": time["day"] + clock + (time["offset"] or "")})


def _blocks(predictions: Iterable[PredictedRow]) -> Iterator[tuple[list[str], list[Row]]]:
    """Yield rows in blocks, with the columns, which are those of the first block."""
    from loopcell.data.readers.blocks import in_blocks

    names: list[str] = []
    even = chain.from_iterable(map(_even_times, in_blocks(predictions, ROWS_AT_ONCE)))
    for block in in_blocks(chain.from_iterable(map(_rows, even)), ROWS_AT_ONCE):
        names = names or list(dict.fromkeys(name for row in block for name in row))
        for row in block:
            if not row.keys() <= set(names):
                other = next(name for name in row if name not in names)
                raise DataError(f"a prediction has a column {quoted(other, 40)} that those before it have not")
        yield names, block


def _csv_lines(predictions: Iterable[PredictedRow], delimiter: str) -> Iterator[str]:
    buffer, begun = io.StringIO(), False
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    for names, block in _blocks(predictions):
        if not begun:
            writer.writerow(names)
        begun = True
        writer.writerows([_as_text(row.get(name)) for name in names] for row in block)
        yield from buffer.getvalue().splitlines(keepends=True)
        buffer.seek(0)
        buffer.truncate()


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _write_lines(lines: Iterator[str], output: Path) -> None:
    """Write lines to a file, packed as its ending says; where they end in an error or with Ctrl-C, say so."""
    from loopcell.data.readers.opening import create_bytes
    from loopcell.files import write_in_parts

    with write_in_parts(output) as part:
        try:
            with create_bytes(part, output) as file:
                file.writelines(line.encode() for line in lines)
        except BaseException:
            _tell_kept(part, packed=_plain(output) != output)
            raise


def _tell_kept(part: Path, *, packed: bool) -> None:
    with part.open("rb") as file:
        count = 0 if packed else sum(line.endswith(b"\n") for line in file)
    if not count:
        part.unlink()
        return
    rows = f"first {count:,} rows are" if count > 1 else "first row is"
    say_note(f"the {rows} in {part}")


def _write_parquet(predictions: Iterable[PredictedRow], output: Path) -> None:
    from loopcell.files import atomic_write
    from loopcell.files.extras import require

    pyarrow = require("pyarrow", "data", "Parquet files need")
    parquet = require("pyarrow.parquet", "data", "Parquet files need")
    blocks = _blocks(predictions)
    names, first = next(blocks, ([], []))
    schema = pyarrow.schema([(name, _type_of(pyarrow, [row.get(name) for row in first])) for name in names])
    with atomic_write(output) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for _, block in chain([(names, first)], blocks):
            writer.write_table(_as_arrow(pyarrow, schema, block))


def _type_of(pyarrow: Any, cells: list[Any]) -> Any:
    """Return the type of a column by its first cells: text, where they are not there or of several types."""
    try:
        found = pyarrow.array(cells).type
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.string()
    return pyarrow.string() if pyarrow.types.is_null(found) else found


def _as_arrow(pyarrow: Any, schema: Any, block: list[Row]) -> Any:
    columns = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        cells = [row.get(name) for row in block]
        if pyarrow.types.is_string(kind):
            cells = [None if cell is None else str(cell) for cell in cells]
        try:
            columns.append(pyarrow.array(cells, kind))
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
            raise DataError(
                f"the column {quoted(name, 40)} begins with values of type {kind}, and has others later ({error}); "
                "write CSV or JSON lines"
            ) from error
    return pyarrow.Table.from_arrays(columns, schema=schema)
