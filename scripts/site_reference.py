"""Pages of the site that are made from the code: the public names, the command line, the cells."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import api
import typer
from site_pages import figure, write

from loopcell.cells import get, names
from loopcell.cli.app import app

API = "reference/api.md"
COMMANDS = "reference/commands.md"
CELLS = "reference/cells.md"


def write_reference(folder: Path) -> None:
    """Write every page that is made from the code."""
    for title, room in api.rooms().items():
        write(folder / name_page(title), _names(title, room))
    overview = folder / API
    write(overview, _linked(overview.read_text(encoding="utf-8")))
    write(folder / COMMANDS, commands())
    write(folder / CELLS, cells())


def name_page(room: str) -> str:
    """Return the page of a room's names."""
    return f"reference/names/{room}.md"


# --- public names ----------------------------------------------------------------------------------------------------


def _names(title: str, room: ModuleType) -> str:
    about = inspect.getdoc(room) or ""
    # Of __version__ there is no more to tell than the page of all names does.
    listed = [name for name in sorted(api.names_of(room)) if not name.startswith("_")]
    entries = [_entry(title, room, name) for name in listed]
    return "\n\n".join([f"# {title}", about.replace("::\n", ":\n"), *entries]) + "\n"


def _entry(title: str, room: ModuleType, name: str) -> str:
    """Return a name's heading and text: mkdocstrings' for what has a docstring of its own, else its summary."""
    value = getattr(room, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"::: {title}.{name}"
    return f"## `{name}` {{ #{title}.{name} }}\n\n{api.summary(room, name)}"


def _linked(overview: str) -> str:
    """Return the page of all names with each name a link to its own text."""
    parts = re.split(r"^(?=## )", overview, flags=re.MULTILINE)
    return "".join(_linked_room(part) for part in parts)


def _linked_room(part: str) -> str:
    room = re.match(r"## (\S+)", part)
    if room is None:
        return part
    target = rf"names/{room[1]}.md#{room[1]}.\1"
    return re.sub(r"^\| `([A-Za-z]\w*)` ", rf"| [`\1`]({target}) ", part, flags=re.MULTILINE)


# --- the command line ------------------------------------------------------------------------------------------------


def commands() -> str:
    """Return the page of the command line: each verb, its arguments and its options."""
    head = "# The command line\n\nMade from the commands themselves; `loopcell VERB --help` prints the same.\n"
    return "\n".join([head, *_command("loopcell", typer.main.get_command(app))])


def _command(path: str, command: Any) -> list[str]:
    inner = getattr(command, "commands", {})
    context = typer.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}\n", f"```text\n{usage}\n```\n", f"{_prose(command.help)}\n", _table(command, context)]
    return [*parts, *(line for name, below in inner.items() for line in _command(f"{path} {name}", below))]


def _prose(text: str | None) -> str:
    """Return a help text as Markdown; a backspace starts a block whose lines stay as they are."""
    blocks = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(_block(block) for block in blocks)


def _block(text: str) -> str:
    if text.startswith("\b"):
        return f"```text\n{text.lstrip(chr(8)).strip(chr(10))}\n```"
    return _escaped(text)


def _table(command: Any, context: typer.Context) -> str:
    rows = [_row(record) for part in command.params if (record := part.get_help_record(context))]
    return "\n".join(["| argument or option | |", "|---|---|", *rows]) + "\n" if rows else ""


def _row(record: tuple[str, str]) -> str:
    name, about = (" ".join(text.split()) for text in record)
    return f"| `{name.replace('|', chr(92) + '|')}` | {_escaped(about).replace('|', chr(92) + '|')} |"


def _escaped(text: str) -> str:
    return re.sub(r"([<*_\[\]])", r"\\\1", text)


# --- the cells -------------------------------------------------------------------------------------------------------


def cells() -> str:
    """Return the page of the cells: what each says of itself, its equations, its wiring."""
    head = "# The cells, drawn\n\nEvery cell of the library: its source, its equations, its wiring.\n"
    return "\n".join([head, *(_cell(name) for name in names())])


def _cell(name: str) -> str:
    cell = get(name)
    doc = _escaped(inspect.cleandoc(cell.doc or ""))
    return f'## {name}\n\n{doc}\n\n<div class="formula">{cell.mathml()}</div>\n\n{figure(name)}\n'
