"""The result of a search: its trials as a table and as a picture, and the best model."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from loopcell.comparison.plain_json import json_of
from loopcell.errors import InputError
from loopcell.files.atomic import atomic_write
from loopcell.insight.plots import BLUE, FORMS, GREY, axes_on, save_figure, style
from loopcell.tasks.core.verdict import LOSSES, aligned, number
from loopcell.tuning.trials import Trial

SHOWN = 10  # trials of a table


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the best finished trial, of equal ones the first; None where none finished."""
    finished = [trial for trial in trials if trial.cost is not None]
    return min(finished, key=lambda trial: trial.cost or 0.0, default=None)


def line_of(trial: Trial) -> str:
    """Return one trial as a line."""
    said = ", ".join(f"{name}={_brief(value)}" for name, value in trial.settings.items())
    how = {
        "finished": f"{trial.metric} {number(trial.score)}",
        "pruned": f"ended early after {len(trial.figures)} {'pass' if len(trial.figures) == 1 else 'passes'}",
        "failed": f"failed: {trial.reason}",
    }[trial.state]
    return f"{how}  {said}  ({trial.seconds:.1f} s)"


@dataclass(frozen=True, eq=False)
class Tuning:
    """The trials of a search.

    Attributes:
        trials: all of them, in order.
        searched: what was searched, in words, by argument.
        best_estimator: the fitted estimator of the best trial.
        exhausted: True where every choice was made before there were as many trials as were asked for.
    """

    trials: Sequence[Trial]
    searched: Mapping[str, str]
    best_estimator: Any
    exhausted: bool = False

    def __repr__(self) -> str:
        return f"Tuning({len(self.trials)} trials; {self.metric} {number(self.best.score)} with {self.best_settings})"

    @property
    def best(self) -> Trial:
        """The best trial."""
        found = best_of(self.trials)
        assert found is not None  # a search without one ends in an error
        return found

    @property
    def best_settings(self) -> dict[str, Any]:
        """The arguments of the best trial that were searched."""
        return dict(self.best.settings)

    @property
    def metric(self) -> str:
        """The name of the scores."""
        return self.best.metric

    @property
    def larger_is_better(self) -> bool:
        """True where the larger of two scores is the better one."""
        return self.metric not in LOSSES

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every trial; `pandas.DataFrame(tuning.records())` is a table."""
        left_out = ("settings", "choices", "figures")
        return [
            {**{name: value for name, value in asdict(trial).items() if name not in left_out}, **trial.settings}
            for trial in self.trials
        ]

    def table(self) -> str:
        """Return the best trials as text, the best one first, and how many ended early or failed."""
        finished = sorted((trial for trial in self.trials if trial.cost is not None), key=lambda trial: trial.cost or 0)
        names = list(finished[0].settings)
        rows = {
            f"trial {trial.number}": [
                number(trial.score), *(_brief(trial.settings[name]) for name in names), f"{trial.seconds:.1f} s"
            ]
            for trial in finished[:SHOWN]
        }  # fmt: skip
        states = [trial.state for trial in self.trials]
        told = f"{len(states)} trials: {states.count('finished')} finished, {states.count('pruned')} ended early"
        told += f", {states.count('failed')} failed" if "failed" in states else ""
        told += "; every choice was made" if self.exhausted else ""
        return "\n".join([told, *aligned([self.metric, *names, "time"], rows)])

    def to_json(self) -> dict[str, Any]:
        """Return everything but the model as plain values."""
        trials = [
            {**row, "figures": list(trial.figures)} for row, trial in zip(self.records(), self.trials, strict=True)
        ]
        return {
            "metric": self.metric,
            "larger_is_better": self.larger_is_better,
            "searched": dict(self.searched),
            "best": self.best_settings,
            "best_score": self.best.score,
            "trials": trials,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores trial by trial, with the best one so far; a grey mark below stands for one that ended early.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `tuning.plot().figure`.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
        """
        finished = [trial for trial in self.trials if trial.cost is not None]
        so_far = [best_of(finished[: count + 1]) for count in range(len(finished))]
        numbers = [trial.number + 1 for trial in finished]
        with style():
            ax = axes_on(ax)
            ax.plot(numbers, [trial.score for trial in finished], "o", color=GREY, label="trial", markersize=4)
            ax.step(numbers, [best.score for best in so_far if best], where="post", color=BLUE, label="best so far")
            ended = [trial.number + 1 for trial in self.trials if trial.cost is None]
            if ended:
                ax.plot(
                    ended, [0.02] * len(ended), "x", color=GREY, transform=ax.get_xaxis_transform(), label="ended early"
                )
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.set_xlabel("trial")
            ax.set_ylabel(f"{self.metric}, held out")
            ax.legend(fontsize=8)
        return ax

    def save(self, path: str | PathLike[str]) -> None:
        """Write the search in the form that the name asks for.

        Args:
            path: `.json` is everything but the model, `.csv` a row for every trial, `.png`, `.svg` and `.pdf` the plot.

        Raises:
            InputError: another ending.
            FileWriteError: the folder is missing or may not be written, or the disk is full.
            MissingExtraError: matplotlib is not installed, which a plot needs.
        """
        target = Path(path)
        demand_ending(target)
        writer = WRITERS.get(target.suffix.lower())
        if writer is None:
            save_figure(self.plot().figure, target)
            return
        with atomic_write(target) as temporary:
            writer(self, temporary)


def demand_ending(path: Path) -> None:
    """Refuse a name in none of the forms of a search; InputError."""
    endings = (*WRITERS, *FORMS)
    if path.suffix.lower() not in endings:
        raise InputError(f"{path.name}: a search is saved as {', '.join(endings)}")


def _write_json(found: Tuning, path: Path) -> None:
    path.write_text(json_of(found.to_json()), encoding="utf-8")


def _write_csv(found: Tuning, path: Path) -> None:
    rows = found.records()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


WRITERS: dict[str, Callable[[Tuning, Path], None]] = {".json": _write_json, ".csv": _write_csv}


def _brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
