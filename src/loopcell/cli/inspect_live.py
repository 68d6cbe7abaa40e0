"""`loopcell inspect MODEL --live`: the page in which a language model runs on what the reader types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loopcell.cli.inspect_files import files_of, write
from loopcell.cli.inspect_sequence import load_for, title_of
from loopcell.cli.reporting import say_unknown
from loopcell.errors import UsageError


class LivePage:
    """A model's live page, as what can be saved.

    Args:
        model: a language model.
        text: what stands in the page first.
        title: of the page.
    """

    def __init__(self, model: Any, text: str, title: str) -> None:
        self._model, self._text, self._title = model, text, title

    def save(self, path: Path) -> None:
        """Write the page."""
        self._model.live_page(path, text=self._text, title=self._title)


def write_live(model: Path, text: str | None, output: Path, others: Mapping[str, object], *, show: bool) -> None:
    """Write a model's live page, and open it.

    Args:
        model: its file or its run's folder.
        text: what stands in the page first.
        output: the file.
        others: flags that have no meaning for a live page, by name; None where they were not given.
        show: open it in a browser.

    Raises:
        UsageError: one of `others` was given, or the model is no language model.
    """
    for name, given in others.items():
        if given is not None:
            raise UsageError(f"--live reads what is typed into the page: it takes --text and --output, not --{name}")
    files = files_of({"output": output})
    loaded = load_for(model, "live_page")
    say_unknown(loaded.unknown([text or ""]))
    write(LivePage(loaded, text or "", title_of(loaded, model)), files, show=show)
