"""The meaning of each argument, from the docstrings of settings: for those of estimators, and for the help of flags."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, Field, fields
from typing import Any

_ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.*)$")
_SECTION = re.compile(r"^(?:Attributes|Raises|Example|Examples):$", re.MULTILINE)


def meanings(settings: type[Any]) -> dict[str, str]:
    """Return what each argument means, from the `Args:` of a settings class and its ancestors; the nearest wins.

    The arguments of a configuration model are its `Attributes:`.
    """
    found: dict[str, str] = {}
    for kind in settings.__mro__:
        found = {**_entries(inspect.cleandoc(vars(kind).get("__doc__") or "")), **found}
    return found


def with_arguments(doc: str, settings: type[Any]) -> str:
    """Return a docstring with every argument, its default and its meaning, before the sections that follow `Args:`.

    A docstring that has `Args:` of its own is left as it is.
    """
    doc = inspect.cleandoc(doc)
    if re.search(r"^Args:$", doc, re.MULTILINE):
        return doc
    known = meanings(settings)
    lines = [
        f"    {field.name}: {known[field.name]}{_default(field)}" for field in fields(settings) if field.name in known
    ]
    section = "\n".join(["Args:", *lines])
    place = _SECTION.search(doc)
    if place is None:
        return f"{doc}\n\n{section}\n"
    return f"{doc[: place.start()]}{section}\n\n{doc[place.start() :]}"


def _entries(doc: str) -> dict[str, str]:
    """Read the entries of `Args:`; lines that are indented deeper continue the entry before them."""
    found: dict[str, str] = {}
    names: list[str] = []
    section = "Args:\n" if "Args:\n" in doc else "Attributes:\n"
    for line in doc.partition(section)[2].splitlines():
        if line and not line.startswith(" "):
            break  # the next section
        if entry := _ENTRY.match(line):
            names = entry[1].split(", ")
            found.update(dict.fromkeys(names, entry[2]))
        elif line.strip():
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return found


def _default(field: Field[Any]) -> str:
    return "" if field.default is MISSING else f" Default: {field.default!r}."
