"""Hold the repository to the field's words: no private terms, and docstrings that say what a thing is or does.

    python scripts/words.py src scripts benchmarks examples docs README.md CONTRIBUTING.md

Python and Markdown are read. A docstring that begins with a question word ("What is kept", "Whether it fits") answers a
question that nobody has asked: a function's begins with a verb in the imperative (ruff's D401), a class's or property's
with a noun. The program prints every place, and exits with 1 when there is one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PRIVATE = {
    r"foret(?:ell|old)\w*": "predict",
    r"the way back": "the backward pass",
    r"seed that nobody knows": "None draws a fresh seed",
    r"what flows is positional": "inputs and states are positional, parameters keyword-only",
    r"stretch(?:es)?": "segment, or run",
    r"contestants?": "entry",
    r"contests?": "comparison",
    r"racers?": "side",
    r"race": "comparison",
}
"""Terms that readers would have to translate, as patterns, and the field's."""

KEPT = "# kept:"
"""Stands in a line whose term has to stay, such as a key of saved files."""

QUESTIONS = ("What", "How", "Whether", "Why", "Which", "When", "Where", "Who")

_PRIVATE = {re.compile(rf"(?<![\w-]){pattern}(?![\w-])", re.IGNORECASE): word for pattern, word in PRIVATE.items()}


def private_terms(path: Path, text: str) -> Iterator[str]:
    """Yield a sentence for each line with a private term in it."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, word in _PRIVATE.items():
            if KEPT not in line and (found := pattern.search(line)):
                yield f"{path}:{number}: {found[0]!r} is a private term; write {word!r}"


def questions(path: Path, text: str) -> Iterator[str]:
    """Yield a sentence for each docstring that begins with a question word."""
    for node in ast.walk(ast.parse(text, filename=str(path))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node) or ""
        if docstring.startswith(tuple(f"{word} " for word in QUESTIONS)):
            name = getattr(node, "name", "the module")
            yield f"{path}:{getattr(node, 'lineno', 1)}: the docstring of {name} begins with {docstring.split()[0]!r}"


def files(arguments: list[str]) -> Iterator[Path]:
    """Yield the files that arguments name, and those in the folders that they name; this one holds the terms itself."""
    for path in map(Path, arguments):
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        texts = (file for file in found if file.suffix in {".py", ".md"})
        yield from (file for file in texts if file.resolve() != Path(__file__).resolve())


def main(arguments: list[str]) -> int:
    """Read what `arguments` name: 0 where all is well, 1 otherwise, 2 without a file."""
    read = {path: path.read_text(encoding="utf-8") for path in files(arguments)}
    if not read:
        print("usage: words.py PATH... (files or folders of Python and Markdown)")
        return 2
    found = [(path, line) for path, text in read.items() for line in private_terms(path, text)]
    found += [(p, line) for p, text in read.items() if p.suffix == ".py" for line in questions(p, text)]
    print("\n".join(line for _, line in found) or f"{len(read)} files in the field's words")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
