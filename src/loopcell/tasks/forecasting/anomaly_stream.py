"""AnomalyDetector.stream: the score of each row, by the forecasts that were made before it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Series
from loopcell.data.examples import Scale
from loopcell.errors import InputError, UsageError
from loopcell.layers import State
from loopcell.layers.streaming.base import demand_state
from loopcell.tasks.core.estimator import device_of
from loopcell.tasks.forecasting.covariates import Before
from loopcell.tasks.forecasting.network import Memory, SeriesNetwork
from loopcell.tasks.forecasting.scaled import ScaledSeries, named
from loopcell.tasks.forecasting.series_stream import SeriesSteps
from loopcell.tasks.forecasting.state import memory_of_parts, memory_parts, time_from_json, time_to_json
from loopcell.tasks.forecasting.strategies import read_steps

Floats = npt.NDArray[np.float64]


class Detection(NamedTuple):
    """The answer of a detector to a step.

    Attributes:
        score: how far off its forecasts were, 1 being usual.
        anomaly: whether that is above the threshold.
    """

    score: float
    anomaly: bool


class Watched(NamedTuple):
    """The memory of one series.

    Attributes:
        scale: of its targets.
        memory: of the network, a batch of one.
        time: of the last step; newest: the newest number of each covariate that is a column.
        outputs: [n, R, O], of the last n <= f steps, the newest first.
        windows: [n, 1, K, d], the last values at these.
    """

    scale: Scale
    memory: Memory
    time: Any
    newest: Floats
    outputs: Tensor
    windows: Tensor


def demand_single_scores(smooth: int) -> None:
    """Refuse a stream of scores that are means over steps which have not come; UsageError."""
    if smooth > 1:
        raise UsageError(
            f"smooth={smooth}: a score is the mean of those of the steps around it, of which half have not come "
            "yet in a stream; train with smooth=1"
        )


@dataclass(frozen=True)
class DetectionSteps(SeriesSteps[Watched, Detection]):
    """The steps of a detector.

    Attributes:
        network: trained.
        scaled: puts a series on its scale, or on one that is given.
        distance: gives the score [N] of errors [N, f * K].
        threshold: above which a score is an alarm.
        still: the columns that are forecast to stay.
    """

    network: SeriesNetwork
    scaled: Callable[[Series, Scale | None, Before | None], ScaledSeries]
    distance: Callable[[Floats], Floats]
    threshold: float
    still: list[int]

    names = fields = ("score", "anomaly")

    def begin(self, series: Series) -> tuple[None, Watched]:
        """Read the first rows, of which none has a score."""
        one = self.scaled(replace(series, ahead=0), None, None)
        with torch.no_grad():
            outputs, windows, memory = read_steps(self.network, one, slice(0, one.steps), None)
        return None, Watched(one.scale, memory, series.times[-1], one.newest, outputs[-1:], windows[-1:])

    def go_on(self, new: Series, kept: Watched) -> tuple[Detection | None, Watched]:
        """Score rows, of which the last one counts, and read them."""
        one = self.scaled(replace(new, ahead=0), kept.scale, Before(kept.time, kept.newest))
        result, outputs, windows, memory = None, kept.outputs, kept.windows, kept.memory
        with torch.no_grad():
            for at in range(one.steps):
                full = len(outputs) == self.network.steps
                result = self._scored(one, at, outputs, windows) if full else None
                output, window, memory = read_steps(self.network, one, slice(at, at + 1), memory)
                outputs, windows = (
                    torch.cat(pair)[: self.network.steps] for pair in ((output, outputs), (window, windows))
                )
        return result, Watched(kept.scale, memory, new.times[-1], one.newest, outputs, windows)

    def _scored(self, one: ScaledSeries, at: int, outputs: Tensor, windows: Tensor) -> Detection | None:
        """Hold a step against its forecasts, of the place j + 1 steps back that of its step j; None without a value."""
        network, f, value = self.network, self.network.steps, one.values[at].astype(np.float64)
        known = torch.from_numpy(one.known[at : at + 1]).to(windows.device).expand(f, 1, f, -1)
        ahead = network.head_kind.mean(network.forecast(outputs, windows, known))[:, 0]  # [f, K, f]
        forecasts = ahead.diagonal(dim1=0, dim2=2).double().cpu().numpy().T.copy()  # [f, K]
        forecasts[:, self.still] = 0.0
        score = float(self.distance((value - forecasts).reshape(1, -1))[0])
        if np.isnan(one.series.target[at]).all():
            return None
        if not np.isfinite(score):
            raise InputError(
                f"{named(one.series, at)}: the score is not a number: a value there or before is far beyond those of "
                "training, or the weights are damaged"
            )
        return Detection(score, score > self.threshold)

    # --- state -----------------------------------------------------------------------------------------------------

    def parts(self, kept: Watched) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what is kept as JSON values and tensors."""
        facts, tensors = memory_parts(kept.memory, kept.scale, kept.newest)
        more = {"outputs": kept.outputs.contiguous().cpu(), "windows": kept.windows.contiguous().cpu()}
        return facts | time_to_json(kept.time, None), tensors | more

    def of_parts(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Watched:
        """Return what `parts` gave; ValueError or KeyError for what is another model's."""
        memory, scale, newest = memory_of_parts(facts, tensors)
        own = self._example()
        if not self.network.remembers(memory):
            raise ValueError("its tensors are not those of this network's state")
        count = len(tensors["outputs"])
        last = [demand_state({name: tensors[name][at : at + 1] for name in own}, own) for at in range(count)]
        if not 1 <= count <= self.network.steps or len(tensors["windows"]) != count:
            raise ValueError("its tensors do not fit each other")
        outputs, windows = (torch.cat([one[name] for one in last]) for name in own)
        time, _ = time_from_json(facts)
        return Watched(scale, self.network.moved(memory), time, newest, outputs, windows)

    def _example(self) -> State:
        """Return the output and the window of one step of zeros."""
        sizes, device = self.network.sizes, device_of(self.network)
        values = torch.zeros(1, 1, sizes.targets, device=device)
        covariates = torch.zeros(1, 1, sizes.known + sizes.past, device=device)
        with torch.no_grad():
            outputs, windows, _ = self.network.read(values, covariates)
        return State(outputs=outputs, windows=windows)

    # --- results ---------------------------------------------------------------------------------------------------

    def record(self, result: Detection | None) -> dict[str, Any]:
        """Return the score and the alarm; a step without a score is none."""
        return {"anomaly": False} if result is None else result._asdict()

    def flat(self, result: Detection | None) -> list[Any]:
        """Return the score and the alarm as cells."""
        return [None, False] if result is None else list(result)
