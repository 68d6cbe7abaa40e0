"""The kind of a text by its first lines, where its ending does not say it; and files that are of no kind at all."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from loopcell.data.readers.cells import directive, is_number
from loopcell.errors import DataError

TEXT_ENDINGS = frozenset({".txt", ".text", ".md", ".rst", ".log"})

# Endings of files that are not read, what they are, and what to do.
NOT_READ = {
    (".xlsx", ".xls", ".xlsm", ".ods"): ("a spreadsheet", "save its sheet as CSV"),
    (".h5", ".hdf5", ".hdf", ".nc"): ("HDF5", "open it in Python, and save its arrays with numpy.savez"),
    (".pkl", ".pickle", ".joblib", ".pt", ".pth"): (
        "a pickle, which could run code and is never opened",
        "save what is in it as .npz, Parquet or JSON lines",
    ),
    (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz"): ("an archive", "unpack it first, or pack it as .gz"),
    (".mp3", ".m4a", ".aac", ".wma"): ("a sound of a kind", "convert it to .wav or .flac"),
    (".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic"): ("an image of a kind", "convert it to .png or .jpg"),
    (".pdf", ".doc", ".docx", ".odt", ".rtf"): ("a document", "save its text as .txt"),
    (".sav", ".dta", ".sas7bdat", ".rds", ".rdata"): ("a table of a statistics program", "save it as CSV"),
    (".sqlite", ".sqlite3", ".db", ".mdb"): ("a database", "save the table as CSV or Parquet"),
}
HDF5 = b"\x89HDF\r\n\x1a\n"

_RESIDUES = re.compile(r"[A-IK-NP-Z*\-]+|[acgturyswkmbdhvn\-]+")  # of amino acids or nucleotides
_TITLE = re.compile(r">[^\s>].*")
_LEAST_RESIDUES = 4  # of a sequence
_ARCHIVE_NAME = re.compile(r".*_(TRAIN|TEST)", re.IGNORECASE)


class Guess(NamedTuple):
    """A guess at the kind of a text.

    Attributes:
        kind: the name of the kind.
        why: what says so; "" where the ending does.
        instead: what it might be, and is not taken for; "" for nothing.
    """

    kind: str
    why: str = ""
    instead: str = ""


def guess_text(name: Path, first: bytes) -> Guess:
    """Return the kind of a text that has no ending of a kind, by several of its first lines.

    A text ending (`.txt`, `.md`, ...) stands against what a few lines of any text may look like by chance: sequences
    and rows of numbers.
    """
    lines = first_lines(first)
    fitting = [look for look in _LOOKS if look.fits(lines)]
    by_chance = {"fasta"} if in_archive(name) else {"fasta", "ucr"}
    doubtful = by_chance if name.suffix.lower() in TEXT_ENDINGS else set()
    found = next((look for look in fitting if look.kind not in doubtful), None)
    if found is not None:
        return Guess(found.kind, found.why)
    instead = fitting[0].kind if fitting else "ucr" if all_numbers(lines) else ""
    return Guess("text", instead=instead)


def in_archive(name: Path) -> bool:
    """Return whether a file is named as in UCR's archive, `NAME_TRAIN` or `NAME_TEST`: no header and no names."""
    return _ARCHIVE_NAME.fullmatch(name.stem) is not None


def beginning(first: bytes) -> str:
    """Return the text that a file's first bytes are; what is not UTF-8 does not matter here."""
    marked = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return first.decode("utf-16" if marked else "utf-8-sig", "replace")


def first_lines(first: bytes) -> list[str]:
    """Return up to 20 lines of the beginning, the last one only if it is whole; what is not UTF-8 is no matter here."""
    text = beginning(first)
    parts = (text if "\n" in text[:-1] else text.replace("\r", "\n")).split("\n")
    whole = parts[:-1] if len(parts) > 1 else parts
    return [line.rstrip("\r") for line in whole[:20] if line.strip()]


def all_numbers(lines: list[str]) -> bool:
    """Return whether the lines look like UCR's: three numbers and more in each."""
    cells = _number_cells(lines)
    return bool(cells) and all(len(row) >= 3 and all(map(is_number, row)) for row in cells)


def refuse_foreign(path: Path, name: Path, first: bytes) -> None:
    """Refuse what is known to be of no kind that is read; DataError says what it is, and what to do."""
    ending = ".h5" if first.startswith(HDF5) and name.suffix.lower() != ".mat" else name.suffix.lower()
    found = next((words for endings, words in NOT_READ.items() if ending in endings), None)
    if found:
        raise DataError(f"{path} is {found[0]}, which is not read: {found[1]}")
    if ending == ".json" and not _json_lines(first_lines(first)):
        raise DataError(f"{path} is JSON, but not one object per line; write it so (jq -c '.[]'), as .jsonl")


def _number_cells(lines: list[str]) -> list[list[str]]:
    return [re.split(r"[,\s]+", line.strip()) for line in lines]


def _labelled_numbers(lines: list[str]) -> bool:
    """Recognise rows of numbers whose first one may be a class: whole in each row."""
    return all_numbers(lines) and all(float(row[0]).is_integer() for row in _number_cells(lines))


def _fasta(lines: list[str]) -> bool:
    """Recognise titles with sequences of nucleotides or amino acids; a reply in a mail has blanks."""
    lines = [line.strip() for line in lines if not line.startswith(";")]
    if not lines or not _TITLE.fullmatch(lines[0]):
        return False
    residues = [line for line in lines if not line.startswith(">")]
    return (
        all(_TITLE.fullmatch(line) for line in lines if line.startswith(">"))
        and all(_RESIDUES.fullmatch(line) for line in residues)
        and sum(map(len, residues)) >= _LEAST_RESIDUES * (len(lines) - len(residues))
    )


def _begins(lines: list[str], word: str) -> bool:
    start = next((line.strip().lower() for line in lines if line.strip()[0] not in "#%"), "")
    return start.startswith(word)


def _json_lines(lines: list[str]) -> bool:
    """Recognise an object in the first line, and lines like it after it; a very long line is not there to its end."""
    if not lines or not all(line.startswith("{") for line in lines):
        return False
    try:
        return isinstance(json.loads(lines[0]), dict)
    except (ValueError, RecursionError):
        return len(lines) == 1 and lines[0].startswith('{"') and not lines[0].rstrip().endswith("}")


def _tabs(lines: list[str]) -> bool:
    counts = {line.count("\t") for line in lines}
    return len(counts) == 1 and counts != {0}


class _Look(NamedTuple):
    """The look of the first lines of a kind.

    Attributes:
        kind: its name.
        why: what shows it, in words.
        fits: whether lines look so.
    """

    kind: str
    why: str
    fits: Callable[[list[str]], bool]


_LOOKS = (
    _Look("fasta", "its titles after > and the letters between them", _fasta),
    _Look("arff", "its first line", lambda lines: _begins(lines, "@relation")),
    _Look("ts", "its first line", lambda lines: _begins(lines, "@problemname")),
    _Look("jsonl", "its lines of JSON", _json_lines),
    _Look("csv", "its first line", lambda lines: bool(lines) and directive(lines[0]) is not None),
    _Look("ucr", "its rows of numbers, each of which begins with a whole one", _labelled_numbers),
    _Look("tsv", "its lines with equally many tabs", _tabs),
)
