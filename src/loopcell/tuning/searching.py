"""Searching for settings: an estimator is trained with one choice after another, and the best model is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console

from loopcell.comparison.contents import arguments_of, content_hash, data_arguments, shown_arguments
from loopcell.errors import DataError, InputError, TrainingError, UsageError
from loopcell.files.extras import require
from loopcell.tasks.core.models import load_model
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.core.verdict import headline
from loopcell.training.progress import working
from loopcell.tuning.results import Tuning, best_of, line_of
from loopcell.tuning.space import (
    Choices,
    Interval,
    Names,
    Space,
    checked_space,
    count_of,
    joined,
    names_of,
    settings_of,
    usual_space,
)
from loopcell.tuning.trials import Trial, TrialStore

USUAL_TRIALS = 20
ATTEMPTS = 10  # of the sampler at a choice that was not made yet, before it is drawn at random
DRAWN = 5  # the first trials, which are drawn at random and not pruned: there is nothing to learn from yet
FIRST_PASSES = 3  # that no trial ends in: the rate still rises, and the first losses tell little
NOTHING_HELD_OUT = (
    "settings are chosen by what is held out, and nothing is; try validation_fraction=..., or validation=..."
)
LOSS_NAMES = frozenset({"loss", "head", "quantiles", "class_weight"})
"""Arguments that change what a held-out loss means: trials are not told from each other early where one is searched."""


class _PrunedError(Exception):
    """Ends the training of a trial that is behind the others."""


class Drawing(Protocol):
    """An Optuna trial, as far as it is used here."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Choose one of a list."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """Choose a whole number."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Choose a number."""
        ...

    def report(self, value: float, step: int) -> None:
        """Keep an early figure."""
        ...

    def should_prune(self) -> bool:
        """Say whether the early figures are worse than the median of the others'."""
        ...


def tune(
    estimator: Any,
    *examples: Any,
    space: Space | None = None,
    trials: int = USUAL_TRIALS,
    validation: Any = None,
    seed: int = 0,
    prune: bool = True,
    folder: str | PathLike[str] | None = None,
    progress: bool = False,
) -> Tuning:
    """Search for the arguments with which an estimator does best on what it holds out.

    Optuna chooses: the first trials at random, the others by a model of what did well (a tree-structured Parzen
    estimator; Bergstra et al.: Algorithms for Hyper-Parameter Optimization, 2011). A trial whose held-out loss is worse
    than the median of the others' after as many passes ends early. The score is `score_held_out`'s first one that
    baselines have too. The best weights, and the best of so many trials, are chosen by the same part: on new data it
    will do a little worse, so keep a test part apart.

    Args:
        estimator: with its arguments, not fitted; those that are not searched stay.
        examples: what its `fit` takes by position: (X, y), or (texts,), or (table,).
        space: values by argument, a list or an `Interval`, such as {"hidden_size": (32, 64), "learning_rate":
            Interval(1e-4, 1e-2)}; by several arguments, lists of values that go together. None for `usual_space`.
        trials: how many there are in the end, with those that the folder has already.
        validation: what its `fit` takes as `validation`; None holds out a part, the same for every trial.
        seed: of the search, and of every training whose estimator has no `random_state`.
        prune: end trials early that are behind.
        folder: each trial is written there when it ends, and the best model so far; a second call goes on from there,
            with the choices that one call would have made. None keeps nothing.
        progress: show it on standard error.

    Raises:
        UsageError: an argument is unknown; no trial; or the folder is that of another search, or of other data.
        InputError: nothing is held out, or no trial has finished; the sentence names the last failure.
        MissingExtraError: Optuna is not installed (`pip install "loopcell[tune]"`).
        FileFormatError: the file of a trial in the folder is damaged.
        FileWriteError: the folder cannot be made, or may not be written.
        KeyboardInterrupt: it was interrupted; the trials that had ended are in the folder.
    """
    if not isinstance(trials, int) or trials < 1:
        raise UsageError(f"trials is how many, at least 1; got {trials!r}")
    if validation is None and estimator.validation_fraction == 0 and getattr(estimator, "split", None) is None:
        raise InputError(NOTHING_HELD_OUT)
    chosen = checked_space(estimator, usual_space(estimator) if space is None else space)
    kept = None if folder is None else Path(folder)
    searched = {name for key in chosen for name in names_of(key)}
    heading = {
        "task": estimator.task,
        "space": {joined(key): str(choices) for key, choices in chosen.items()},
        "arguments": shown_arguments(arguments_of(estimator, {*searched, "progress"})),
        "seed": seed,
        "pruning": prune,
        "contents": "" if kept is None else content_hash(examples, validation, data_arguments(arguments_of(estimator))),
    }
    job = _Job(estimator, examples, validation, seed)
    search = _Search(job, chosen, TrialStore(kept, heading), seed=seed, prune=prune)
    return search.run(trials, Console(stderr=True) if progress else None)


