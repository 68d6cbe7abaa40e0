"""`loopcell train VERB FILE...`: the group of its verbs."""

from __future__ import annotations

import typer

from loopcell.cli.examples import epilog
from loopcell.cli.file_lists import FilesCommand
from loopcell.cli.train_verbs import VERBS, command_of

app = typer.Typer(help="Train a model.", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Train a model."""


for _name, _verb in VERBS.items():
    app.command(_name, cls=FilesCommand, epilog=epilog(f"train {_name}"))(command_of(_verb))
