"""Read what a Parquet file says of its lists, in a process of its own.

PyArrow checks the statistics of a column where Python asks for them, and its C++ has no way to tell Python that they
contradict each other: it ends the process (`std::terminate`, seen with PyArrow 26 at damaged level histograms).
So they are asked for in a process that may end. It costs two or three tenths of a second, for files with lists only: of
other files nothing is asked beyond what reading them asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from loopcell.errors import DataError

SECONDS = 60.0

# The child gets the parent's sys.path, and with it the same PyArrow; -I keeps everything else out.
_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import pyarrow.parquet
metadata = pyarrow.parquet.read_metadata(sys.argv[2])
columns = [at for at in range(metadata.num_columns) if metadata.schema.column(at).max_repetition_level]
for group in range(metadata.num_row_groups):
    for at in columns:
        chunk = metadata.row_group(group).column(at)
        print(json.dumps([chunk.path_in_schema, chunk.num_values, chunk.total_compressed_size]))
"""


class ListChunk(NamedTuple):
    """A file's figures for a column of lists in one of its row groups.

    Attributes:
        column: its name.
        values: how many values all of its lists have.
        compressed: bytes of it in the file.
    """

    column: str
    values: int
    compressed: int


def list_chunks(path: Path) -> Iterator[ListChunk]:
    """Read the sizes of a Parquet file's lists.

    Raises:
        DataError: the file's own description of them is damaged.
    """
    asked = [_interpreter(path), "-I", "-c", _CHILD, json.dumps(sys.path), str(path)]
    try:
        # The path is an argument of its own: no shell reads it.
        child = subprocess.run(asked, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path} is damaged: its description of its lists was not read in {SECONDS:.0f} s") from error
    if child.returncode:
        why = "PyArrow ended at it" if child.returncode < 0 else "PyArrow refuses it"
        raise DataError(f"{path} is damaged: its description of its lists contradicts itself ({why})")
    for line in child.stdout.splitlines():
        yield ListChunk(*json.loads(line))


def _interpreter(path: Path) -> str:
    """Return the command of this Python.

    Raises:
        DataError: there is none, as in a program that was frozen with its libraries, which would start itself anew.
    """
    if getattr(sys, "frozen", False) or not sys.executable:
        raise DataError(f"{path}: Parquet with lists needs a Python interpreter, which this program has not")
    return sys.executable
