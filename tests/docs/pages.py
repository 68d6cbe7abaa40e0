"""Markdown pages as lists of code blocks, for the tests that run them.

A block that cannot run says so, with the reason, on the line before it:

    <!-- snippet: skip needs a GPU -->

and a console block whose commands shall really run, not only be looked up, is marked

    <!-- snippet: run -->
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = "python"
CONSOLE = frozenset({"console", "shell"})
# Other spellings of the two would pass by untested; a result goes into `text`.
MISSPELT = {"py": PYTHON, "python3": PYTHON, "pycon": PYTHON, "bash": "shell", "sh": "shell", "zsh": "shell"}

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,}) *(?P<language>[^\s`]*)")
_MARKER = re.compile(r"^\s*<!--\s*snippet:\s*(?P<verb>\w*)\s*(?P<reason>.*?)\s*-->\s*$")


class PageError(Exception):
    """A page is written in a way that would leave a snippet untested."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the line of its first line of text (from 1), and its text."""

    page: Path
    language: str
    line: int
    text: str
    run: bool = False
    skip: str = ""

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def pages(root: Path = ROOT) -> list[Path]:
    """The pages at the root that show commands or code, and everything under docs/."""
    fronts = [root / name for name in ("README.md", "README.ko.md", "CONTRIBUTING.md")]
    return [page for page in fronts if page.exists()] + sorted((root / "docs").rglob("*.md"))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of `page`, in order; PageError where a snippet would slip through."""
    return list(_blocks(page, page.read_text(encoding="utf-8").splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    at, marker = 0, None
    while at < len(lines):
        line = lines[at]
        at += 1
        fence = _FENCE.match(line)
        if fence is None:
            marker = _marker(page, at, line) or (marker if not line.strip() else None)
            continue
        end = _end_of_block(page, lines, at, fence)
        language = _language(page, at, fence)
        text = "\n".join(_unindented(one, len(fence["indent"])) for one in lines[at:end])
        verb, reason = marker or ("", "")
        yield Block(page, language, at + 1, text, run=verb == "run", skip=reason if verb == "skip" else "")
        at, marker = end + 1, None


def _marker(page: Path, number: int, line: str) -> tuple[str, str] | None:
    found = _MARKER.match(line)
    if found is None:
        return None
    verb, reason = found["verb"], found["reason"]
    if verb not in {"skip", "run"} or (verb == "skip") != bool(reason):
        raise PageError(f"{page.name}:{number}: write `snippet: skip REASON` or `snippet: run`, not {line.strip()}")
    return verb, reason


def _end_of_block(page: Path, lines: list[str], at: int, fence: re.Match[str]) -> int:
    ticks = fence["ticks"]
    for end in range(at, len(lines)):
        line = lines[end].strip()
        if len(line) >= len(ticks) and set(line) == {ticks[0]}:
            return end
    raise PageError(f"{page.name}:{at}: the block that starts here has no end")


def _language(page: Path, number: int, fence: re.Match[str]) -> str:
    language = fence["language"].lower()
    if language in MISSPELT:
        raise PageError(f"{page.name}:{number}: write ```{MISSPELT[language]}, not ```{language}")
    return language


def _unindented(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip(" "))) :]


def commands(block: Block) -> list[list[str]]:
    """The commands of a console block, split as a shell would; a line that ends in a backslash goes on."""
    text = block.text.replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    if block.language == "console":
        typed = [line[2:] for line in lines if line.startswith("$ ")]
    else:
        typed = [line.removeprefix("$ ") for line in lines if line]
    return [words for words in (shlex.split(line, comments=True) for line in typed) if words]
