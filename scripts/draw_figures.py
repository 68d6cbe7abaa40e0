"""Draw the figures of the concept pages from runs made now.

    python scripts/draw_figures.py                    all of them
    python scripts/draw_figures.py NAME ...           those
    python scripts/draw_figures.py --check NAME ...   run again, and compare with what is committed
    python scripts/draw_figures.py --list             their names, and what each shows

A figure is `docs/figures/NAME.svg`, `NAME.ko.svg` with Korean words, and `NAME.json` with the numbers that both show.
The Git host shows the committed files; the site is built with figures that are drawn then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from figures import FIGURES, Figure
from figures.store import FOLDER, committed, differences, write_figure
from figures.words import words_in


def main() -> None:
    """Draw, compare or list what was asked for."""
    parser = argparse.ArgumentParser(description="Draw the figures of the concept pages from runs made now.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures; all of them where none is named")
    parser.add_argument("--check", action="store_true", help="compare a new run with the committed numbers")
    parser.add_argument("--list", action="store_true", help="list the figures")
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder (docs/figures)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in FIGURES]
    if unknown:
        sys.exit(f"no figure is named {unknown[0]}; they are {', '.join(FIGURES)}")
    chosen = [FIGURES[name] for name in asked.names or FIGURES]
    if asked.list:
        print("\n".join(f"{figure.name:20} {words_in('en')(figure.name)}" for figure in chosen))
    elif asked.check:
        _check(chosen)
    else:
        for figure in chosen:
            write_figure(figure, asked.into, figure.measured())
            print(asked.into / f"{figure.name}.svg")


def _check(chosen: list[Figure]) -> None:
    """Exit with a sentence for each number that is another one than the committed."""
    found = [line for figure in chosen for line in differences(figure, committed(figure), figure.measured())]
    if found:
        sys.exit("\n".join(found))
    print(f"as committed: {', '.join(figure.name for figure in chosen)}")


if __name__ == "__main__":
    main()
