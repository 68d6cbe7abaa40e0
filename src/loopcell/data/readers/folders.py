"""Folders: of class folders (a file is an example of the class that its folder names), or of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from loopcell.data.readers.choosing import Choice, Chosen
from loopcell.data.readers.opening import plain_name
from loopcell.data.readers.partitions import in_number_order, partition_names, partition_of
from loopcell.data.readers.plain import read_whole
from loopcell.data.readers.reading import FileRows, Reader, Reading, guarded
from loopcell.data.readers.records import Record, Records, block_rows, listed
from loopcell.data.readers.row_block import RowBlock
from loopcell.data.readers.same_columns import demand_same_columns
from loopcell.data.readers.skipped import Skipped
from loopcell.data.text.source import unreadable
from loopcell.errors import DataError

PARTS_OF_TABLES = (".parquet", ".pq", ".arrow", ".feather", ".ipc")


class FolderRecords(Records):
    """The rows of a folder's files, in the order of their names.

    If it has folders, each of them is a class: column `label` has its name, and a text file is one row with all
    of its text, whatever its lines look like. Folders that are named `name=value` are parts of one table, which has a
    column of that name. Else the files are read one after the other, and column `file` has the name without its endings
    (`names/Korean.txt` gives `Korean`). Hidden files are left out and counted.
    """

    def __init__(self, folder: Path, choice: Choice, reading: Reading) -> None:
        """List the folder; DataError when it has no files, or both files and folders."""
        super().__init__()
        self._folder, self._reading = folder, reading
        self._hidden: list[Path] = []
        self._files = self._list()
        self._partitions = partition_names(self._files, folder)
        self._by_class = self._files[0].parent != folder and not self._partitions
        if self._partitions:
            self._files.sort(key=in_number_order)
        self._choice = replace(choice, whole=choice.whole or self._by_class)

    def __str__(self) -> str:
        return str(self._folder)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the first file, and those of its place."""
        return tuple(dict.fromkeys([*self._open_first().columns, *self.placed]))

    @property
    def placed(self) -> tuple[str, ...]:
        """The columns that the place of a file gives: `label`, `file`, or those of the folders' names."""
        return self._partitions or (("label",) if self._by_class else ("file",))

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the number of files and classes, and on how they are read."""
        there, notes = f"{self._folder}: {len(self._files):,} files", self._open_first().notes
        if self._partitions:
            there += f", whose folders give the columns {listed(self._partitions)}"
        if not self._by_class:
            return (there, *notes, *self._chosen.notes)
        classes = len({self._class(path) for path in self._files})
        return (f"{there} in {classes:,} class folders", *notes)

    @property
    def of_whole_texts(self) -> bool:
        """True if the files are texts of which each is one row, by the first of them."""
        return self._reader(0)[1] is read_whole

    @property
    def files(self) -> Sequence[Path]:
        """The folder's files, in order."""
        return self._files

    @property
    def hint(self) -> str:
        """A likely reason why a column is not there, as `Records.hint`."""
        return "" if self._by_class else self._chosen.hint

    def expect(self, names: Sequence[str]) -> None:
        """Tell which columns will be asked for, as `Records.expect`."""
        asked = [name for name in names if name not in self.placed]
        self._reading = replace(self._reading, named=(*self._reading.named, *asked))

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order, as `Records.read`."""
        self.skipped.clear()
        for path in self._hidden:
            self.skipped.add("hidden files", str(path))
        reading = replace(self._reading, columns=columns, skipped=self.skipped)
        return chain.from_iterable(self._rows(at, reading) for at in range(len(self._files)))

    def blocks(self, names: tuple[str, ...]) -> Iterator[RowBlock]:
        """Give some columns of all rows, as `Records.blocks`."""
        self.skipped.clear()
        for path in self._hidden:
            self.skipped.add("hidden files", str(path))
        reading = replace(self._reading, columns=names, skipped=self.skipped)
        for at, path in enumerate(self._files):
            added, found = self._of_place(path), self._of_file(at, reading)
            if found.blocks is None or set(added) & set(found.columns):  # what stands in both places is compared by row
                yield from block_rows(self._rows(at, reading), names)
                continue
            for block in found.blocks:
                placed = {name: [added[name]] * len(block) for name in names if name in added}
                yield RowBlock({**block.cells, **placed}, block.origins)

    @cached_property
    def _chosen(self) -> Chosen:
        """The readers of files that belong together; those of class folders are chosen one by one."""
        return self._choice.readers(self._files)

    def _rows(self, at: int, reading: Reading) -> Iterator[Record]:
        added = self._of_place(self._files[at])
        for record in self._of_file(at, reading).rows:
            for name in added:
                if name in record.values and not (self._partitions and _same(record.values[name], added[name])):
                    raise DataError(
                        f"{record.origin}: the file has a column {name!r}, which its place in the folder gives"
                    )
            yield Record({**added, **record.values}, record.origin)

    def _of_file(self, at: int, reading: Reading) -> FileRows:
        found = self._open(at, reading)
        if at and not self._by_class:
            demand_same_columns(*self._chosen.readers[at], found.columns, self._open_first().columns)
        return found

    def _of_place(self, path: Path) -> dict[str, str | None]:
        """Return the values of the columns that a file's place gives."""
        if self._by_class:
            return {"label": self._class(path)}
        return partition_of(path, self._folder) or {"file": plain_name(path).stem}

    def _open_first(self) -> FileRows:
        return self._open(0, replace(self._reading, skipped=Skipped()))

    def _open(self, at: int, reading: Reading) -> FileRows:
        return guarded(*self._reader(at), reading)

    def _reader(self, at: int) -> tuple[Path, Reader]:
        return self._choice.readers(self._files[at : at + 1]).readers[0] if self._by_class else self._chosen.readers[at]

    def _class(self, path: Path) -> str:
        return path.relative_to(self._folder).parts[0]

    def _is_hidden(self, path: Path) -> bool:
        return any(part.startswith(".") for part in path.relative_to(self._folder).parts)

    def _without_side_files(self, files: list[Path]) -> list[Path]:
        """Return files without those that programs write beside the parts of a table, such as `_SUCCESS`."""
        if not any(path.suffix.lower() in PARTS_OF_TABLES or partition_of(path, self._folder) for path in files):
            return files
        self._hidden += [path for path in files if path.name.startswith("_")]
        return [path for path in files if not path.name.startswith("_")]

    def _list(self) -> list[Path]:
        try:
            found = sorted(path for path in self._folder.rglob("*") if path.is_file())
        except OSError as error:
            raise unreadable(self._folder, error) from error
        self._hidden = [path for path in found if self._is_hidden(path)]
        files = self._without_side_files([path for path in found if not self._is_hidden(path)])
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


def _same(value: object, written: str | None) -> bool:
    """Return whether a cell is the value that its folder's name gives; some programs write it in both places."""
    return value is None if written is None else str(value) == written
