"""Files that a page names are there, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages

FOLDERS = ("src", "tests", "docs", "examples", "benchmarks", "scripts", "paper")
OURS = frozenset(
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if "__pycache__" not in path.parts
)
PAGES = [*pages(), ROOT / "benchmarks" / "README.md", ROOT / "CHANGELOG.md"]
# Pages that walk through the house name its files from the room that they stand in: `region.py`, `codegen/layout.py`.
WALKS = {f"{name}.md" for name in ("CONTRIBUTING", "how-a-cell-becomes-a-program", "how-a-kernel-is-made", "glossary")}
NAME = re.compile(r"`([a-z_][a-z0-9_./-]*(?:/|\.py|\.h|\.c|\.toml))`")
FROM_THE_ROOT = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[a-z0-9_./-]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def is_ours(name: str) -> bool:
    """Whether a file or folder of the repository has this name, or a path that ends in it."""
    bare = name.rstrip("/")
    return (ROOT / bare).exists() or any(f"/{path}".endswith(f"/{bare}") for path in OURS)


def missing_names(page: Path) -> list[str]:
    named = NAME if page.name in WALKS else FROM_THE_ROOT
    return [name for name in named.findall(prose(page)) if not is_ours(name)]


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ +(.*?) *$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    found = []
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_and_links_is_there(page):
    assert missing_names(page) == []
    assert broken_links(page) == []


def test_a_stale_name_and_a_broken_link_are_noticed(tmp_path):
    page = tmp_path / "CONTRIBUTING.md"
    page.write_text(
        "# A head, here\n`ops.py`, `codegen/layout.py`, `backends/c/emit.py`, `cells/`, `rooms/`, `W.h`\n"
        "[a](#a-head-here) [b](#gone) [c](CONTRIBUTING.md) [d](gone.md) [e](https://example.com/gone)\n"
        "```\n`never.py`\n```\n",
        encoding="utf-8",
    )
    assert missing_names(page) == ["backends/c/emit.py", "rooms/"]
    assert broken_links(page) == ["#gone", "gone.md"]
    other = page.rename(tmp_path / "other.md")
    other.write_text("`src/loopcell/gone.py`, `config.json`, `gone.py`, `tests/conftest.py`", encoding="utf-8")
    assert missing_names(other) == ["src/loopcell/gone.py"]
