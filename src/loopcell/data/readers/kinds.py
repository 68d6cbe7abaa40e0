"""The table of kinds of files, and telling the kind of a file by its ending and its first bytes."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import NamedTuple

from loopcell.data.readers.archive import read_arff, read_ts, read_ucr
from loopcell.data.readers.arrays import idx_rows, npy_rows, read_npz
from loopcell.data.readers.columnar import read_arrow, read_parquet
from loopcell.data.readers.delimited import Delimited
from loopcell.data.readers.guesses import (
    Guess,
    all_numbers,
    beginning,
    first_lines,
    guess_text,
    in_archive,
    refuse_foreign,
)
from loopcell.data.readers.matlab import read_mat
from loopcell.data.readers.opening import head, plain_name
from loopcell.data.readers.plain import read_fasta, read_json_lines, read_lines
from loopcell.data.readers.reading import FileRows, Reader, Reading, one_column, reader_of
from loopcell.data.readers.records import file_origin
from loopcell.data.readers.tsf import read_tsf
from loopcell.data.readers.whole_lines import of_line_ends
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
    """Return a file of sound or an image: one row with its `path`; what makes features of it opens it."""
    return one_column("path", iter([(file_origin(path), path)]))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("csv", (".csv",), (), Delimited()),
        Kind("tsv", (".tsv", ".tab"), (), Delimited(delimiter="\t")),
        Kind("uci", (".data",), (), Delimited(strip=True, usual_header=False)),  # the repository's habit
        Kind("jsonl", (".jsonl", ".ndjson"), (), read_json_lines),
        Kind("text", (), (), read_lines),
        Kind("fasta", (".fasta", ".fa", ".fna", ".faa"), (), read_fasta),
        Kind("ts", (".ts",), (), read_ts),
        Kind("tsf", (".tsf",), (), read_tsf),
        Kind("arff", (".arff",), (), read_arff),
        Kind("ucr", (), (), read_ucr),
        Kind("parquet", (".parquet", ".pq"), (b"PAR1",), read_parquet),
        Kind("arrow", (".arrow", ".feather", ".ipc"), (b"ARROW1", b"\xff\xff\xff\xff"), read_arrow),
        Kind("npz", (".npz",), (b"PK\x03\x04",), read_npz),
        Kind("npy", (".npy",), (b"\x93NUMPY",), reader_of("values", npy_rows)),
        Kind("idx", (".idx",), (rb"\x00\x00[\x08\x09\x0b-\x0e][\x01-\x08]",), reader_of("values", idx_rows)),
        Kind("mat", (".mat",), (b"MATLAB ",), read_mat),
        Kind("audio", (".wav", ".flac", ".ogg"), (b"RIFF....WAVE", b"fLaC", b"OggS"), read_path),
        Kind("image", (".png", ".jpg", ".jpeg"), (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"), read_path),
    )
}
_MEDIA = tuple(ending for kind in KINDS.values() if kind.reader is read_path for ending in kind.endings)


def names_sound_or_image(text: str) -> bool:
    """Return whether a text is the name of a sound or an image that is there; its bytes are not looked at."""
    if len(text) > LONGEST_NAME or not text.lower().endswith(_MEDIA):
        return False
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def kind_named(name: str) -> Kind:
    """Return the kind of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
        raise UsageError(f"unknown kind of file {name!r}: {hint}")
    return KINDS[name]


def kind_of(path: Path) -> Kind:
    """Return the kind of a file, by its ending and its first bytes; text of no known ending also by its first lines.

    Raises:
        DataError: the file cannot be read, is empty, its ending and its first bytes say different things, or it is of
            a kind that is not read.
    """
    return look_at(path).kind


class Look(NamedTuple):
    """A guess at the kind of a file.

    Attributes:
        kind: its kind.
        guess: where that was guessed by the lines of a text, what was guessed and why; else None.
        notes: what else the user should know of how it is read.
    """

    kind: Kind
    guess: Guess | None = None
    notes: tuple[str, ...] = ()


def look_at(path: Path) -> Look:
    """Find the kind of a file; errors as `kind_of`."""
    name = plain_name(path)
    ending = name.suffix.lower()
    by_ending = next((kind for kind in KINDS.values() if ending in kind.endings), None)
    first = head(path, MAGIC_BYTES if by_ending and by_ending.magics else TEXT_BYTES)
    by_bytes = next((kind for kind in KINDS.values() if _begins(first, kind)), None)
    if by_ending is None:
        refuse_foreign(path, name, first)
        if ending == ".json":
            return Look(KINDS["jsonl"])
        return Look(by_bytes) if by_bytes else _by_lines(path, guess_text(name, first), first)
    if by_bytes is not by_ending and (by_bytes or by_ending.magics):
        found = f"those of {by_bytes.name}" if by_bytes else f"{first[:8].hex(' ')}, not those of {by_ending.name}"
        raise DataError(
            f"{path} ends in {ending}, but its first bytes are {found}; give it its right ending, or say kind=..."
        )
    if by_ending.name == "tsv" and in_archive(name) and all_numbers(first_lines(first)):
        return _by_lines(path, Guess("ucr", "its name and its rows of numbers"), first)
    return Look(by_ending, None, () if by_ending.magics else _of_line_ends(path, first))


def _by_lines(path: Path, guess: Guess, first: bytes) -> Look:
    return Look(KINDS[guess.kind], guess, _of_line_ends(path, first))


def _of_line_ends(path: Path, first: bytes) -> tuple[str, ...]:
    note = of_line_ends(beginning(first)) if b"\r" in first else None
    return () if note is None else (f"{path}: {note}",)


def _begins(first: bytes, kind: Kind) -> bool:
    return any(re.match(magic, first, re.DOTALL) for magic in kind.magics)
