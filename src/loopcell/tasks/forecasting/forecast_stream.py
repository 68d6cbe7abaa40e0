"""Forecaster.stream: after each row the forecast of the steps that follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from loopcell.data import Series
from loopcell.tasks.forecasting.network import Memory
from loopcell.tasks.forecasting.results import Forecast
from loopcell.tasks.forecasting.series_stream import SeriesSteps
from loopcell.tasks.forecasting.settings import SeriesSettings
from loopcell.tasks.forecasting.state import StoredHistory, of_parts, parts_of


@dataclass(frozen=True)
class ForecastSteps(SeriesSteps[StoredHistory, Forecast]):
    """The steps of a forecaster.

    Attributes:
        fields: the names of the numbers of a forecast.
        after: gives the forecast after new rows, and what is kept, from what was kept before.
        fits: says whether something kept could be the model's.
        moved: puts a memory where the network is.
    """

    fields: tuple[str, ...]
    after: Callable[[Series, StoredHistory | None], tuple[Forecast, StoredHistory]]
    fits: Callable[[StoredHistory], bool]
    moved: Callable[[Memory], Memory]

    names = ("forecast",)

    def announces(self, settings: SeriesSettings) -> bool:
        """Return whether a row with an empty target tells of a time to come: where covariates or times need it."""
        return bool(settings.known) or not settings.regular

    def begin(self, series: Series) -> tuple[Forecast, StoredHistory]:
        """Read the first rows."""
        return self.after(series, None)

    def go_on(self, new: Series, kept: StoredHistory) -> tuple[Forecast, StoredHistory]:
        """Read rows that follow."""
        return self.after(new, kept)

    def parts(self, kept: StoredHistory) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what is kept as JSON values and tensors."""
        return parts_of(kept)

    def of_parts(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> StoredHistory:
        """Return what `parts` gave; ValueError for what is another model's."""
        found = of_parts(facts, tensors)
        if not self.fits(found):
            raise ValueError("its tensors are not those of this network's state")
        return found._replace(memory=self.moved(found.memory))

    def record(self, result: Forecast | None) -> dict[str, Any]:
        """Return the steps to come, each with its time; nothing while there is no forecast."""
        if result is None:
            return {}
        return {"forecast": [{name: cell for name, cell in row.items() if name != "series"} for row in result.rows()]}

    def flat(self, result: Forecast | None) -> list[Any]:
        """Return the mean and the quantiles of each target, step after step."""
        if result is None:
            return [None] * len(self.fields)
        return [
            number
            for step in range(len(result.mean))
            for column in range(len(result.target_names))
            for number in (float(result.mean[step, column]), *result.quantiles[step, column].tolist())
        ]


def flat_names(targets: Sequence[str], horizon: int, levels: Sequence[float]) -> tuple[str, ...]:
    """Return the names of a forecast's numbers: `load_t+1`, `load_t+1_0.1`, ..."""
    ends = ("", *(f"_{level:g}" for level in levels))
    return tuple(f"{name}_t+{step}{end}" for step in range(1, horizon + 1) for name in targets for end in ends)
