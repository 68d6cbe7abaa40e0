"""Pages of the repository as pages of the site: where each stands there, its links, formulas and wirings.

The pages are written for the Git host, and stay as they are there. Here a link to a page of the site is turned to its
place in the site, and any other file of the repository is linked on the Git host; pictures are copied. A formula
between `$$` becomes MathML, which browsers draw without a script. A comment `<!-- wiring: gru -->` becomes the wiring
of that cell. A picture of `docs/figures/`, alone in its line, is drawn anew and stands in the page itself, so that its
lines have the colour of the page's text.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from figures import FIGURES
from figures.store import drawn_now
from latex2mathml.converter import convert

from loopcell.cells import get

ROOT = Path(__file__).parents[1]
HOST = "https://github.com/loopcell/loopcell"
LANGUAGES = ("en", "ko")
KOREAN = ".ko.md"
PICTURES = frozenset({".svg", ".png"})
LIVE = "docs/live/"
"""Models that the site has live pages of: a link to the file is one to the page there."""
CAPTIONS = {"en": "The wiring, drawn by", "ko": "배선도. 그린 명령:"}
TWIN = "other_language"
"""What a page's head calls the same page in the other language; docs/theme/partials/alternate.html links it."""

# Pages whose place in the site is not the one that they have under docs/.
PLACES = {
    "README.md": "index.md",
    "README.ko.md": "index.ko.md",
    "docs/README.md": "contents.md",
    "docs/README.ko.md": "contents.ko.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
}

# The way to the other language, which the site has in its header.
_OTHER_LANGUAGE = re.compile(r"^\[(?:English|한국어)\]\([^)\s]+\)\n\n", re.MULTILINE)
_FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FORMULA = re.compile(r"^\$\$(.+)\$\$$", re.MULTILINE)
_FIGURE = re.compile(r"^!\[[^\]]*\]\((?:\.\./)+figures/([\w-]+)((?:\.ko)?\.svg)\)$", re.MULTILINE)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_WIRING = re.compile(r"^<!-- wiring: (\w+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """A page's place in the site: its language, and its path below the folder of that language."""

    language: str
    path: str

    @property
    def built(self) -> str:
        """Return the path of the HTML file, from the site's root."""
        folder = "" if self.language == "en" else f"{self.language}/"
        return f"{folder}{PurePosixPath(self.path).with_suffix('.html')}"


def places() -> dict[str, Place]:
    """Return the place of every page, by the file's path from the repository's root."""
    below = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return {name: _place(PLACES.get(name, name.removeprefix("docs/"))) for name in (*PLACES, *below)}


def _place(path: str) -> Place:
    if path.endswith(KOREAN):
        return Place("ko", f"{path.removesuffix(KOREAN)}.md")
    return Place("en", path)


def write_pages(language: str, folder: Path) -> None:
    """Write the pages of one language, and the pictures that they show, into a folder."""
    every = places()
    for source, place in every.items():
        if place.language == language:
            text = (ROOT / source).read_text(encoding="utf-8")
            write(folder / place.path, _head(place, every) + _Page(source, every, folder).rewritten(text))


def _head(place: Place, every: dict[str, Place]) -> str:
    """Return the lines above a page's text that name the same page in the other language, where there is one."""
    twins = [other for other in every.values() if other.path == place.path and other.language != place.language]
    return "".join(f"---\n{TWIN}: {_relative(twin.built, place.built)}\n---\n\n" for twin in twins)


def title(page: Path) -> str:
    """Return what stands in the first heading of a page."""
    found = _TITLE.search(page.read_text(encoding="utf-8"))
    return found[1] if found else page.stem


def write(path: Path, text: str) -> None:
    """Write a text, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def figure(cell: str, language: str = "en") -> str:
    """Return the wiring of a cell as a figure, with the command that draws it."""
    # A marker's name holds for the whole page, where other wirings may stand too.
    drawing = get(cell).svg().replace('"arrow"', f'"arrow-{cell}"').replace("#arrow)", f"#arrow-{cell})")
    command = f"loopcell explain {cell} --picture {cell}.svg"
    caption = f"<figcaption>{CAPTIONS[language]} <code>{command}</code></figcaption>"
    return f'<figure class="wiring">\n{drawing}\n{caption}\n</figure>'


def measured(name: str, ending: str) -> str:
    """Return a figure of a concept page as this version of the library draws it, with the ending of its language."""
    drawing = (drawn_now(FIGURES[name]) / f"{name}{ending}").read_text(encoding="utf-8")
    return f'<figure class="measured">\n{drawing}</figure>'


def formula(latex: str) -> str:
    """Return a displayed formula as MathML."""
    return f'<div class="formula">{convert(latex, display="block")}</div>'


class _Page:
    """One page on its way into the site."""

    def __init__(self, source: str, every: dict[str, Place], folder: Path) -> None:
        self.source, self.every, self.folder = source, every, folder
        self.place = every[source]

    def rewritten(self, text: str) -> str:
        """Return the text with its links, formulas and wirings; code stays as it is."""
        text = _OTHER_LANGUAGE.sub("", text, count=1)
        prose, code = _FENCE.split(text), _FENCE.findall(text)
        parts = [self._prose(part) for part in prose]
        return "".join(part + block for part, block in zip(parts, [*code, ""], strict=True))

    def _prose(self, text: str) -> str:
        text = _FIGURE.sub(lambda found: measured(found[1], found[2]), text)
        text = _LINK.sub(lambda found: f"]({self._link(found[1])})", text)
        text = _FORMULA.sub(lambda found: formula(found[1]), text)
        return _WIRING.sub(lambda found: figure(found[1], self.place.language), text)

    def _link(self, link: str) -> str:
        path, hash_sign, anchor = link.partition("#")
        if "://" in link or not path:
            return link
        source = os.path.normpath(PurePosixPath(self.source).parent / path)
        if source in self.every:
            return self._to_page(self.every[source]) + hash_sign + anchor
        if Path(path).suffix in PICTURES:
            return self._to_picture(source)
        if source.startswith(LIVE) and Path(path).suffix == ".safetensors":
            return _relative(f"live/{Path(path).stem}.html", self.place.path) + f"#{self.place.language}"
        return f"{HOST}/{'tree' if (ROOT / source).is_dir() else 'blob'}/main/{source}"

    def _to_page(self, target: Place) -> str:
        if target.language == self.place.language:
            return _relative(target.path, self.place.path)
        return _relative(target.built, self.place.built)  # the other language is a build of its own

    def _to_picture(self, source: str) -> str:
        target = f"files/{source}"
        copy = self.folder / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, copy)
        return _relative(target, self.place.path)


def _relative(target: str, page: str) -> str:
    return Path(os.path.relpath(target, PurePosixPath(page).parent)).as_posix()
