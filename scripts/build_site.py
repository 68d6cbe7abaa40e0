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
from site_pages import HOST, LANGUAGES, ROOT, write, write_pages
from site_reference import API, CELLS, COMMANDS, name_page, write_reference

THEME = ROOT / "docs" / "theme"
HOW_TO = (
    "write-a-cell", "replace-torch-nn", "lengths-resets-state", "one-step-at-a-time", "kernels-and-compilers",
    "see-the-gates", "look-inside-a-model", "watch-a-training", "read-data", "sound-and-images", "time-series-data",
    "public-data", "train-a-language-model", "classify-sequences", "tag-sequences", "predict-numbers", "translate",
    "chat", "caption", "forecast-series", "find-anomalies", "learn-word-vectors", "scikit-learn",
)  # fmt: skip
CONCEPTS = (
    "what-a-cell-is", "one-to-one", "many-to-one", "many-to-many-aligned", "one-to-many", "encoder-decoder",
    "many-to-many-over-time", "word-vectors", "how-a-cell-becomes-a-program", "how-a-kernel-is-made",
)  # fmt: skip

NAVIGATION: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Start", "시작", ("first-hour.md", "contents.md")),
    ("How-to", "방법", tuple(f"how-to/{name}.md" for name in HOW_TO)),
    ("Concepts", "개념", tuple(f"concepts/{name}.md" for name in CONCEPTS)),
    ("Reference", "참조", (API, *map(name_page, api.rooms()), COMMANDS, CELLS, "model-file.md", "glossary.md")),
    ("Results", "결과", ("speed.md", "recipes.md")),
    ("Project", "프로젝트", ("status.md", "security.md", "changes.md", "contributing.md")),
)
"""Sections in both languages, and the pages of each in reading order; a language has those that are written in it."""

HOME = "index.md"
KOREAN: dict[str, Any] = {"한국어": "ko/index.html"}
"""The way to the other language; back, each Korean page has a link to its English one."""

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
    with tempfile.TemporaryDirectory() as folder:
        for language in LANGUAGES:
            built = _build_language(language, Path(folder) / language)
            shutil.copytree(built, target if language == "en" else target / language)


def _build_language(language: str, folder: Path) -> Path:
    """Gather the pages of a language in a folder, make HTML of them there, and return where it lies."""
    pages = folder / "pages"
    write_pages(language, pages)
    if language == "en":
        write_reference(pages)
    for name in ("extra.css", "worker.js"):
        shutil.copyfile(THEME / name, pages / name)
    settings = folder / "mkdocs.yml"  # JSON is YAML
    write(settings, json.dumps(configuration(language, pages)))
    done = subprocess.run(  # noqa: S603 - our own words alone
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(settings)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"The site's {language} pages have warnings, which are errors:\n{done.stdout}{done.stderr}")
    return folder / "site"


def configuration(language: str, pages: Path) -> dict[str, Any]:
    """Return what Zensical is told, in the form of mkdocs.yml."""
    return {
        "site_name": "loopcell",
        "docs_dir": "pages",
        "site_dir": "site",
        "use_directory_urls": False,  # a folder does not open its index.html when it is read from the disk
        "theme": _theme(language),
        # No "repo_url" and no "alternate": for these the theme asks GitHub and the site's map at each view.
        "extra": {"generator": False, "social": [{"icon": "fontawesome/brands/github", "link": HOST}]},
        "extra_css": ["extra.css"],
        "plugins": ["search", "offline", {"mkdocstrings": {"handlers": {"python": _handler()}}}],
        "markdown_extensions": [{name: options} for name, options in EXTENSIONS.items()],
        "nav": navigation(language, pages),
    }


def _theme(language: str) -> dict[str, Any]:
    light = {"scheme": "default", "toggle": {"icon": "lucide/sun", "name": "Dark"}}
    dark = {"scheme": "slate", "toggle": {"icon": "lucide/moon", "name": "Light"}}
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


def navigation(language: str, pages: Path) -> list[Any]:
    """Return the sections with the pages that the language has.

    Raises:
        SystemExit: a page stands in no section, or a section names none that is there in English.
    """
    there = {path.relative_to(pages).as_posix() for path in pages.rglob("*.md")}
    named = [HOME, *(page for *_, pages_of in NAVIGATION for page in pages_of)]
    lost = there.symmetric_difference(named) if language == "en" else there.difference(named)
    if lost:
        sys.exit(f"scripts/build_site.py: NAVIGATION and the pages differ: {', '.join(sorted(lost))}")
    at = LANGUAGES.index(language)
    sections = [(section[at], [page for page in section[2] if page in there]) for section in NAVIGATION]
    filled = [{title: inside} for title, inside in sections if inside]
    return [HOME, *filled, KOREAN] if language == "en" else [HOME, *filled]


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "site")
