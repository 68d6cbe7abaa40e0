"""A suite is a list of parts; each part runs in a process of its own and gives rows of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.comparison import Settings
from benchmarks.grid import Shape, shape

Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """The part of a suite that one process measures.

    Attributes:
        suite: the suite's name.
        cell: the cell's name.
        sizes: T, B, I, H.
        threads: how many threads everybody gets.
        form: what else tells the suite's parts apart, such as "2 layers".
    """

    suite: str
    cell: str
    sizes: Shape
    threads: int = 1
    form: str = ""

    @property
    def name(self) -> str:
        """The part's name, unique within its suite."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return " ".join(filter(None, [self.cell, str(self.sizes), self.form, threads]))

    def case(self, job: str) -> Row:
        """Return what a row of this part is about."""
        about: Row = {"cell": self.cell, **self.sizes._asdict(), "threads": self.threads}
        return about | ({"form": self.form} if self.form else {}) | {"job": job}

    def as_json(self) -> Row:
        """Return what another process reads with `part_from_json`."""
        return {
            "suite": self.suite,
            "cell": self.cell,
            "sizes": str(self.sizes),
            "threads": self.threads,
            "form": self.form,
        }


def part_from_json(content: Row) -> Part:
    """Read what `as_json` wrote."""
    return Part(content["suite"], content["cell"], shape(content["sizes"]), content["threads"], content["form"])


@dataclass(frozen=True)
class Suite:
    """Parts, and how one is run.

    Attributes:
        name: also that of the result's file.
        what: one line on what it measures.
        parts: all its parts.
        run: measures one part.
    """

    name: str
    what: str
    parts: tuple[Part, ...]
    run: Callable[[Part, Settings], list[Row]]
