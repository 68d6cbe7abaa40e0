"""`loopcell compare JOB ...`: cells on one job side by side, as a table and a page.

A job is a problem with a known answer (recall, adding, copying), or one of `loopcell train` with its files and flags.
It may be said as a flag too: `loopcell compare reviews.csv --job classify`.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from loopcell.cli.examples import epilog
from loopcell.cli.file_lists import FilesCommand
from loopcell.cli.flags import Settings, flags_of, with_flags
from loopcell.cli.job_files import checked_settings, demand_output, going_on, read_job
from loopcell.cli.reporting import Debug, reporting, say
from loopcell.cli.standard_input import as_files
from loopcell.cli.train_verbs import VERBS, Files, Held, Run, Verb
from loopcell.cli.values import demand_sizes, find_cell, parse_names
from loopcell.comparison.settings import ProblemSettings
from loopcell.errors import UsageError
from loopcell.training.run_folder import free_folder

if TYPE_CHECKING:
    from loopcell.comparison import Comparison, OnData, OnProblem
    from loopcell.equations import Cell

ON_FILES = ("classify", "regress", "tag", "lm", "forecast")
NOT_SHARED = ("cell", "random_state", "time_limit", "devices", "log_every", "save_every")
"""Settings that each run has its own of, that are of a whole command, or of a run folder of `loopcell train`."""
ENDINGS = (".html", ".json", ".csv")

Cells = Annotated[str, typer.Option("--cells", metavar="CELL,...", help="Names, or FILE.py:NAME of your own.")]
Seeds = Annotated[int, typer.Option("--seeds", help="How many times each is trained, with a seed each.")]
BudgetName = Annotated[str, typer.Option("--budget", help="What is the same for every cell: units or parameters.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write: the page, or .json or .csv.")]
Show = Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")]


class JobGroup(TyperGroup):
    """The jobs as verbs; a job that is typed as `--job NAME` is put in front."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the job in front of the other arguments, and parse."""
        return super().parse_args(ctx, in_front(args))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the job's command; UsageError names the jobs where there is none."""
        with reporting(debug=False):
            if args[0] not in self.commands:
                jobs = ", ".join(self.commands)
                raise UsageError(f"{args[0]!r} is no job; say which one with --job: {jobs}")
        return super().resolve_command(ctx, args)


def in_front(args: list[str]) -> list[str]:
    """Return arguments with the value of --job as the first one, and without the flag."""
    for place, arg in enumerate(args):
        name, given, value = arg.partition("=")
        if name == "--job":
            after = place + 1 if given else place + 2
            return [value or "".join(args[place + 1 : after]), *args[:place], *args[after:]]
    return args


