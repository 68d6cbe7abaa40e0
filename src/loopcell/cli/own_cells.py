"""Cells of the user's own, in a Python file: FILE.py:NAME."""

from __future__ import annotations

import builtins
import difflib
import importlib.util
import inspect
import linecache
import re
import sys
import traceback
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from loopcell.cli.reporting import say
from loopcell.errors import EquationWarning, LoopcellError, UsageError

if TYPE_CHECKING:
    from loopcell.equations import Cell


def cell_from_file(file: Path, name: str) -> Cell:
    """Run a Python file of the user's and take a cell from it.

    Raises:
        UsageError: there is no such file, it fails, or it has no cell of that name; the message says what is there.
    """
    from loopcell.equations import Cell

    found, notes = _run(file)
    cell = found.get(name)
    if not isinstance(cell, Cell):
        raise UsageError(_what_is_there(file, name, found))
    for note in notes:
        if note.startswith(f"cell `{cell.name}`: "):
            say(f"note: {note}", err=True)
    return cell


def _run(file: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the names that a file defines, run as `import` does, and the notes on its cells."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UsageError(f"there is no Python file {file} to take a cell from{_nearest_file(file)}")
    module = importlib.util.module_from_spec(spec)
    linecache.checkcache()  # lines that are quoted are those of now
    with warnings.catch_warnings(record=True) as caught, _readable(file):
        warnings.simplefilter("always", EquationWarning)
        spec.loader.exec_module(module)
    for one in caught:
        if not issubclass(one.category, EquationWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return vars(module), [str(one.message) for one in caught if issubclass(one.category, EquationWarning)]


def _nearest_file(file: Path) -> str:
    there = {path.stem: path for path in file.parent.glob("*.py")} if file.parent.is_dir() else {}
    near = difflib.get_close_matches(file.stem, there, n=1)
    return f"; did you mean {there[near[0]]}?" if near else ""


def _what_is_there(file: Path, name: str, found: Mapping[str, Any]) -> str:
    """Return a sentence on what cells a file has, where the one that was asked for is not among them."""
    own = _own_cells(found)
    near = difflib.get_close_matches(name, own, n=1)[:1] or own[:1]
    if not own:
        cure = "put @cell above a function of one step"
    elif len(own) == 1:
        cure = f"its cell is {own[0]}: write {file}:{own[0]}"
    else:
        cure = f"its cells are {', '.join(own)}: write one of them behind the file, such as {file}:{near[0]}"
    if not name:
        return f"{file} {'is a file of cells, and none is named' if own else 'has no cells'}; {cure}"
    if name not in found:
        return f"{file} has no cell named {name!r}; {cure}"
    if inspect.isfunction(found[name]):
        return f"{name!r} of {file} is a function and no cell; put @cell above it"
    return f"{name!r} of {file} is no cell but of type {type(found[name]).__name__}; {cure}"


def _own_cells(found: Mapping[str, Any]) -> list[str]:
    """Return the names of a file's cells, those that it imports from the library only where it has no other."""
    from loopcell import cells
    from loopcell.equations import Cell

    library = {id(cells.get(name)) for name in cells.names()}
    names = [name for name, value in found.items() if isinstance(value, Cell)]
    return [name for name in names if id(found[name]) not in library] or names


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn what Python says against a file of the user's into a UsageError that quotes the line."""
    try:
        yield
    except LoopcellError:
        raise  # about the equations; it has a sentence of its own
    except SyntaxError as error:  # of this file, or of one that it imports
        blamed = error.filename if error.filename and not _same(error.filename, file) else file
        sentence = f"{blamed} is not Python in line {error.lineno or 1}: {error.msg}"
        raise UsageError(sentence + _quoted(error.text or "")) from error
    except SystemExit as error:
        sentence = f"{file} ends the program{_where(error, file)[0]}, so that no cell can be taken from it"
        advice = 'put what is not for `import` below `if __name__ == "__main__":`'
        raise UsageError(f"{sentence}; {advice}{_where(error, file)[1]}") from error
    except Exception as error:
        where, quote = _where(error, file)
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{file} failed{where}: {type(error).__name__}: {reason}{_nearest(error)}{quote}") from error


def _where(error: BaseException, file: Path) -> tuple[str, str]:
    """Return " in line 3" and that line, indented; both empty where the file is not to blame."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _same(frame.filename, file)]
    if not lines or lines[-1] is None:
        return "", ""
    return f" in line {lines[-1]}", _quoted(linecache.getline(str(file), lines[-1]))


def _quoted(line: str) -> str:
    return f"\n    {line.strip()[:200]}" if line.strip().isprintable() and line.strip() else ""


def _nearest(error: Exception) -> str:
    """Return "; did you mean sigmoid?" for a name that nothing has."""
    if isinstance(error, NameError):
        return _advice_on_name(error.name or "", error.__traceback__)
    if isinstance(error, AttributeError) and error.name and error.obj is not None:
        return _guess(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
    asked = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    if isinstance(error, ImportError) and asked and asked[2] in sys.modules:
        return _guess(asked[1], dir(sys.modules[asked[2]]))
    return ""


def _advice_on_name(name: str, trace: TracebackType | None) -> str:
    import loopcell

    if name in loopcell.__all__:
        return f"; write from loopcell import {name}"
    there: set[str] = set()
    while trace is not None:  # the innermost frame is the one that looked for it
        there = {*trace.tb_frame.f_locals, *trace.tb_frame.f_globals, *dir(builtins)}
        trace = trace.tb_next
    return _guess(name, there) or _guess(name, loopcell.__all__)


def _guess(name: str, there: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(there), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _same(name: str, file: Path) -> bool:
    return Path(name).resolve() == file.resolve()
