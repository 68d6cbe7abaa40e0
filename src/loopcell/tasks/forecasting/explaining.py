"""Explanation: which columns and which lags forecasts stand on, by integrated gradients.

A forecast goes by the last h values, the covariates of these steps and what is known of the steps to come. Each of
these numbers gets a share of the difference between the forecast and the one of a quiet history, where every number is
the mean of training (categories and what is missing stay as they are, and get no share): integrated gradients
(Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, 2017, arXiv 1703.01365), whose shares add up to that
difference. The gradients are those of the library's own backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.errors import UsageError
from loopcell.insight.attribution import attribute
from loopcell.insight.plots import BLUE, axes_on, brief, style
from loopcell.tasks.core.estimator import device_of
from loopcell.tasks.forecasting.network import SeriesNetwork
from loopcell.tasks.forecasting.scaled import ScaledSeries

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

POINTS = 32  # on the way from the quiet history
SHOWN = 8  # columns and lags of a picture or a text


@dataclass(frozen=True, eq=False)
class Explanation:
    """Shares that past and known numbers have in forecasts of one target of one series, in its units.

    Attributes:
        series: its name; target: the one that is forecast.
        step: how far ahead, from 1; None for the mean over the horizon.
        columns: C names: the targets, covariates known ahead (of the calendar too), those that are static, past ones.
        lags: int64 [S]: how many steps a number stands before the first step that is forecast: `history`, ..., 1; and
            0, -1, ... of covariates of the steps to come.
        values: float64 [N, S, C]: what each number adds to each forecast, against the quiet history.
        answer, base: float64 [N], the forecasts of N places, read from `history` steps before each, and of the quiet
            history.
    """

    series: str
    target: str
    step: int | None
    columns: tuple[str, ...]
    lags: npt.NDArray[np.int64]
    values: Floats
    answer: Floats
    base: Floats

    @property
    def by_column(self) -> dict[str, float]:
        """Return what matters of each column: the mean absolute shares, summed over lags, largest first."""
        return _falling(self.columns, np.abs(self.values).mean(0).sum(0))

    @property
    def by_lag(self) -> dict[int, float]:
        """Return the same of each lag, summed over the columns, largest first."""
        return _falling(self.lags.tolist(), np.abs(self.values).mean(0).sum(1))

    @property
    def gap(self) -> Floats:
        """Return what the shares do not explain of answer - base, [N]: near 0."""
        found: Floats = self.answer - self.base - self.values.sum((1, 2))
        return found

    def lines(self) -> list[str]:
        """Return in words which columns and which lags matter most."""
        ahead = "the mean of the horizon" if self.step is None else f"step {self.step}"
        who = f"{self.series}, {self.target}" if self.series else self.target
        return [
            f"{who}: forecasts of {ahead} from {len(self.answer):,} places",
            f"columns: {_named(self.by_column)}",
            f"lags: {_named(self.by_lag)}",
        ]

    def to_frame(self, library: Any = None) -> Any:
        """Return a data frame of mean absolute shares: a row for each lag, a column for each column of the table.

        Args:
            library: "pandas" or "polars"; None takes pandas where it is installed, and else polars.
        """
        from loopcell.tasks.forecasting.frames import library_of

        shares = np.abs(self.values).mean(0)
        columns = {name or "value": shares[:, at] for at, name in enumerate(self.columns)}
        return library_of(library).DataFrame({"lag": self.lags, **columns})

    def plot(self, ax: Any = None) -> Any:
        """Draw what matters at each lag, a bar for each lag and a colour for each of the columns that matter most.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `found.plot().figure`.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
        """
        shares, most = np.abs(self.values).mean(0), list(self.by_column)[:SHOWN]
        with style():
            ax, bottom = axes_on(ax, 7.0, 3.2), np.zeros(len(self.lags))
            for name in most:
                height = shares[:, self.columns.index(name)]
                color = {"color": BLUE} if len(most) == 1 else {}
                ax.bar(self.lags, height, bottom=bottom, width=0.9, label=brief(name or "value"), **color)
                bottom = bottom + height
            ax.invert_xaxis()
            ax.set_xlabel("steps before the first one that is forecast")
            ax.set_ylabel(f"adds to {self.target or 'the forecast'}", parse_math=False)
            ax.legend(fontsize=8)
        return ax


def explained(
    network: SeriesNetwork, one: ScaledSeries, places: Places, names: Sequence[str], asked: tuple[int, int | None]
) -> Explanation:
    """Return what the forecasts of places of a series stand on.

    Args:
        network: trained.
        one: the series, with the covariates of the steps that the last place forecasts.
        places: [N], each with `history` steps before it.
        names: of the covariates, those known ahead first.
        asked: the number of the target; and how far ahead, from 1, or None for the mean over all steps.
    """
    x, (column, step) = _windows(network, one, places), asked
    targets, known = one.values.shape[1], one.known.shape[1]
    scale = float(one.scale.size[column])
    missing, x = x.isnan(), x.nan_to_num(0.0)

    def answer(numbers: Tensor) -> Tensor:
        numbers = numbers.masked_fill(missing, torch.nan)
        values, covariates = numbers[..., :targets], numbers[..., targets:]
        outputs, windows, _ = network.read(values[: network.history], covariates[: network.history])
        ahead = covariates[network.history :, :, :known].transpose(0, 1).unsqueeze(0)  # [1, N, f, P]
        found = network.head_kind.mean(network.forecast(outputs[-1:], windows[-1:], ahead))[0, :, column]  # [N, f]
        return found.mean(-1) if step is None else found[:, step - 1]

    found = attribute(answer, x, baseline=_quiet(network, x, targets), steps=POINTS)
    assert found.base is not None
    shares = found.values.transpose(0, 1).double().cpu().numpy() * scale
    values, columns = _by_name(shares, [*one.series.target_names, *names])
    mean = float(one.scale.mean[column])
    ends = (part.double().cpu().numpy() * scale + mean for part in (found.answer, found.base))
    lags = np.arange(network.history, -network.steps, -1)
    return Explanation(one.series.name, one.series.target_names[column], step, columns, lags, values, *ends)


def _windows(network: SeriesNetwork, one: ScaledSeries, places: Places) -> Tensor:
    """Return [h + f, N, K + P + Q]: what was before each place, and of the steps after it what is known."""
    steps = places + np.arange(-network.history, network.steps)[:, None]
    numbers = np.concatenate([one.values, one.known, one.past], 1)[np.minimum(steps, len(one) - 1)]
    numbers[network.history :, :, : one.values.shape[1]] = 0.0
    numbers[network.history :, :, numbers.shape[2] - one.past.shape[1] :] = 0.0
    return torch.from_numpy(numbers).to(device_of(network))


def _quiet(network: SeriesNetwork, x: Tensor, targets: int) -> Tensor:
    """Return the quiet history for windows [h + f, N, ...]: means of training, which are 0, and the categories of x.

    Between two categories there is nothing, so these get no share.
    """
    sizes = network.sizes
    codes = [*(targets + at for at in sizes.known_codes), *(targets + sizes.known + at for at in sizes.past_codes)]
    base = torch.zeros_like(x)
    base[..., codes] = x[..., codes]
    return base


def _by_name(values: Floats, every: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """Return shares [N, S, C] with those of one name, such as the two waves of a day, added up, and the names."""
    plain = [name.removesuffix(" sine").removesuffix(" cosine") for name in every]
    names = tuple(dict.fromkeys(plain))
    columns = [values[..., [at for at, other in enumerate(plain) if other == name]].sum(-1) for name in names]
    return np.stack(columns, -1), names


def demand_step(step: int | None, horizon: int) -> None:
    """Refuse a step that is not forecast; UsageError says which are."""
    if step is not None and (not isinstance(step, int) or isinstance(step, bool) or not 1 <= step <= horizon):
        raise UsageError(f"step is from 1 to {horizon}, which the model forecasts at once, or None; got {step!r}")


def _falling(names: Sequence[Any], values: Floats) -> dict[Any, float]:
    return {names[at]: float(values[at]) for at in np.argsort(-values, kind="stable")}


def _named(shares: dict[Any, float]) -> str:
    whole = sum(shares.values()) or 1.0
    return ", ".join(
        f"{'value' if name == '' else name} {share / whole:.0%}" for name, share in list(shares.items())[:SHOWN]
    )
