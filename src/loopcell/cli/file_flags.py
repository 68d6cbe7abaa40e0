"""The flags of files: how their text is read, and which columns they have."""

from __future__ import annotations

from pathlib import Path

from loopcell.cli.flags import Flag
from loopcell.cli.values import parse_delimiter
from loopcell.tasks.core.from_files.config import FileExamples

INPUT = Flag(
    "--input --text",
    FileExamples,
    "input",
    str,
    "The column of the sequences. Several, a,b,c, have numbers: those of a step, or the steps of a row.",
)
LABEL = Flag("--label --target", FileExamples, "target", str, "The column of what is to be learned.")
SEPARATOR = Flag("--label-separator", FileExamples, "separator", str, "What stands between several labels of a cell.")

STEPS = (
    Flag("--by", FileExamples, "by", str, "Rows are steps; a sequence ends where this column changes."),
    Flag("--window", FileExamples, "window", int, "Rows are steps; the most of them in a sequence."),
)

VECTORS = (
    Flag("--vectors", FileExamples, "vectors", Path, "Word vectors to begin with: a model, or a file of word2vec."),
    Flag("--frozen", FileExamples, "frozen", bool, "Leave these vectors as they are."),
)

READING = (
    Flag("--encoding", FileExamples, "encoding", str, "Of text files: utf-8, cp949 (Korean of Windows), latin-1, ..."),
    Flag("--kind", FileExamples, "kind", str, "csv, tsv, jsonl, text, ..., where a file does not look like its kind."),
    Flag("--header/--no-header", FileExamples, "header", bool, "Whether line 1 of a table has the columns' names."),
    Flag(
        "--delimiter",
        FileExamples,
        "delimiter",
        str,
        "What stands between the cells of a table: , ; tab, ..., or blanks.",
        parse_delimiter,
    ),
    Flag("--quote", FileExamples, "quote", str, "What encloses a cell of a table; '' where quotes are text."),
)