class _Job:
    """An estimator and its data."""

    def __init__(self, estimator: Any, examples: tuple[Any, ...], validation: Any, seed: int) -> None:
        self.estimator, self._examples, self._validation, self._seed = estimator, examples, validation, seed

    def trained(self, settings: Mapping[str, Any], after_pass: Callable[[Mapping[str, Any]], None]) -> Any:
        """Return the estimator, trained with some settings."""
        given = {**self.estimator.get_params(deep=False), **settings}
        if given.get("random_state") is None:
            given["random_state"] = self._seed
        given["callbacks"] = [*(given.get("callbacks") or ()), after_pass]
        estimator = type(self.estimator)(**given)
        # Of three parts of a series the validation part judges: the test part is not read, and nothing chosen by it.
        split = checked(estimator).split if getattr(estimator, "split", None) is not None else None
        if split is not None:
            estimator.set_params(split=split[:2])
        estimator.fit(*self._examples, validation=self._validation)
        return estimator

    def scored(self, estimator: Any) -> tuple[str, float]:
        """Return a metric and its value on what was held out, InputError where nothing was.

        The arguments that the search has set are those of the user again.
        """
        table: ScoreTable | None = estimator.score_held_out(*self._examples, validation=self._validation)
        own = self.estimator.get_params(deep=False)
        estimator.set_params(**{name: own[name] for name in ("callbacks", "split") if name in own})
        if table is None:
            raise InputError(NOTHING_HELD_OUT)
        metric = headline(table.rows)
        score = float(table.model[metric])
        if not math.isfinite(score):
            raise DataError(f"the {metric} on what was held out is no number")
        return metric, score


