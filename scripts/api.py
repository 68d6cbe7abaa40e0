"""Write docs/reference/api.md: every public name, and what it is, from the docstrings.

python scripts/api.py           write the page
python scripts/api.py --check   say whether it is up to date, by the exit code
"""

from __future__ import annotations

import ast
import inspect
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import loopcell

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"

HEAD = """# Every public name

Made from the docstrings by `python scripts/api.py`. What a name takes, returns and raises, with shapes and units, is
told by `help(loopcell.Recurrent)`. A module that is not here, and a name with an underscore, may change without notice.
"""


def rooms() -> dict[str, ModuleType]:
    """Return the public modules by name: the package itself, and its rooms."""
    inner = {f"loopcell.{name}": import_module(f"loopcell.{name}") for name in loopcell.__all__ if is_room(name)}
    return {"loopcell": loopcell, **inner}


def is_room(name: str) -> bool:
    """Say whether a name of the package is one of its public modules."""
    return inspect.ismodule(getattr(loopcell, name))


def names_of(room: ModuleType) -> list[str]:
    """Return the public names of a room, less its inner rooms; what the package itself has stands there alone."""
    names = [name for name in room.__all__ if not inspect.ismodule(getattr(room, name))]
    if room is loopcell:
        return names
    return [name for name in names if getattr(loopcell, name, None) is not getattr(room, name)]


def summary(room: ModuleType, name: str) -> str:
    """Return the first sentence of what is said about a name, "" where nothing is."""
    value = getattr(room, name)
    own = inspect.isclass(value) or inspect.isroutine(value)
    text = inspect.getdoc(value) if own else _doc_of_constant(room, name)
    return " ".join((text or "").partition("\n\n")[0].split())


def _doc_of_constant(room: ModuleType, name: str) -> str:
    """Return the string below the assignment of a constant, in the module that makes it."""
    for module in (room, *_modules_below(room.__name__)):
        for node, after in pairwise(ast.parse(inspect.getsource(module)).body):
            if name in _assigned(node) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return str(after.value.value)
    return ""


def _modules_below(package: str) -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(f"{package}.")]


def _assigned(node: ast.stmt) -> list[str]:
    targets: list[Any] = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for title, room in rooms().items():
        about = (inspect.getdoc(room) or "").partition("\n\n")[0].replace("\n", " ")
        rows = [_row(room, name) for name in sorted(names_of(room))]
        parts.append("\n".join([f"## {title}\n", f"{about}\n", "| name | what it is |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _row(room: ModuleType, name: str) -> str:
    about = summary(room, name).replace("|", "\\|")
    return f"| `{name}` | {about} |"


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
