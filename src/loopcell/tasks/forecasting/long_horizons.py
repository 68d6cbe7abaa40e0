"""The table of the papers about long horizons: loads and oil temperature of transformers, 96 to 720 steps ahead.

Zhou and others measured two transformers for two years, by the hour (ETTh1, ETTh2) and by the quarter of an hour
(ETTm1, ETTm2). All columns are forecast. The split is the papers': 12 months to train on, 4 to choose the weights by, 4
to test, whose first histories reach back into validation; of the forecasts from every step of the test part none is
dropped. Errors are of values standardised by the mean and deviation of the training part, as the papers' are.

A GRU reads the history in segments, and answers for all segments to come side by side (Lin et al.: SegRNN, 2023, arXiv
2308.11200). Settings were chosen on the validation part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loopcell.errors import UsageError
from loopcell.tasks.core.estimator.stored import NOT_KEPT
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.forecaster import Forecaster
from loopcell.tasks.forecasting.settings import ForecasterSettings

MONTH = 30 * 24  # hours, as the papers count


class LoadSet(NamedTuple):
    """One of the sets.

    Attributes:
        name: as the papers have it.
        per_hour: steps of an hour.
    """

    name: str
    per_hour: int

    @property
    def split(self) -> tuple[int, int, int]:
        """The rows of the training, the validation and the test part."""
        year, third = 12 * MONTH * self.per_hour, 4 * MONTH * self.per_hour
        return year, third, third


SETS = {one.name: one for one in (LoadSet("ETTh1", 1), LoadSet("ETTh2", 1), LoadSet("ETTm1", 4), LoadSet("ETTm2", 4))}


class TableColumn(NamedTuple):
    """One column of the table.

    Attributes:
        horizon: steps ahead.
        history: steps that are read.
        ensemble: networks, whose forecasts are averaged.
    """

    horizon: int
    history: int = 96
    ensemble: int = 1

    @property
    def name(self) -> str:
        """Return how its column is called."""
        read = "" if self.history == TableColumn(0).history else f" from {self.history}"
        return f"{self.horizon}{read}" + (f" ({self.ensemble} networks)" if self.ensemble > 1 else "")

    @property
    def alone(self) -> TableColumn:
        """The same column by one network, whose settings and published figures hold."""
        return self._replace(ensemble=1)


COLUMNS = (TableColumn(96), TableColumn(192), TableColumn(336), TableColumn(720))
SETTINGS: dict[str, Any] = {
    "time": "date",
    "target": "all",
    "segment": 48,
    "hidden_size": 256,
    "dropout": 0.5,
    "head": "mean",
    "loss": "mae",
    "batch_size": 64,
    "learning_rate": 2e-3,
    "weight_decay": 0.0,
    "epochs": 8,
    "patience": 8,
    "precision": "bf16-mixed",
}
LONG: dict[str, Any] = {"segment": 24, "loss": "mse", "epochs": 4, "learning_rate": 1e-3}
OTHERS: dict[TableColumn, dict[str, Any]] = {
    TableColumn(192): {"calendar": ("day", "week")},
    TableColumn(336): LONG,
    TableColumn(720): {**LONG, "epochs": 3},
    TableColumn(96, 720): {"epochs": 4},
    TableColumn(24, 336): {"epochs": 5, "segment": 24},
}
"""Settings of single columns beside the above."""

PUBLISHED: dict[str, dict[str, dict[TableColumn, float]]] = {
    "ETTh1": {
        "SegRNN": {
            TableColumn(96): 0.368,
            TableColumn(192): 0.408,
            TableColumn(336): 0.444,
            TableColumn(720): 0.446,
            TableColumn(96, 720): 0.351,
        },
        "iTransformer": {
            TableColumn(96): 0.386,
            TableColumn(192): 0.441,
            TableColumn(336): 0.487,
            TableColumn(720): 0.503,
        },
        "DLinear": {TableColumn(96): 0.386, TableColumn(192): 0.437, TableColumn(336): 0.481, TableColumn(720): 0.519},
    }
}
"""MSE as published, by set and model.

SegRNN: its table of a history of 96 (of 720 in the last column) in github.com/lss-1138/SegRNN; iTransformer and
DLinear: Liu et al.: iTransformer, 2023 (arXiv 2310.06625).
"""

SHOWN = {"MSE": "scaled MSE", "MAE": "scaled MAE"}
"""The figures of the table, as a score has them."""


def load_set(name: str) -> LoadSet:
    """Return the set of a name; UsageError where there is none."""
    if name not in SETS:
        raise UsageError(f"there is no set {name!r}: there are {', '.join(SETS)}")
    return SETS[name]


def forecaster(one: LoadSet, column: TableColumn, seed: int, *, small: bool = False) -> Forecaster:
    """Return the model of one column, which is not trained.

    Args:
        one: the set.
        column: the horizon and the history.
        seed: of all that is drawn.
        small: with 8 units and one pass over a few hundred rows, to see that it works.
    """
    settings: dict[str, Any] = {**SETTINGS, **OTHERS.get(column.alone, {}), **column._asdict(), "split": one.split}
    settings["season"] = 24 * one.per_hour
    if small:
        part = column.horizon + 100
        settings |= {"hidden_size": 8, "epochs": 1, "split": (column.history + part + 300, part, part)}
    return Forecaster(**settings, random_state=seed, progress=True)


def fitted(model: Forecaster, path: Path, file: Path) -> Forecaster:
    """Train a model and save it, or take the one of the same settings that is there.

    Args:
        model: not trained.
        path: the table.
        file: of the model.

    Raises:
        UsageError: the file has a model of other settings.
        DataError: the table cannot be used.
    """
    if not file.exists():
        model.fit(path).save(file)
        return model
    kept = Forecaster.load(file)
    asked, found = checked(model), checked(kept)
    names = [field.name for field in fields(ForecasterSettings) if field.name not in NOT_KEPT]
    other = [name for name in names if getattr(asked, name) != getattr(found, name)]
    if other:
        raise UsageError(
            f"{file} is a model of other settings ({', '.join(other)}): name another folder, or remove that file"
        )
    return kept


def table_of(scores: Mapping[TableColumn, Sequence[ScoreTable]], name: str) -> ScoreTable:
    """Return the table: of each column the means over the seeds, beside baselines and published figures.

    Args:
        scores: of each column the test part's figures, a seed each.
        name: of the set.
    """
    rows = {
        row: {
            f"{figure} {column.name}": mean(found, figure, row) for column, found in scores.items() for figure in SHOWN
        }
        for row in next(iter(scores.values()))[0].rows
    }
    for published, known in PUBLISHED.get(name, {}).items():
        rows[published] = {f"MSE {column.name}": known[column.alone] for column in scores if column.alone in known}
    seeds = max(map(len, scores.values()))
    return ScoreTable(
        f"{name}, standardised values of all columns, mean of {seeds} seed{'s' if seeds > 1 else ''}", rows
    )


def mean(scores: Sequence[ScoreTable], figure: str, row: str = "model") -> float:
    """Return the mean over the seeds of a figure of `SHOWN`, of the model or of a baseline."""
    return float(np.mean([score.rows[row][SHOWN[figure]] for score in scores]))