class _Search:
    """The trials of a search, and the best of them.

    The study is made anew of the trials before each new one, with a sampler that is seeded by its number: so a search
    that goes on makes the choices that it would have made at once.
    """

    def __init__(self, job: _Job, space: dict[Names, Choices], store: TrialStore, *, seed: int, prune: bool) -> None:
        self._optuna: Any = require("optuna", "tune", "a search needs")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)  # it would print each trial beside ours
        self._job, self._space, self._store, self._seed = job, space, store, seed
        self._prune = prune and not LOSS_NAMES.intersection(name for key in space for name in names_of(key))
        self._trials = [self._rebuilt(trial) for trial in store.trials(space)]
        self._model: Any = None

    def run(self, count: int, console: Console | None) -> Tuning:
        """Go on until there are so many trials, or until every choice was made."""
        self._store.settle(best_of(self._trials))
        while len(self._trials) < count and (drawn := self._drawn(len(self._trials))) is not None:
            with working(console, f"{len(self._trials) + 1}/{count}"):
                trial = self._made(*drawn)
            self._trials.append(trial)
            self._store.settle(best_of(self._trials))
            if console is not None:
                text = f"{len(self._trials)}/{count}  {line_of(trial)}"
                console.print(text, highlight=False, markup=False, soft_wrap=True)
        return self._found(count)

    def _found(self, count: int) -> Tuning:
        best = best_of(self._trials)
        if best is None:
            reason = next((trial.reason for trial in reversed(self._trials) if trial.reason), "")
            raise InputError(f"of {len(self._trials)} trials none finished; the last failure: {reason}")
        model = self._model if self._store.model is None or self._model is not None else load_model(self._store.model)
        searched = {joined(key): str(choices) for key, choices in self._space.items()}
        return Tuning(self._trials[:], searched, model, exhausted=len(self._trials) < count)

    # --- one trial -------------------------------------------------------------------------------------------------

    def _drawn(self, number: int) -> tuple[Drawing, dict[str, int | float]] | None:
        """Draw choices that were not made yet; None where every one was."""
        made = [trial.choices for trial in self._trials]
        if len(made) >= count_of(self._space):
            return None
        attempt = 0
        while True:
            drawing: Drawing = self._study((self._seed + number, attempt)).ask()
            choices = {joined(key): _draw(drawing, joined(key), choices) for key, choices in self._space.items()}
            if choices not in made:
                return drawing, choices
            attempt += 1

    def _study(self, draw: tuple[int, int]) -> Any:
        """Return a study that has the trials so far.

        Args:
            draw: the seed of the next choice, and how many choices before it had been made already: after some of them
                the sampler draws at random, since it would go on to say what did best.
        """
        optuna = self._optuna
        seed, attempt = int(np.random.SeedSequence(draw).generate_state(1)[0]), draw[1]
        at_random = DRAWN if attempt < ATTEMPTS else len(self._trials) + 1
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=at_random)
        pruner = optuna.pruners.MedianPruner(DRAWN, FIRST_PASSES) if self._prune else optuna.pruners.NopPruner()
        study = optuna.create_study(direction="minimize", sampler=sampler, pruner=pruner)
        ranges = {joined(key): self._distribution(choices) for key, choices in self._space.items()}
        for trial in self._trials:
            if trial.state != "failed":
                study.add_trial(
                    optuna.trial.create_trial(
                        state=STATES[trial.state](optuna.trial.TrialState),
                        params=dict(trial.choices),
                        distributions=ranges,
                        value=trial.cost,
                        intermediate_values=dict(enumerate(trial.figures)),
                    )
                )
        return study

    def _distribution(self, choices: Choices) -> Any:
        kinds = self._optuna.distributions
        if not isinstance(choices, Interval):
            return kinds.CategoricalDistribution(range(len(choices)))
        kind = kinds.IntDistribution if choices.whole else kinds.FloatDistribution
        return kind(choices.low, choices.high, log=choices.logarithmic)

    def _made(self, drawing: Drawing, choices: dict[str, int | float]) -> Trial:
        """Train one choice, score it, and keep what came of it."""
        figures: list[float] = []
        began = time.monotonic()
        trial = self._rebuilt(Trial(len(self._trials), {}, choices, "pruned", figures=figures))
        model = None
        try:
            model = self._job.trained(trial.settings, partial(_after_pass, drawing, figures))
            metric, score = self._job.scored(model)
            trial = replace(trial, state="finished", metric=metric, score=score)
        except (UsageError, InputError, DataError, TrainingError) as error:
            trial = replace(trial, state="failed", reason=str(error))
        except _PrunedError:
            pass
        trial = replace(trial, seconds=round(time.monotonic() - began, 2))
        best = best_of([*self._trials, trial]) is trial
        if best:
            self._model = model
        self._store.add(trial, model if best else None)
        return trial

    def _rebuilt(self, trial: Trial) -> Trial:
        """Return a trial with the settings that its choices stand for."""
        settings: dict[str, Any] = {}
        for key, choices in self._space.items():
            choice = trial.choices[joined(key)]
            value = choice if isinstance(choices, Interval) else choices[int(choice)]
            settings |= settings_of(key, value)
        return replace(trial, settings=settings)


def _after_pass(drawing: Drawing, figures: list[float], row: Mapping[str, Any]) -> None:
    """Keep the held-out loss of a pass, and end the training where it is behind."""
    loss = row.get("validation_loss")
    if loss is None:
        return
    drawing.report(float(loss), len(figures))
    figures.append(float(loss))
    if drawing.should_prune():
        raise _PrunedError


STATES: dict[str, Callable[[Any], Any]] = {
    "finished": lambda states: states.COMPLETE,
    "pruned": lambda states: states.PRUNED,
}


def _draw(drawing: Drawing, name: str, choices: Choices) -> int | float:
    if not isinstance(choices, Interval):
        return int(drawing.suggest_categorical(name, range(len(choices))))
    if choices.whole:
        return drawing.suggest_int(name, int(choices.low), int(choices.high), log=choices.logarithmic)
    return drawing.suggest_float(name, choices.low, choices.high, log=choices.logarithmic)
