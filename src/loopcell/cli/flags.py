"""Flags made from settings: name, type, default and help of a flag are those of the setting that it sets.

What cannot be derived, such as a shorter name or how typed text is read, stands in a table: `loopcell.cli.spelling`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel

from loopcell.cli.help_text import Told, told
from loopcell.cli.reporting import say_note
from loopcell.cli.spelling import NO_FLAG, SEED, Spelling, spelling_of
from loopcell.tasks.core.argument_docs import meanings
from loopcell.tasks.core.pace import AUTO
from loopcell.training.config import configure

BY_COUNT = "by the number of examples"
TYPED: tuple[type, ...] = (bool, int, float, str, Path)  # what can be typed as it is
UNIONS = (Union, UnionType)
EARLIER = "_earlier"  # behind a field's name: the parameter of a flag's earlier name

Seed = Annotated[int | None, typer.Option("--seed", min=0, help=told(SEED, lambda _: None).help)]

ModelT = TypeVar("ModelT")
FunctionT = TypeVar("FunctionT", bound=Callable[..., None])


class Flag(NamedTuple):
    """One flag.

    Attributes:
        config: the configuration model, or the dataclass of settings, that it belongs to.
        field: the model's field.
        spelling: its names and how it is typed.
        kind: the type of what is typed.
        told: its help, and what holds where nothing is typed.
    """

    config: type[Any]
    field: str
    spelling: Spelling
    kind: Any
    told: Told

    @property
    def name(self) -> str:
        """Return the name that messages have."""
        return self.spelling.names.split()[0]

    def default(self) -> str:
        """Return the default as help shows it; empty where there is none to show."""
        default = default_of(self.config, self.field)
        if default is None or self.told.always:
            return self.told.otherwise
        if isinstance(default, bool):
            return self.name.lstrip("-") if default else f"no-{self.name.lstrip('-')}"
        if default == AUTO and self.kind is not str:  # a device may be "auto", too
            return BY_COUNT
        return str(default) if isinstance(default, int | float | str) else ""

    def help(self) -> str:
        """Return what it does and its default, in the text: Typer would put one that it did not find in parentheses."""
        default = self.default()
        return f"{self.told.help}  [default: {default}]" if default else self.told.help

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield the flag as a parameter of a Typer command, None for "not typed"; and its earlier name, hidden."""
        names = self.spelling.names.split()
        if self.kind is bool:
            names = [f"{name}/--no-{name.lstrip('-')}" for name in names]
        metavar = self.spelling.form or None
        yield _parameter(self.field, self.kind, typer.Option(*names, help=self.help(), metavar=metavar))
        if self.spelling.earlier:
            hidden = typer.Option(self.spelling.earlier, hidden=True, metavar=metavar)
            yield _parameter(self.field + EARLIER, self.kind, hidden)

    def value(self, typed: Mapping[str, Any]) -> Any:
        """Return what was typed under either name, None for nothing; an earlier name is told about."""
        earlier = typed.get(self.field + EARLIER)
        if earlier is None:
            return typed[self.field]
        say_note(f"{self.spelling.earlier} is called {self.name} now")
        return earlier


def _parameter(name: str, kind: Any, option: Any) -> inspect.Parameter:
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def flags_of(config: type[Any], *names: str) -> tuple[Flag, ...]:
    """Return the flags of a configuration model or a settings class.

    Args:
        config: the class.
        names: the fields that get a flag; without any, all that can be typed: those of a class before its parents'.
    """
    hints, known = get_type_hints(config), meanings(config)
    found = []
    for name in names or field_names(config):
        spelling = spelling_of(config, name)
        kind = spelling.kind or typed_as(hints[name])
        if kind is not None and (names or name not in NO_FLAG):
            text = told(spelling.words or known[name], partial(_name_in, config))
            found.append(Flag(config, name, spelling, kind, text))
    return tuple(found)


def otherwise(flags: Iterable[Flag], words: str) -> tuple[Flag, ...]:
    """Return the flags where something else than the setting's default holds when nothing is typed."""
    return tuple(flag._replace(told=flag.told._replace(otherwise=words, always=True)) for flag in flags)


def _name_in(config: type[Any], field: str) -> str | None:
    """Return the flag of another field of the same settings; None where there is no such field."""
    return spelling_of(config, field).names.split()[0] if field in field_names(config) else None


def field_names(config: type[Any]) -> list[str]:
    """Return the fields of a model, or of a dataclass and its parents, the nearest class first."""
    if issubclass(config, BaseModel):
        return list(config.model_fields)
    known = {field.name for field in fields(config)}
    declared = [name for kind in config.__mro__ for name in vars(kind).get("__annotations__", ())]
    return [name for name in dict.fromkeys(declared) if name in known]


def typed_as(hint: Any) -> Any:
    """Return the type of a setting's flag; None where the setting cannot be typed: a module, a table, ..."""
    options = [one for one in (get_args(hint) if get_origin(hint) in UNIONS else (hint,)) if one is not NoneType]
    kind = str if get_origin(options[0]) is Literal else options[0]
    return kind if len(options) == 1 and kind in TYPED else None


def default_of(config: type[Any], name: str) -> Any:
    """Return the default of a field."""
    if issubclass(config, BaseModel):
        return config.model_fields[name].default
    return next(field.default for field in fields(config) if field.name == name)


def with_flags(flags: Iterable[Flag]) -> Callable[[FunctionT], FunctionT]:
    """Give a command that takes `**settings` the flags of a table, in front of its own."""

    def extend(command: FunctionT) -> FunctionT:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        arguments = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        options = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]
        parameters = [*arguments, *(one for flag in flags for one in flag.parameters()), *options]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return extend


class Settings:
    """The values that were typed, ready to become configuration models.

    Args:
        flags: the table.
        typed: values by field; None where nothing was typed.

    Raises:
        UsageError: a value cannot be read.
    """

    def __init__(self, flags: Iterable[Flag], typed: Mapping[str, Any]) -> None:
        self._names = {flag.field: flag.name for flag in flags}
        given = [(flag, value) for flag in flags if (value := flag.value(typed)) is not None]
        self._values = [(flag.config, flag.field, flag.spelling.parse(value)) for flag, value in given]

    def build(self, config: type[ModelT], **others: Any) -> ModelT:
        """Make one model of what was typed for it and of `others`.

        Raises:
            UsageError: a value is out of its bounds; the message names the flag.
        """
        return configure(config, self.given(config) | others, self._names)

    def given(self, config: type[Any]) -> dict[str, Any]:
        """Return what was typed for one model, by field."""
        return {field: value for owner, field, value in self._values if owner is config}
