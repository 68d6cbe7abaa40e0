"""Flags from a table: name and help stand in the table, default and bounds with the setting itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from pydantic import BaseModel

from loopcell.tasks.core.pace import AUTO
from loopcell.training.config import configure

BY_COUNT = "by the number of examples"

ModelT = TypeVar("ModelT")
FunctionT = TypeVar("FunctionT", bound=Callable[..., None])


class Flag(NamedTuple):
    """One flag.

    Attributes:
        names: such as "--chunk --seq-length".
        config: the configuration model, or the dataclass of settings, that it belongs to.
        field: the model's field.
        kind: the type of what is typed.
        help: what it does.
        parse: what is typed, as the model wants it.
        otherwise: what holds where nothing is typed, in words; None for the field's default.
    """

    names: str
    config: type[Any]
    field: str
    kind: Any
    help: str
    parse: Callable[[Any], Any] = lambda value: value
    otherwise: str | None = None

    def default(self) -> str:
        """The default as help shows it; empty where there is none to show."""
        default = default_of(self.config, self.field)
        if isinstance(default, bool):
            on, _, off = self.names.partition("/")
            return (on if default else off).lstrip("-")
        if default == AUTO and self.kind is not str:  # a device may be "auto", too
            return BY_COUNT
        return str(default) if isinstance(default, int | float | str) else ""

    def parameter(self) -> inspect.Parameter:
        """The flag as a parameter of a Typer command; None stands for "not given"."""
        default = self.otherwise or self.default()
        # In the help text: Typer would put a default that it did not find itself in parentheses.
        shown = f"{self.help}  [default: {default}]" if default else self.help
        option = typer.Option(*self.names.split(), help=shown, show_default=False)
        annotation = Annotated[self.kind | None, option]  # type: ignore[name-defined] # made while running
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.field, keyword, default=None, annotation=annotation)


def default_of(config: type[Any], name: str) -> Any:
    """The default of a field."""
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
        parameters = [*arguments, *(flag.parameter() for flag in flags), *options]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return extend


class Settings:
    """What was typed, ready to become configuration models.

    Args:
        flags: the table.
        typed: values by field; None where nothing was typed.

    Raises:
        UsageError: a value cannot be read.
    """

    def __init__(self, flags: Iterable[Flag], typed: Mapping[str, Any]) -> None:
        self._names = {flag.field: flag.names.split()[0] for flag in flags}
        given = [(flag, typed[flag.field]) for flag in flags if typed[flag.field] is not None]
        self._values = [(flag.config, flag.field, flag.parse(value)) for flag, value in given]

    def build(self, config: type[ModelT], **others: Any) -> ModelT:
        """Make one model of what was typed for it and of `others`.

        Raises:
            UsageError: a value is out of its bounds; the message names the flag.
        """
        return configure(config, self.given(config) | others, self._names)

    def given(self, config: type[Any]) -> dict[str, Any]:
        """What was typed for one model, by field."""
        return {field: value for owner, field, value in self._values if owner is config}
