"""The table of kinds of files, and telling the kind of a file by its ending and its first bytes."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import NamedTuple

from loopcell.data.readers.archive import read_arff, read_ts, read_ucr
from loopcell.data.readers.arrays import idx_rows, npy_rows, read_npz
from loopcell.data.readers.columnar import read_arrow, read_parquet
from loopcell.data.readers.delimited import Delimited, is_number
from loopcell.data.readers.opening import head, plain_name
from loopcell.data.readers.plain import read_fasta, read_json_lines, read_lines
from loopcell.data.readers.reading import FileRows, Reader, Reading, one_column, reader_of
from loopcell.data.readers.records import file_origin
from loopcell.errors import DataError, UsageError

MAGIC_BYTES = 16  # of a binary file: there may be a million images in a folder
TEXT_BYTES = 1 << 16  # of a text
LONGEST_NAME = 4096  # of a file with its folders, in characters


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        name: what the user calls it.
        endings: the endings of its names.
        magics: patterns for its first bytes; none for a kind of text.
        reader: what opens it.
    """

    name: str
    endings: tuple[str, ...]
    magics: tuple[bytes, ...]
    reader: Reader


def read_path(path: Path, _reading: Reading) -> FileRows:
    """A file of sound or an image: one row with its `path`; what makes features of it opens it."""
    return one_column("path", iter([(file_origin(path), path)]))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("csv", (".csv",), (), Delimited()),
        Kind("tsv", (".tsv", ".tab"), (), Delimited(delimiter="\t")),
        Kind("uci", (".data",), (), Delimited(header=False, strip=True)),  # the repository's habit: no header
        Kind("jsonl", (".jsonl", ".ndjson"), (), read_json_lines),
        Kind("text", (), (), read_lines),
        Kind("fasta", (".fasta", ".fa", ".fna", ".faa"), (), read_fasta),
        Kind("ts", (".ts",), (), read_ts),
        Kind("arff", (".arff",), (), read_arff),
        Kind("ucr", (), (), read_ucr),
        Kind("parquet", (".parquet", ".pq"), (b"PAR1",), read_parquet),
        Kind("arrow", (".arrow", ".feather", ".ipc"), (b"ARROW1", b"\xff\xff\xff\xff"), read_arrow),
        Kind("npz", (".npz",), (b"PK\x03\x04",), read_npz),
        Kind("npy", (".npy",), (b"\x93NUMPY",), reader_of("values", npy_rows)),
        Kind("idx", (".idx",), (rb"\x00\x00[\x08\x09\x0b-\x0e][\x01-\x08]",), reader_of("values", idx_rows)),
        Kind("audio", (".wav", ".flac", ".ogg"), (b"RIFF....WAVE", b"fLaC", b"OggS"), read_path),
        Kind("image", (".png", ".jpg", ".jpeg"), (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"), read_path),
    )
}
_MEDIA = tuple(ending for kind in KINDS.values() if kind.reader is read_path for ending in kind.endings)


def names_sound_or_image(text: str) -> bool:
    """Whether a text is the name of a sound or an image that is there; its bytes are not looked at."""
    if len(text) > LONGEST_NAME or not text.lower().endswith(_MEDIA):
        return False
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def kind_named(name: str) -> Kind:
    """The kind of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
        raise UsageError(f"unknown kind of file {name!r}: {hint}")
    return KINDS[name]


def kind_of(path: Path) -> Kind:
    """The kind of a file, by its ending and its first bytes; text of no known ending also by its first lines.

    Raises:
        DataError: the file cannot be read, is empty, or its ending and its first bytes say different things.
    """
    ending = plain_name(path).suffix.lower()
    by_ending = next((kind for kind in KINDS.values() if ending in kind.endings), None)
    first = head(path, MAGIC_BYTES if by_ending and by_ending.magics else TEXT_BYTES)
    by_bytes = next((kind for kind in KINDS.values() if _begins(first, kind)), None)
    if by_ending is None:
        return by_bytes or KINDS[_kind_of_text(first)]
    if by_bytes is not by_ending and (by_bytes or by_ending.magics):
        found = f"those of {by_bytes.name}" if by_bytes else f"{first[:8].hex(' ')}, not those of {by_ending.name}"
        raise DataError(
            f"{path} ends in {ending}, but its first bytes are {found}; give it its right ending, or say kind=..."
        )
    return _archive_kind(by_ending, first, path)


def _begins(first: bytes, kind: Kind) -> bool:
    return any(re.match(magic, first, re.DOTALL) for magic in kind.magics)


def _archive_kind(kind: Kind, first: bytes, path: Path) -> Kind:
    """UCR's archive names its tables `NAME_TRAIN.tsv` and `NAME_TEST.tsv`, and gives them neither header nor names."""
    named = plain_name(path).stem.upper().endswith(("_TRAIN", "_TEST"))
    return KINDS["ucr"] if kind.name == "tsv" and named and _all_numbers(_first_lines(first)) else kind


def _kind_of_text(first: bytes) -> str:
    """The kind of a text by its first lines; what is not clearly something else is text."""
    lines = _first_lines(first)
    start = next((line.strip().lower() for line in lines if line.strip() and line.strip()[0] not in "#%"), "")
    for begin, name in ((">", "fasta"), ("@relation", "arff"), ("@problemname", "ts")):
        if start.startswith(begin):
            return name
    if start.startswith("{") and start.endswith("}"):
        return "jsonl"
    if _all_numbers(lines):
        return "ucr"
    tabs = {line.count("\t") for line in lines}
    return "tsv" if len(tabs) == 1 and tabs != {0} else "text"


def _first_lines(first: bytes) -> list[str]:
    """Up to 20 lines of the beginning, the last one only if it is whole; what is not UTF-8 does not matter here."""
    parts = first.decode("utf-8-sig", "replace").split("\n")
    whole = parts[:-1] if len(parts) > 1 else parts
    return [line for line in whole[:20] if line.strip()]


def _all_numbers(lines: list[str]) -> bool:
    """Whether the lines look like UCR's: three numbers and more in each."""
    cells = [re.split(r"[,\s]+", line.strip()) for line in lines]
    return bool(cells) and all(len(row) >= 3 and all(map(is_number, row)) for row in cells)
