"""Folders: of class folders (a file is an example of the class that its folder names), or of files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from loopcell.data.readers.kinds import kind_of
from loopcell.data.readers.opening import plain_name
from loopcell.data.readers.plain import read_lines
from loopcell.data.readers.reading import FileRows, Reader, Reading, guarded, one_column
from loopcell.data.readers.records import Record, Records, file_origin
from loopcell.data.text.source import unreadable
from loopcell.errors import DataError


class FolderRecords(Records):
    """The rows of a folder's files, in the order of their names.

    If it has folders, each of them is a class: column `label` has its name, and a text file is one row with all
    of its text. Else the files are read one after the other, and column `file` has the name without its endings
    (`names/Korean.txt` gives `Korean`). Hidden files are left out and counted.
    """

    def __init__(self, folder: Path, reader: Reader | None, reading: Reading) -> None:
        """List the folder; DataError when it has no files, or both files and folders."""
        super().__init__()
        self._folder, self._reader, self._reading = folder, reader, reading
        self._hidden: list[Path] = []
        self._files = self._list()
        self._by_class = self._files[0].parent != folder
        self._added = "label" if self._by_class else "file"

    def __str__(self) -> str:
        return str(self._folder)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the first file, and `label` or `file`."""
        return (*self._open(self._files[0], self._reading).columns, self._added)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many files there are, and of how many classes."""
        if not self._by_class:
            return (f"{self._folder}: {len(self._files):,} files",)
        classes = len({self._class(path) for path in self._files})
        return (f"{self._folder}: {len(self._files):,} files in {classes:,} class folders",)

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order, as `Records.read`."""
        self.skipped.clear()
        for path in self._hidden:
            self.skipped.add("hidden files", str(path))
        reading = Reading(self._reading.encoding, columns, self._reading.skip_bad_rows, self.skipped)
        return chain.from_iterable(self._rows(path, reading) for path in self._files)

    def _rows(self, path: Path, reading: Reading) -> Iterator[Record]:
        added = self._class(path) if self._by_class else plain_name(path).stem
        for record in self._open(path, reading).rows:
            if self._added in record.values:
                raise DataError(
                    f"{record.origin}: the file has a column {self._added!r}, which its place in the folder gives"
                )
            yield Record({**record.values, self._added: added}, record.origin)

    def _open(self, path: Path, reading: Reading) -> FileRows:
        reader = self._reader or kind_of(path).reader
        return guarded(path, _whole_text if reader is read_lines and self._by_class else reader, reading)

    def _class(self, path: Path) -> str:
        return path.relative_to(self._folder).parts[0]

    def _is_hidden(self, path: Path) -> bool:
        return any(part.startswith(".") for part in path.relative_to(self._folder).parts)

    def _list(self) -> list[Path]:
        try:
            found = sorted(path for path in self._folder.rglob("*") if path.is_file())
        except OSError as error:
            raise unreadable(self._folder, error) from error
        self._hidden = [path for path in found if self._is_hidden(path)]
        files = [path for path in found if not self._is_hidden(path)]
        if not files:
            raise DataError(f"the folder {self._folder} has no files")
        loose = next((path for path in files if path.parent == self._folder), None)
        inside = next((path for path in files if path.parent != self._folder), None)
        if loose and inside:
            raise DataError(
                f"the folder {self._folder} has both files ({loose.name}) and folders ({self._class(inside)}): "
                "class folders stand alone"
            )
        return files


def _whole_text(path: Path, reading: Reading) -> FileRows:
    rows = read_lines(path, reading).rows
    text = (("\n".join(record.values["text"] for record in rows)) for _ in range(1))
    return one_column("text", ((file_origin(path, 1), value) for value in text))
