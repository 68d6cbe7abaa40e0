"""Checksums of files and folders, and taking files out of archives without trusting their names or sizes."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from loopcell.data.readers.opening import open_bytes
from loopcell.errors import DataError

BLOCK_BYTES = 1 << 20
LARGEST = 1 << 30  # bytes of one file, decompressed; the largest of ours has 47 million
MOST_FILES = 100_000


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's decompressed content; DataError when it cannot be read or exceeds a gigabyte."""
    digest, size = hashlib.sha256(), 0
    with open_bytes(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if size > LARGEST:
                raise DataError(f"{path} has more than {LARGEST:,} bytes: it is not the file that is expected")
    return digest.hexdigest()


def folder_checksum(folder: Path, ending: str) -> str:
    """Return the SHA-256 of the list that `sha256sum *ENDING` prints in a folder, sorted by name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(f"*{ending}"), key=lambda path: path.name):
        digest.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n".encode())
    return digest.hexdigest()


def unzip(archive: Path, name: str, target: Path) -> Path:
    """Write the file `name` of a zip archive to `target`; DataError when there is none, or it is damaged or large."""
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(name) as stream:
            _copy(stream, target)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise DataError(f"the archive has no readable {name} ({error})") from error
    return target


def unpack(archive: Path, wanted: tuple[str, str], folder: Path) -> Path:
    """Write the files of a `.tar.gz` that have a part in their path and an ending into one flat folder.

    Raises:
        DataError: the archive is damaged, or has too many or too large files.
    """
    part, ending = wanted
    folder.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for number, member in enumerate(opened):
                if number > MOST_FILES:
                    raise DataError(f"the archive has more than {MOST_FILES:,} files")
                stream = opened.extractfile(member) if member.isreg() else None
                if stream is not None and part in member.name and member.name.endswith(ending):
                    _copy(stream, folder / Path(member.name).name)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"the archive is damaged ({error})") from error
    return folder


def _copy(stream: IO[bytes], target: Path) -> None:
    size = 0
    with target.open("wb") as file:
        while block := stream.read(BLOCK_BYTES):
            size += len(block)
            if size > LARGEST:
                raise DataError(f"a file of the archive has more than {LARGEST:,} bytes")
            file.write(block)
