"""The verbs, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from loopcell.cli import (
    cells,
    chat,
    compare,
    evaluate,
    explain,
    export,
    inspect,
    predict,
    recipe,
    resume,
    sample,
    stream,
    train,
    translate,
    tune,
)
from loopcell.cli.examples import epilog
from loopcell.cli.file_lists import FilesCommand

app = typer.Typer(
    name="loopcell",
    help="Recurrent networks whose cells are their equations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(train.app, name="train")
app.command("sample", epilog=epilog("sample"))(sample.sample)
app.command("predict", epilog=epilog("predict"))(predict.predict)
app.command("stream", epilog=epilog("stream"))(stream.stream)
app.command("eval", cls=FilesCommand, epilog=epilog("eval"))(evaluate.evaluate)
app.command("translate", epilog=epilog("translate"))(translate.translate)
app.command("chat", epilog=epilog("chat"))(chat.chat)
app.command("resume", epilog=epilog("resume"))(resume.resume)
app.command("cells", epilog=epilog("cells"))(cells.cells)
app.command("explain", epilog=epilog("explain"))(explain.explain)
app.command("export", epilog=epilog("export"))(export.export)
app.add_typer(compare.app, name="compare")
app.add_typer(tune.app, name="tune")
app.add_typer(recipe.app, name="recipe")
app.command("inspect", epilog=epilog("inspect"))(inspect.inspect)


def _show_version(wanted: bool) -> None:
    if wanted:
        from loopcell import __version__

        typer.echo(f"loopcell {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Recurrent networks whose cells are their equations."""


def main() -> None:
    """Run the command line."""
    app()
