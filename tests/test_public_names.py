"""The public face: every public name is documented and means one thing, and what users get back is public."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import loopcell
from scripts import api

ROOMS = api.rooms()
PUBLIC = {f"{room}.{name}": getattr(module, name) for room, module in ROOMS.items() for name in module.__all__}

DATA = [
    "Column", "Delimited", "Origin", "Record", "Records", "open_store", "pair", "read", "store",
    "TableSequences", "Units", "sequences_from_table",
    "Batches", "Padded", "Ragged", "SequenceData", "Split", "as_sequences", "pad", "split_groups", "split_in_time",
    "split_random",
    "split_stratified", "stratified_folds",
    "BpeVocabulary", "ByteVocabulary", "CharVocabulary", "JamoVocabulary", "Vocabulary", "WordVocabulary",
    "Audio", "ImagePixels", "ImageRows", "LogMel", "MelStream", "Mfcc", "RawAudio", "RawStream", "Standardiser",
    "WaitingSamples", "audio_chunks", "read_audio",
    "Series", "Step", "calendar", "series_from",
    "Fetched", "PublicFile", "PublicSet", "fetch", "public_sets",
]  # fmt: skip

INTERNAL = {
    "loopcell.backends.weights.Weights": "how kernels find parameters; for the layers",
    "loopcell.data.readers.reading.FileRows": "between a reader and `read`",
    "loopcell.data.readers.row_block.RowBlock": "rows of a reader, column by column; for what gathers them",
    "loopcell.layers.spec.StackSpec": "the settings of a stack as one frozen value; for the layers",
    "loopcell.runtime.execute.Executable": "what runs a layer; for the layers",
    "loopcell.tasks.core.from_files.config.Columns": "the columns of the files of a run; for `loopcell predict`",
    "loopcell.tasks.core.pace.Pace": "what the base of the estimators asks for its settings",
    "loopcell.tasks.forecasting.state.StoredHistory": "a series' history in a `SeriesState`; for the forecaster",
}
"""Types that methods of public classes return to our own code, and why a user has no use for them."""


def test_the_names_of_data():
    """What a user needs to read, cut and batch data; what only our own code needs is in the rooms below."""
    assert sorted(loopcell.data.__all__) == sorted(DATA)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_documented(room):
    for name in api.names_of(ROOMS[room]):
        assert api.summary(ROOMS[room], name), f"{room}.{name} has no docstring"


def test_the_reference_lists_them_all():
    assert api.PAGE.read_text(encoding="utf-8") == api.page(), "docs/reference/api.md is old: run python scripts/api.py"


def test_no_name_means_two_things():
    meanings: dict[str, set[int]] = {}
    for name, value in PUBLIC.items():
        meanings.setdefault(name.rpartition(".")[2], set()).add(id(value))
    assert [name for name, values in meanings.items() if len(values) > 1] == []


def test_a_public_function_is_not_hidden_by_a_module_of_its_name():
    """A type checker takes `loopcell.insight.explain` for the module, where there is one of that name."""
    for room in ROOMS.values():
        package = Path(str(room.__file__)).parent
        modules = (
            {path.stem for path in package.glob("*.py")} if Path(str(room.__file__)).name == "__init__.py" else set()
        )
        hidden = {name for name in room.__all__ if not inspect.ismodule(getattr(room, name))} & modules
        assert hidden <= {"cell"}, hidden  # `@cell`, whose module is imported before its name is bound


# -- types that come back ---------------------------------------------------------------------------------------------


def functions() -> Iterator[tuple[str, Any]]:
    """Yield every public function, and every public method and property of a public class."""
    for name, value in PUBLIC.items():
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and value.__module__.startswith("loopcell"):
            yield from methods(name, value)


def methods(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    for method, member in inspect.getmembers_static(kind):
        wrapped = (getattr(member, where, None) for where in ("__func__", "fget", "func"))
        found = next((function for function in wrapped if function is not None), member)
        seen = not method.startswith("_") or method in ("__call__", "__getitem__", "__iter__", "__enter__")
        if seen and inspect.isfunction(found) and found.__module__.startswith("loopcell"):
            yield f"{name}.{method}", found


def returned(function: Any) -> Iterator[type]:
    """Yield the classes in the return annotation of a function."""
    written = function.__annotations__.get("return")
    if isinstance(written, str):
        # What is imported for annotations alone is not there; the name is looked for in the whole library.
        written = eval(written, {**everything(), **vars(inspect.getmodule(function))})
    yield from classes_in(written)


@cache
def everything() -> dict[str, Any]:
    """Return the classes of all loaded modules of the library, and what annotations take from elsewhere."""
    names = {"Any": Any, "Literal": typing.Literal}
    for module_name, module in sorted(sys.modules.items()):
        if module_name.startswith("loopcell"):
            names |= {name: value for name, value in vars(module).items() if not name.startswith("__")}
    collections = import_module("collections.abc")
    return names | {name: getattr(collections, name) for name in collections.__all__}


def classes_in(hint: Any) -> Iterator[type]:
    for part in typing.get_args(hint):
        yield from classes_in(part)
    if isinstance(hint, list):
        for part in hint:
            yield from classes_in(part)
    elif inspect.isclass(hint):
        yield hint


def test_what_comes_back_is_public():
    public = {id(value) for value in PUBLIC.values()}
    strangers: dict[str, list[str]] = {}
    for name, function in functions():
        for kind in returned(function):
            if kind.__module__.startswith("loopcell") and id(kind) not in public:
                strangers.setdefault(f"{kind.__module__}.{kind.__name__}", []).append(name)
    assert strangers.keys() == INTERNAL.keys(), strangers


# -- the names as a program and as a type checker see them -----------------------------------------------------------


def in_type_checking(module: Any) -> dict[str, str]:
    """Return what a module imports for type checkers alone: the names, and the modules that they are taken from."""
    tree = ast.parse(inspect.getsource(module))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert all(alias.asname == alias.name for node in imports for alias in node.names)  # said to be re-exported
    return {alias.name: str(node.module) for node in imports for alias in node.names}


@pytest.mark.parametrize("module", [loopcell, loopcell.tasks], ids=["loopcell", "loopcell.tasks"])
def test_type_checkers_see_the_same_names(module):
    seen = in_type_checking(module)
    assert sorted([*seen, "__version__"] if module is loopcell else seen) == sorted(module.__all__) == dir(module)
    for name, home in seen.items():
        expected = import_module(f"{home}.{name}") if home == "loopcell" else getattr(import_module(home), name)
        assert getattr(module, name) is expected, name


def test_rooms_are_there_after_the_first_import_and_not_before():
    program = """
import sys, loopcell
early = [name for name in ("torch", "numpy", "loopcell.data", "loopcell.tasks") if name in sys.modules]
print(early, loopcell.data.split_random(4, 0.5).training.size, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] 2 False\n"


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="module 'loopcell' has no attribute 'GRUU'"):
        loopcell.GRUU  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'loopcell.data' has no attribute 'where'"):
        loopcell.data.where  # noqa: B018
