"""`fetch`: the files of a public data set, from a folder of yours or from where their makers keep them."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

from loopcell.data.public.checksums import file_checksum, folder_checksum, unpack, unzip
from loopcell.data.public.table import PublicFile, PublicSet, public_sets
from loopcell.data.readers.opening import ENDINGS, compression
from loopcell.errors import DataError, FileWriteError, UsageError
from loopcell.files import cache_folder
from loopcell.files.extras import require


class Fetched(Mapping[str, Path]):
    """The files of a data set by name, without the ending of a compression (`read` takes it off).

    Attributes:
        about, source, licence: of the data set, as in `PublicSet`.
    """

    def __init__(self, public: PublicSet, paths: Mapping[str, Path]) -> None:
        self.name, self.about, self.source, self.licence = public.name, public.about, public.source, public.licence
        self._paths = dict(paths)

    def __getitem__(self, name: str) -> Path:
        if name not in self._paths:
            raise UsageError(f"the data set {self.name} has no file {name!r}: there are {', '.join(self._paths)}")
        return self._paths[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def fetch(name: str) -> Fetched:
    """Find or download a public data set.

    A file is taken from `$LOOPCELL_DATA/NAME` if it is there, else from the cache (`$LOOPCELL_CACHE`, else the user's
    cache folder), else it is downloaded into the cache. Wherever it comes from, its checksum has to be the one
    in the table: figures are about the same data.

    Args:
        name: one of `public_sets()`.

    Returns:
        Where each file is.

    Raises:
        UsageError: there is no such data set.
        DataError: a file cannot be downloaded, or is not the one of the table.
        MissingExtraError: a download is needed and pooch is not installed.
        FileWriteError: the cache cannot be written.
    """
    sets = public_sets()
    if name not in sets:
        near = difflib.get_close_matches(name, sets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sets)}"
        raise UsageError(f"unknown data set {name!r}: {hint}")
    return Fetched(sets[name], {file.name: _fetch_file(sets[name], file) for file in sets[name].files})


def _fetch_file(public: PublicSet, file: PublicFile) -> Path:
    """Return the file's place, checked."""
    kept = _cache() / public.name
    named = os.environ.get("LOOPCELL_DATA", "")
    folders = [Path(named) / public.name, kept] if named else [kept]
    # The user's folder before the cache, and what is there, compressed or not, before any download.
    for ending in ("",) if file.unpack else ("", *ENDINGS):
        for folder in folders:
            if (path := folder / f"{file.name}{ending}").exists():
                return _checked(path, str(path), file)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        # Beside the place it goes to, so that a checked file takes its name in one step.
        with tempfile.TemporaryDirectory(dir=kept, prefix=".") as work:
            for folder in folders:
                if file.unpack and (packed := folder / f"{file.name}.tar.gz").exists():
                    return _accept(packed, str(packed), file, kept, Path(work))
            return _download(file, kept, Path(work))
    except OSError as error:
        raise FileWriteError(f"the cache {kept} cannot be written: {error.strerror or error}") from error


def _cache() -> Path:
    """Return the folder of downloads: beside compiled kernels, but never one that goes away with the process."""
    try:
        return cache_folder() / "data"
    except FileNotFoundError as error:
        raise FileWriteError(f"there is no cache folder ({error}); let LOOPCELL_CACHE name one") from error


def _download(file: PublicFile, kept: Path, work: Path) -> Path:
    """Try the addresses one after the other."""
    failures = []
    for address in file.addresses:
        try:
            return _accept(_get(address, work / "download"), address, file, kept, work)
        except DataError as error:
            failures.append(str(error))
    raise DataError(
        f"the data set {kept.name} has no {file.name} here, and it could not be downloaded: {'; '.join(failures)}. "
        f"Get it yourself, put it into a folder {kept.name}, and let LOOPCELL_DATA name the folder above that one"
    )


def _get(address: str, path: Path) -> Path:
    """Download one file."""
    pooch = require("pooch", "data", "downloads need")
    errors = require("requests.exceptions", "data", "downloads need")
    try:
        pooch.HTTPDownloader(progressbar=False)(address, path, None)
    except errors.HTTPError as error:
        raise DataError(f"{address} answers {error.response.status_code}") from error
    except (errors.RequestException, ValueError) as error:
        raise DataError(f"{address} cannot be reached ({type(error).__name__})") from error
    return path


def _accept(got: Path, source: str, file: PublicFile, kept: Path, work: Path) -> Path:
    """Take out of an archive what is wanted, check it, and keep it."""
    if file.unpack:
        checked = _checked(unpack(got, file.unpack, work / "unpacked"), source, file)
        return _keep(checked, kept / file.name)
    if file.zipped:
        got = unzip(got, file.name, work / "member")
    checked = _checked(got, source, file)
    return _keep(checked, kept / (file.name + (".gz" if compression(got) == "gzip" else "")))


def _checked(path: Path, source: str, file: PublicFile) -> Path:
    found = folder_checksum(path, file.unpack[1]) if file.unpack else file_checksum(path)
    if found != file.sha256:
        raise DataError(f"{source} is not the {file.name} that is expected: its SHA-256 is {found}, not {file.sha256}")
    return path


def _keep(path: Path, place: Path) -> Path:
    """Give what is checked its name, in one step; another process may have been faster with the same."""
    with suppress(FileExistsError, OSError) if path.is_dir() else nullcontext():
        path.replace(place)
    return place
