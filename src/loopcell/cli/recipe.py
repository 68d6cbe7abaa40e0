"""`loopcell recipe ett`: a table of published figures, trained and scored anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loopcell.cli import early
from loopcell.cli.compare import Seeds
from loopcell.cli.examples import epilog
from loopcell.cli.job_files import going_on
from loopcell.cli.reporting import Debug, reporting, say
from loopcell.cli.score_table import print_table
from loopcell.cli.train_verbs import Run
from loopcell.errors import UsageError
from loopcell.files.writable import demand_folder

if TYPE_CHECKING:
    from loopcell.tasks.core.score_table import ScoreTable
    from loopcell.tasks.forecasting.long_horizons import LoadSet, TableColumn

TABLE = "96,192,336,720"
RUN = Path("runs/recipe-ett")  # the same one each time, so that a table is gone on with by the same command

Set = Annotated[str, typer.Option("--set", help="The series: ETTh1, ETTh2, ETTm1 or ETTm2.")]
Horizons = Annotated[str, typer.Option("--horizons", metavar="STEPS,...", help="Steps ahead, a column each.")]
Horizon = Annotated[str | None, typer.Option("--horizon", hidden=True, help="The same as --horizons.")]
History = Annotated[
    int, typer.Option("--history", min=1, help="Steps that are read before the first forecast that counts in training.")
]
Networks = Annotated[
    int, typer.Option("--ensemble", min=1, max=100, help="K networks in one model: their forecasts are averaged.")
]
Table = Annotated[
    Path | None, typer.Option("--path", metavar="FILE", help="The set's file; else it is fetched (ETTh1 only).")
]
Small = Annotated[bool, typer.Option("--small", help="Little data and time, to see that it works.")]

app = typer.Typer(
    help="Train and score what a table of published figures has, anew.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Train and score what a table of published figures has, anew."""


@app.command("ett", epilog=epilog("recipe ett"))
def ett(  # noqa: PLR0913 - one argument a flag
    set_: Set = "ETTh1",
    horizons: Horizons = TABLE,
    *,
    horizon: Horizon = None,
    history: History = 96,
    ensemble: Networks = 1,
    seeds: Seeds = 3,
    path: Table = None,
    run: Run = None,
    small: Small = False,
    debug: Debug = False,
) -> None:
    """Forecast all columns of a transformer's loads, and print errors beside those of the papers.

    Every window of the test part counts: 2,785 of 96 steps. Models are kept in the run's folder as they are
    trained, and the same command goes on.
    """
    with reporting(debug):
        if horizon is not None and horizons != TABLE:
            raise UsageError("--horizon is the same as --horizons: leave out one of the two")
        columns = _steps(horizon or horizons)
        early.demand_there(path, "--path")
        folder = run or RUN
        demand_folder(folder)
        if seeds < 1:
            raise UsageError(f"--seeds {seeds}: one at least was expected")
        from loopcell.tasks.forecasting.long_horizons import TableColumn, load_set, table_of

        one = load_set(set_)
        files = path or _fetched(one), folder
        folder.mkdir(parents=True, exist_ok=True)
        with going_on(folder):
            asked = [TableColumn(steps, history, ensemble) for steps in columns]
            scores = {column: _scores(one, column, seeds, files, small=small) for column in asked}
        print_table(table_of(scores, one.name))


def _fetched(one: LoadSet) -> Path:
    from loopcell.data import fetch

    known = dict(fetch("ett"))
    name = f"{one.name}.csv"
    if name not in known:
        raise UsageError(f"--set {one.name}: only {', '.join(known)} can be fetched; name its file (--path)")
    return known[name]


def _steps(horizons: str) -> list[int]:
    """Return the horizons that were typed."""
    words = [word.strip() for word in horizons.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) for word in words) or len(set(words)) < len(words):
        raise UsageError(f"--horizons {horizons}: numbers of steps were expected, each once, such as 96,192,336,720")
    return [int(word) for word in words]


def _scores(
    one: LoadSet, column: TableColumn, seeds: int, files: tuple[Path, Path], *, small: bool
) -> list[ScoreTable]:
    """Train one column with each seed, and return the test part's figures.

    Args:
        one: the set.
        column: the horizon and the history.
        seeds: how many.
        files: the table, and the folder of the models.
        small: with little data.
    """
    from loopcell.tasks.forecasting.long_horizons import fitted, forecaster

    table, folder = files
    found: list[ScoreTable] = []
    for seed in range(1, seeds + 1):
        networks = f"-of-{column.ensemble}" if column.ensemble > 1 else ""
        name = f"{one.name}-{column.horizon}-{column.history}{networks}-{seed}{'-small' if small else ''}.safetensors"
        model = fitted(forecaster(one, column, seed, small=small), table, folder / name)
        score = model.score_held_out(table)
        assert score is not None  # there is a split
        found.append(score)
    say(f"{column.name}: {found[0].data}")
    return found
