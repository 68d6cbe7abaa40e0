"""`loopcell tune JOB FILE...`: settings are searched for on what is held out; a table, a plot, and the best model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.compare import NOT_SHARED
from loopcell.cli.examples import epilog
from loopcell.cli.file_lists import FilesCommand
from loopcell.cli.flags import Settings, flags_of, with_flags
from loopcell.cli.job_files import demand_output, going_on, read_job
from loopcell.cli.reporting import Debug, reporting, say
from loopcell.cli.standard_input import as_files
from loopcell.cli.train_verbs import VERBS, Files, Held, Run, Verb
from loopcell.errors import UsageError
from loopcell.training.run_folder import free_folder

SEARCHED = ("classify", "regress", "tag", "lm", "forecast")
NO_FLAG_HERE = tuple(name for name in NOT_SHARED if name not in ("cell", "random_state"))

Search = Annotated[
    list[str] | None,
    typer.Option(
        "--search",
        metavar="NAME=VALUES",
        help="An argument and what it is chosen from: hidden_size=32,64,128 or learning_rate=1e-4..1e-2; may be given "
        "again. Without any: rate, size, layers, dropout and, of series, history and segments, but what flags set.",
    ),
]
Trials = Annotated[int, typer.Option("--trials", min=1, help="How many trainings, with those of --run before.")]
Prune = Annotated[bool, typer.Option("--prune/--no-prune", help="End trials early that are behind the others.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write: the plot (.png, .svg, .pdf), .json or .csv.")
]

app = typer.Typer(
    help="Search for the settings that do best on what is held out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def command_of(verb: Verb, name: str) -> Callable[..., None]:
    """Make the command of a job."""
    flags = (*verb.files, *(flag for flag in flags_of(verb.settings) if flag.field not in NO_FLAG_HERE))

    @with_flags(flags)
    def command(
        files: Files,
        val: Held = None,
        *,
        search: Search = None,
        trials: Trials = 20,
        prune: Prune = True,
        run: Run = None,
        output: Output = None,
        debug: Debug = False,
        **typed: Any,
    ) -> None:
        with reporting(debug):
            if output is not None:
                demand_output(output)
            settings, paths = Settings(flags, typed), as_files(files, val)
            folder = run or free_folder(Path("runs"), f"tune-{name}-{files[0].stem}")
            _tune(verb, settings, paths, search or [], (trials, prune, folder), output)

    command.__doc__ = f"Search for settings: {verb.help[:1].lower()}{verb.help[1:]}"
    return command


def _tune(
    verb: Verb,
    settings: Settings,
    paths: tuple[list[Path], list[Path] | None],
    search: list[str],
    how: tuple[int, bool, Path],
    output: Path | None,
) -> None:
    """Search, print the table and write the file.

    Args:
        verb: the kind of model.
        settings: what was typed for it and for its files.
        paths: what to train on, and what is held out.
        search: what is searched, as it was typed.
        how: the number of trials, whether some end early, and the folder.
        output: the file to write.
    """
    job = read_job(verb, settings, *paths)
    from loopcell.tuning import tune
    from loopcell.tuning.results import demand_ending

    if output is not None:
        demand_ending(output)
    trials, prune, folder = how
    space = _space(job.estimator, search, set(settings.given(verb.settings)))
    say(f"searched: {', '.join(f'{key} {choices}' for key, choices in _words(space).items())}")
    with going_on(folder):
        found = tune(
            job.estimator, *job.examples, space=space, trials=trials, validation=job.validation,
            seed=job.estimator.random_state or 0, prune=prune, folder=folder, progress=True,
        )  # fmt: skip
    typer.echo(found.table())
    if output is not None:
        found.save(output)
        say(f"wrote {output}")
    say(f"model: {folder} (the best trial's; its score was chosen by: on new data it will be a little worse)")


def _space(estimator: Any, search: list[str], given: set[str]) -> dict[Any, Any]:
    """Return what is searched: what was typed, or the usual arguments that no flag sets."""
    from loopcell.tuning.space import names_of, parse_choices, usual_space

    if not search:
        usual = usual_space(estimator)
        return {key: choices for key, choices in usual.items() if not given.intersection(names_of(key))}
    found: dict[str, Any] = {}
    for words in search:
        name, equals, choices = words.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if not equals or not choices.strip():
            raise UsageError(f"--search {words}: NAME=VALUES was expected, such as hidden_size=32,64,128")
        if name in found:
            raise UsageError(f"--search {words}: {name} is named twice")
        if name in given:
            raise UsageError(f"--search {words}: --{name.replace('_', '-')} sets it; leave out one of the two")
        found[name] = parse_choices(choices)
    return found


def _words(space: dict[Any, Any]) -> dict[str, str]:
    from loopcell.tuning.space import joined

    return {joined(key): str(choices) for key, choices in space.items()}


for _name in SEARCHED:
    app.command(_name, cls=FilesCommand, epilog=epilog(f"tune {_name}"))(command_of(VERBS[_name], _name))
