"""Find circles of imports between the modules of a package, and classes that share a name.

    python scripts/import_cycles.py src

An import counts where it stands: at the top of a module, under `if TYPE_CHECKING:`, or inside a function. Circles
through imports at the top or for types alone are refused: two such modules are one idea in two files, and neither can
be read first. Imports inside functions are counted, and their circles are named without being refused. The program
exits with 1 when it refuses something.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

TOP, TYPES, FUNCTION = "at the top", "for types alone", "inside functions"

BEING_CUT: list[list[str]] = []
"""Circles that are known: counted, and not refused. Take one out when it is gone."""

Graph = Mapping[str, set[str]]


class Import(NamedTuple):
    """One module that reads another."""

    reader: str
    read: str
    where: str


def modules_of(root: Path) -> dict[str, Path]:
    """Return every module under `root` by its dotted name; a package goes by the name of its folder."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def place(node: ast.AST, outer: str) -> str:
    """Return where the statements inside `node` stand, which itself stands at `outer`."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return FUNCTION
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return TYPES
    return outer


def statements(node: ast.AST, where: str = TOP) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Yield the imports below `node` and where each stands."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, where
        else:
            yield from statements(child, place(child, where))


def names_read(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the dotted names that an import may read: `from a import b` names a.b, which may be a module."""
    for alias in statement.names:
        yield f"{statement.module}.{alias.name}" if isinstance(statement, ast.ImportFrom) else alias.name


def imports_of(name: str, tree: ast.Module, known: Mapping[str, Path]) -> Iterator[Import]:
    """Yield the imports of a module that read other modules of the same package."""
    for statement, where in statements(tree):
        for read in names_read(statement):
            # What is no module itself is a name in one: the class of `from package.module import Class`.
            target = read if read in known else read.rpartition(".")[0]
            if target in known and target != name:
                yield Import(name, target, where)


def graph_of(imports: list[Import], places: set[str]) -> Graph:
    """Return the modules that each module reads at these places."""
    graph: dict[str, set[str]] = defaultdict(set)
    for item in imports:
        if item.where in places:
            graph[item.reader].add(item.read)
    return graph


def reached(graph: Graph, start: str) -> set[str]:
    """Return the modules that can be reached from `start` by one import or more."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of modules of which each reaches every other (the strongly connected components)."""
    reach = {name: reached(graph, name) for name in graph}
    found = {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in graph}
    return sorted(sorted(group) for group in found if group)


def twins(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """Yield a sentence for each name that two classes at the top of modules have."""
    places: dict[str, list[str]] = defaultdict(list)
    for module, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    for name, found in sorted(places.items()):
        if len(found) > 1:
            yield f"{len(found)} classes are called {name}, and one word has one meaning: {', '.join(found)}"


def main(arguments: list[str]) -> int:
    """Look at the folders of packages that `arguments` name: 0 where nothing is wrong, 1 otherwise, 2 without one."""
    known = {name: path for argument in arguments for name, path in modules_of(Path(argument)).items()}
    if not known:
        print("usage: import_cycles.py FOLDER... (with a Python package in it)")
        return 2
    trees = {name: ast.parse(path.read_text(encoding="utf-8"), filename=str(path)) for name, path in known.items()}
    imports = [item for name, tree in trees.items() for item in imports_of(name, tree, known)]
    refused = circles(graph_of(imports, {TOP, TYPES}))
    with_functions = circles(graph_of(imports, {TOP, TYPES, FUNCTION}))
    print(
        f"{len(known)} modules, circles of imports: {len(circles(graph_of(imports, {TOP})))} at the top, "
        f"{len(refused)} with those for types, {len(with_functions)} with those inside functions"
    )
    print("\n".join(f"  inside functions: {', '.join(group)}" for group in with_functions if group not in refused))
    wrong = [f"a circle of imports: {', '.join(group)}" for group in refused if group not in BEING_CUT]
    wrong += twins(trees)
    print("\n".join(f"refused: {line}" for line in wrong) or "nothing refused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
