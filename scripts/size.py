"""Measure the functions and files of a source tree, and hold them against the house's budget.

    python scripts/size.py src

A function counts its lines from `def` to its last one, comments included, docstring left out. The program
prints the figures and every breach, and exits with 1 when there is a breach.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

P90_LINES = 16
FUNCTION_LINES = 60
FILE_LINES = 334
LARGEST = 5

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Sized:
    """A function or a file, and its lines."""

    lines: int
    where: str


def docstring_lines(node: FunctionNode) -> int:
    """Return the lines that the docstring of `node` takes, 0 without one."""
    if ast.get_docstring(node, clean=False) is None:
        return 0
    docstring = node.body[0]
    return (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1


def functions(path: Path, text: str) -> Iterator[Sized]:
    """Yield every function and method in the file, nested ones too."""
    for node in ast.walk(ast.parse(text, filename=str(path))):
        if isinstance(node, FunctionNode):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
            yield Sized(lines, f"{path}:{node.lineno} {node.name}")


def measure(folders: list[Path]) -> tuple[list[Sized], list[Sized]]:
    """Return the functions and the files under `folders`, largest first."""
    found: list[Sized] = []
    files: list[Sized] = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        files.append(Sized(len(text.splitlines()), str(path)))
        found.extend(functions(path, text))
    return sorted(found, reverse=True), sorted(files, reverse=True)


def percentile(sizes: list[Sized], percent: int) -> int:
    """Return the smallest size that at least `percent` of `sizes` do not exceed; `sizes` are largest first."""
    return sizes[len(sizes) * (100 - percent) // 100].lines


def breaches(found: list[Sized], files: list[Sized]) -> Iterator[str]:
    """Yield one sentence for each breach of the budget."""
    p90 = percentile(found, 90)
    if p90 > P90_LINES:
        yield f"nine functions in ten have at most {p90} lines, and {P90_LINES} is the limit"
    for kind, sizes, limit in (("function", found, FUNCTION_LINES), ("file", files, FILE_LINES)):
        for item in sizes:
            if item.lines > limit:
                yield f"{item.where}: {item.lines} lines, and a {kind} has at most {limit}"


def summary(found: list[Sized], files: list[Sized]) -> Iterator[str]:
    """Yield the figures, a line each."""
    for kind, sizes in (("functions", found), ("files", files)):
        median, p90 = statistics.median(item.lines for item in sizes), percentile(sizes, 90)
        yield f"{len(sizes)} {kind}: median {median:g}, p90 {p90}, max {sizes[0].lines} lines"
        yield from (f"  {item.lines:4d}  {item.where}" for item in sizes[:LARGEST])


def main(arguments: list[str]) -> int:
    """Measure the folders that `arguments` name: 0 within the budget, 1 over it, 2 without a function."""
    found, files = measure([Path(argument) for argument in arguments])
    if not found:
        print("usage: size.py FOLDER... (with Python functions somewhere under them)")
        return 2
    print("\n".join(summary(found, files)))
    wrong = list(breaches(found, files))
    print("\n".join(f"over the budget: {line}" for line in wrong) or "within the budget")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
