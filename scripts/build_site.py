"""Build the documentation site, in English and Korean, with warnings as errors.

    python scripts/build_site.py            into site/
    python scripts/build_site.py FOLDER     into another folder

The pages are gathered in a temporary folder, one for each language, and Zensical makes HTML of them. What is built asks
no network for anything, and can be read from the disk, search included.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import api
from site_live import write_live
from site_pages import HOST, LANGUAGES, ROOT, Place, title, write, write_pages
from site_reference import API, CELLS, COMMANDS, name_page, write_reference

THEME = ROOT / "docs" / "theme"
PAGES, BUILT = "pages", "site"  # folders of a language while it is built
HOW_TO = (
    "write-a-cell", "replace-torch-nn", "lengths-resets-state", "irregular-times", "one-step-at-a-time",
    "streams-of-networks",
    "audio-effects",
    "kernels-and-compilers", "see-the-gates", "look-inside-a-model", "find-a-pattern", "watch-a-training",
    "compare-cells", "tune-settings", "read-data", "sound-and-images", "long-tables", "time-series-data",
    "predictions", "public-data", "train-a-language-model", "classify-sequences",
    "tag-sequences", "predict-numbers", "translate", "chat", "caption", "forecast-series", "find-anomalies",
    "live-streams", "import-weights", "export-to-c", "export-to-onnx", "export-to-webassembly", "learn-word-vectors",
    "scikit-learn",
)  # fmt: skip
CONCEPTS = (
    "sequences", "what-a-cell-is", "bptt", "vanishing-gradients", "lstm", "gru", "what-a-gate-learned", "one-to-one",
    "many-to-one", "many-to-many-aligned", "one-to-many", "encoder-decoder", "many-to-many-over-time", "which-cell",
    "word-vectors", "how-a-cell-becomes-a-program", "how-a-kernel-is-made",
)  # fmt: skip

NAVIGATION: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Start", "시작", ("first-hour.md", "live.md", "contents.md")),
    ("How-to", "방법", tuple(f"how-to/{name}.md" for name in HOW_TO)),
    ("Concepts", "개념", tuple(f"concepts/{name}.md" for name in CONCEPTS)),
    ("Reference", "참조", (API, *map(name_page, api.rooms()), COMMANDS, CELLS, "model-file.md", "glossary.md")),
    ("Results", "결과", ("speed.md", "recipes.md")),
    ("Project", "프로젝트", ("status.md", "security.md", "changes.md", "contributing.md")),
)
"""Sections in both languages, and the pages of each in reading order; a language has those that are written in it."""

HOME = "index.md"
IN_ENGLISH = "{title} (영어)"
"""How the Korean navigation calls a page that is there in English alone."""

EXTENSIONS: dict[str, Any] = {
    "attr_list": {},
    "md_in_html": {},
    "tables": {},
    # Anchors as the Git host makes them, so that one link fits both.
    "toc": {"permalink": True, "slugify": {"object": "pymdownx.slugs.slugify", "kwds": {"case": "lower"}}},
    "pymdownx.highlight": {},
    "pymdownx.superfences": {},
}
DOCSTRINGS = {
    "docstring_style": "google",
    "docstring_options": {"warn_unknown_params": False, "warn_missing_types": False},
    "show_root_heading": True,
    "show_root_full_path": False,
    "show_source": False,
    "show_bases": False,
    "heading_level": 2,
    "separate_signature": True,
    "show_signature_annotations": True,
}


def build(target: Path) -> None:
    """Build both languages into a folder, in place of what is there.

    Raises:
        SystemExit: a page is missing in the navigation, or Zensical had a warning.
    """
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        folders = {language: Path(name) / language for language in LANGUAGES}
        pages = {language: folder / PAGES for language, folder in folders.items()}
        for language in LANGUAGES:
            _gather(language, pages[language])
        for language, folder in folders.items():
            built = _to_html(language, folder, navigation(language, pages))
            shutil.copytree(built, target if language == "en" else target / language)


def _gather(language: str, pages: Path) -> None:
    """Write the pages of a language, and what the theme adds to them, into a folder."""
    write_pages(language, pages)
    write_live(language, pages)
    if language == "en":
        write_reference(pages)
    for name in ("extra.css", "keyboard.js", "worker.js"):
        shutil.copyfile(THEME / name, pages / name)


def _to_html(language: str, folder: Path, sections: list[Any]) -> Path:
    """Make HTML of the pages in a folder, and return where it lies."""
    settings = folder / "mkdocs.yml"  # JSON is YAML
    write(settings, json.dumps(configuration(language, sections)))
    done = subprocess.run(  # noqa: S603 - our own words alone
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(settings)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"The site's {language} pages have warnings, which are errors:\n{done.stdout}{done.stderr}")
    return folder / BUILT


def configuration(language: str, sections: list[Any]) -> dict[str, Any]:
    """Return what Zensical is told, in the form of mkdocs.yml."""
    return {
        "site_name": "loopcell",
        "docs_dir": PAGES,
        "site_dir": BUILT,
        "use_directory_urls": False,  # a folder does not open its index.html when it is read from the disk
        "theme": _theme(language),
        "extra": _extra(),
        "extra_css": ["extra.css"],
        "plugins": ["search", "offline", {"mkdocstrings": {"handlers": {"python": _handler()}}}],
        "markdown_extensions": [{name: options} for name, options in EXTENSIONS.items()],
        "nav": sections,
    }


def _extra() -> dict[str, Any]:
    """Return what the theme's templates read.

    There is no "repo_url", for which the theme asks GitHub at each view. "alternate" is no list of languages, for which
    it asks for the site's map: being true, it has the theme include our link to the other language.
    """
    social = [{"icon": "fontawesome/brands/github", "link": HOST}]
    return {"generator": False, "alternate": True, "social": social}


def _theme(language: str) -> dict[str, Any]:
    to_dark, to_light = ("어두운 화면으로", "밝은 화면으로") if language == "ko" else ("Dark", "Light")
    light = {"scheme": "default", "toggle": {"icon": "lucide/sun", "name": to_dark}}
    dark = {"scheme": "slate", "toggle": {"icon": "lucide/moon", "name": to_light}}
    modes = {"light": light, "dark": dark}
    return {
        "name": "material",
        "language": language,
        "font": False,  # the fonts of the reader's machine
        "custom_dir": str(THEME),
        "features": ["navigation.top", "content.code.copy", "toc.follow"],
        "palette": [{"media": f"(prefers-color-scheme: {mode})", **scheme} for mode, scheme in modes.items()],
    }


def _handler() -> dict[str, Any]:
    return {"paths": [str(ROOT / "src")], "options": DOCSTRINGS}


def navigation(language: str, pages: dict[str, Path]) -> list[Any]:
    """Return the sections; a page that the language lacks is the English one, and says so.

    Args:
        language: one of `LANGUAGES`.
        pages: the folder of the gathered pages, by language.

    Raises:
        SystemExit: a page stands in no section, or a section names none that is there in English.
    """
    there = {path.relative_to(pages[language]).as_posix() for path in pages[language].rglob("*.md")}
    named = [HOME, *(page for *_, pages_of in NAVIGATION for page in pages_of)]
    lost = there.symmetric_difference(named) if language == "en" else there.difference(named)
    if lost:
        sys.exit(f"scripts/build_site.py: NAVIGATION and the pages differ: {', '.join(sorted(lost))}")
    at = LANGUAGES.index(language)
    sections = [(section[at], section[2]) for section in NAVIGATION]
    return [
        HOME,
        *({name: [page if page in there else _english(page, pages) for page in inside]} for name, inside in sections),
    ]


def _english(page: str, pages: dict[str, Path]) -> dict[str, str]:
    """Return the entry of a page that is there in English alone, for the navigation of the other language."""
    name = title(pages["en"] / page).strip("`")
    return {IN_ENGLISH.format(title=name): f"../{Place('en', page).built}"}


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "site")
