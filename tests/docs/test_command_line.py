"""A verb or an option that does not exist is noticed."""

from __future__ import annotations

import types

import pytest
import typer

from tests.docs.command_line import complaint, root_command


@pytest.fixture
def command():
    app, train = typer.Typer(), typer.Typer()
    app.add_typer(train, name="train")

    @app.command()
    def cells(plain: bool = False):
        pass

    @train.command()
    def lm(files: list[str], hidden: int = 3):
        pass

    @train.command()
    def tagger(files: list[str]):
        pass

    return root_command(types.SimpleNamespace(train=train, app=app, other=1))


@pytest.mark.parametrize(
    "line",
    [
        "cells",
        "cells --plain",
        "cells --no-plain",
        "--help",
        "train lm a.txt --hidden 64",
        "train lm a.txt --hidden=-1",
        "train lm -- --odd-name",
    ],
)
def test_what_exists_passes(command, line):
    assert complaint(command, line.split()) is None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("cell", "no verb cell (there are: cells, train)"),
        ("train ln a.txt", "no verb ln (there are: lm, tagger)"),
        ("train lm a.txt --hiden 64", "no option --hiden"),
        ("train tagger a.txt --hidden 64", "no option --hidden"),
        ("--plain cells", "no option --plain"),
    ],
)
def test_what_does_not_exist_is_named(command, line, sentence):
    assert sentence in complaint(command, line.split())