app = typer.Typer(
    cls=JobGroup,
    help="Compare cells on one job: what each reaches, how far back, and what it costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Compare cells on one job: what each reaches, how far back, and what it costs.

    A job on data may be said behind its files, too: `loopcell compare reviews.csv --job classify`.
    """


def problem_command(name: str) -> Callable[..., None]:
    """Make the command of a problem with a known answer."""
    flags = flags_of(ProblemSettings)

    @with_flags(flags)
    def command(
        *,
        cells: Cells = "rnn,gru,lstm",
        seeds: Seeds = 3,
        budget: BudgetName = "units",
        output: Output = Path("comparison.html"),
        run: Run = None,
        show: Show = False,
        debug: Debug = False,
        **typed: Any,
    ) -> None:
        with reporting(debug):
            settings = Settings(flags, typed)
            shared = settings.build(ProblemSettings)
            chosen = _cells(cells, shared)
            _demand_writable(output)
            from loopcell.comparison import OnProblem

            job = OnProblem(name=name, **settings.given(ProblemSettings))
            _compare(job, chosen, (seeds, budget), run or free_folder(Path("runs"), f"compare-{name}"), (output, show))

    command.__doc__ = PROBLEMS[name]
    return command


PROBLEMS = {
    "recall": "Compare cells on delayed recall: which symbol was marked, so many steps ago?",
    "adding": "Compare cells on the adding problem: the sum of two marked numbers among so many.",
    "copying": "Compare cells on copying: ten symbols, said again after so many blanks.",
}


def data_command(verb: Verb) -> Callable[..., None]:
    """Make the command of a job on files."""
    flags = tuple(flag for flag in verb.flags() if flag.field not in NOT_SHARED)

    @with_flags(flags)
    def command(  # noqa: PLR0913 - one argument a flag
        files: Files,
        val: Held = None,
        *,
        cells: Cells = "rnn,gru,lstm",
        seeds: Seeds = 3,
        budget: BudgetName = "units",
        output: Output = Path("comparison.html"),
        run: Run = None,
        show: Show = False,
        debug: Debug = False,
        **typed: Any,
    ) -> None:
        with reporting(debug):
            chosen, job = _on_files(verb, Settings(flags, typed), cells, as_files(files, val))
            _demand_writable(output)
            folder = run or free_folder(Path("runs"), f"compare-{files[0].stem}")
            _compare(job, chosen, (seeds, budget), folder, (output, show))

    command.__doc__ = f"Compare cells on data: {verb.help[:1].lower()}{verb.help[1:]}"
    return command


def _on_files(
    verb: Verb, settings: Settings, cells: str, paths: tuple[list[Path], list[Path] | None]
) -> tuple[list[Cell], OnData]:
    """Open files as `loopcell train` does, and read them once for all runs."""
    chosen = _cells(cells, checked_settings(verb, settings))
    job = read_job(verb, settings, *paths)
    from loopcell.comparison import OnData

    return chosen, OnData(estimator=job.estimator, examples=job.examples, validation=job.validation, data=job.data)


def _cells(names: str, settings: Any) -> list[Cell]:
    """Return the cells that were typed; UsageError for one that there is not, or that lacks a size."""
    found = [find_cell(name) for name in parse_names(names)]
    sizes: dict[str, int] = settings.sizes or {}
    named = {name for cell in found for name in cell.sizes}
    for name, size in sizes.items():
        if name not in named or name in ("input", "hidden"):
            raise UsageError(f"--size {name}={size}: no cell of {names} has such a size")
    for cell in found:
        demand_sizes(cell, replace(settings, sizes={name: size for name, size in sizes.items() if name in cell.sizes}))
    return found


def _compare(
    job: OnProblem | OnData, cells: list[Cell], how: tuple[int, Any], folder: Path, output: tuple[Path, bool]
) -> None:
    """Compare, print the table and write the page.

    Args:
        job: what is learned.
        cells: which.
        how: the number of seeds, and the budget.
        folder: where each run is written.
        output: the file to write, and whether it is opened.
    """
    from loopcell.comparison import compare

    with going_on(folder):
        found = compare(job, cells, seeds=how[0], budget=how[1], folder=folder, progress=True)
    _report(found, folder)
    found.save(output[0])
    say(f"wrote {output[0]}")
    if output[1]:
        webbrowser.open(output[0].resolve().as_uri())


def _report(found: Comparison, folder: Path) -> None:
    typer.echo(found.table())
    for name, score in found.baselines.items():
        typer.echo(f"{name}: {found.metric} {score:.3f}")
    if found.solved is not None:
        typer.echo(f"solved: {found.metric} {found.solved:g} or {'more' if found.larger_is_better else 'less'}")
    say(f"runs:  {folder}")


def _demand_writable(output: Path) -> None:
    """Refuse a file that could not be written after hours of training: of another ending, or in no such folder."""
    if output.suffix.lower() not in ENDINGS:
        raise UsageError(f"--output names a file that ends in {', '.join(ENDINGS)}, not {output.name}")
    demand_output(output)


for _name in PROBLEMS:
    app.command(_name, epilog=epilog(f"compare {_name}"))(problem_command(_name))
for _name in ON_FILES:
    app.command(_name, cls=FilesCommand, epilog=epilog(f"compare {_name}"))(data_command(VERBS[_name]))
