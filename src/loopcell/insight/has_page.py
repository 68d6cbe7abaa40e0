"""HasPage: what has a page of its own, and how that leaves: in a notebook, or as the file that a name asks for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import TypeVar

from loopcell.errors import InputError
from loopcell.files.atomic import atomic_write


class HasPage:
    """A result that has a page of its own."""

    @abstractmethod
    def html(self) -> str:
        """Return the page: one file, with no request to anywhere."""

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame of its own."""
        return f'<iframe srcdoc="{escape(self.html())}" style="width:100%;height:720px;border:0"></iframe>'


PageT = TypeVar("PageT", bound=HasPage)


def save_by_ending(
    page: PageT, path: str | PathLike[str], what: str, writers: Mapping[str, Callable[[PageT, Path, str], None]]
) -> None:
    """Write a page, or one of the other forms of what it shows.

    Args:
        page: what is written.
        path: `.html` is the page.
        what: it is called in an error.
        writers: of the other endings, each called with `page`, a file to write and the ending.

    Raises:
        InputError: another ending.
        FileWriteError: the folder is missing or may not be written, or the disk is full.
    """
    every = {".html": _save_html, **writers}
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in every:
        raise InputError(f"{target.name}: {what} is saved as {', '.join(every)}")
    with atomic_write(target) as temporary:
        every[ending](page, temporary, ending)


def _save_html(page: HasPage, path: Path, _: str) -> None:
    path.write_text(page.html(), encoding="utf-8")
