"""Name the test files that hold a module of src: where to look, and what to run after a change.

    python scripts/tests_of.py src/loopcell/layers/state.py src/loopcell/passes/fuse.py

A module's tests are those with its name (`tests/layers/test_state.py`) and those that import it, or something that it
defines. A part that no test asks for by name is held through its users: the tests of the modules that import it, or of
those that import these. The program prints a line for each test file with the way that leads there, and exits with 1
for a module that no way leads to. It reads the text of the files and imports nothing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class House:
    """The imports of the house, and those of its tests.

    Attributes:
        root: the folder that has `src/` and `tests/`.
        modules: the file of each module, by its dotted name.
        passed_on: the names that each package passes on, with the dotted name behind each.
        uses: the modules that each module of src takes something from.
        tests: the modules that each test file takes something from.
    """

    root: Path
    modules: Mapping[str, Path]
    passed_on: Mapping[str, Mapping[str, str]]
    uses: Mapping[str, frozenset[str]]
    tests: Mapping[Path, frozenset[str]]

    def namesake(self, module: str) -> Path:
        """Return where a test file of the module's own name would be."""
        *folders, name = module.split(".")[1:] or [module]
        return self.root.joinpath("tests", *folders, f"test_{name}.py")


def read_house(root: Path = ROOT) -> House:
    """Read every import under `src/` and `tests/`."""
    modules = {dotted(path.relative_to(root / "src")): path for path in sorted((root / "src").rglob("*.py"))}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules.items()}
    passed_on = {name: bindings(trees[name]) for name, path in modules.items() if path.stem == "__init__"}
    files = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((root / "tests").rglob("test_*.py"))}

    def homes(tree: ast.Module) -> frozenset[str]:
        found = (home(name, modules, passed_on) for name in asked_for(tree))
        return frozenset(name for name in (*found, *started(tree)) if name in modules)

    uses = {name: homes(keep_used(tree) if name in passed_on else tree) for name, tree in trees.items()}
    return House(root, modules, passed_on, uses, {path: homes(tree) for path, tree in files.items()})


def dotted(path: Path) -> str:
    """Return the name that a file is imported by: `a/b/__init__.py` is `a.b`."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def bindings(tree: ast.AST) -> dict[str, str]:
    """Return what the imports of a file bind, by local name: `from a import b as c` binds c to `a.b`.

    `import a.b` stands under its whole name.
    """
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def asked_for(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a file imports, and those that it reaches as attributes: `loopcell.explain`."""
    bound = bindings(tree)
    yield from bound.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
            yield f"{bound[node.value.id]}.{node.attr}"


def started(tree: ast.AST) -> Iterator[str]:
    """Yield what the strings of a file would start: "loopcell.cli", as in `python -m loopcell.cli`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield f"{node.value}.__main__"


def keep_used(tree: ast.Module) -> ast.Module:
    """Return a package's file without the imports that it only passes on: passing on is no use."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    body = [node for node in tree.body if not is_for_checkers(node)]
    return ast.Module([node for node in body if used & bindings(node).keys() or not bindings(node)], [])


def is_for_checkers(node: ast.stmt) -> bool:
    """Tell `if TYPE_CHECKING:`, whose imports do not run."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def home(name: str, modules: Mapping[str, Path], passed_on: Mapping[str, Mapping[str, str]]) -> str:
    """Return the module that has what `name` means; empty where it is none of ours."""
    if name in modules:
        return name
    package, _, last = name.rpartition(".")
    if not package:
        return ""
    above = home(package, modules, passed_on)
    behind = passed_on.get(above, {}).get(last, "")
    return home(behind, modules, passed_on) if behind and behind != name else above


def which_tests(module: str, house: House) -> dict[Path, str]:
    """Return the test files of a module, each with the way that leads to it; none where there is no way."""
    named = {path: "by its name" for path in house.tests if path == house.namesake(module)}
    way, seen = {module: "imports it"}, {module}
    while way:
        found = {path: way[min(taken & way.keys())] for path, taken in house.tests.items() if taken & way.keys()}
        if found or named:
            return {**found, **named}
        way = users(way, seen, house)
        seen |= way.keys()
    return {}


def users(way: Mapping[str, str], seen: Collection[str], house: House) -> dict[str, str]:
    """Return the modules that take something from those of `way`, but for those seen before: imports may go round."""
    return {user: f"through {user}" for user, taken in house.uses.items() if user not in seen and taken & way.keys()}


def main(arguments: Sequence[str]) -> int:
    """Print the test files of the modules that are named: 0, 1 where one has none, 2 for a mistake in the call."""
    house = read_house()
    names = {path.resolve(): name for name, path in house.modules.items()}
    unknown = [argument for argument in arguments if Path(argument).resolve() not in names]
    if unknown or not arguments:
        print(f"usage: tests_of.py MODULE.py..., files under src/; not {', '.join(unknown) or 'none'}")
        return 2
    found = {argument: which_tests(names[Path(argument).resolve()], house) for argument in arguments}
    for argument, tests in found.items():
        print(argument, *(f"  {path.relative_to(ROOT)} ({way})" for path, way in tests.items()), sep="\n")
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
