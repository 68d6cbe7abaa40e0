"""AnomalyDetector.stream: the score of each row, by the forecasts that were made before it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Series
from loopcell.data.examples import Scale
from loopcell.errors import DataError, InputError
from loopcell.layers import State
from loopcell.tasks.core.estimator import device_of
from loopcell.tasks.core.streaming.stream import demand_state
from loopcell.tasks.forecasting.network import Memory, SeriesNetwork
from loopcell.tasks.forecasting.scaled import ScaledSeries, named
from loopcell.tasks.forecasting.series_stream import SeriesSteps
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
        outputs: [n, R, O], of the last n <= f steps, the newest first.
        windows: [n, 1, K, d], the last values at these.
    """

    scale: Scale
    memory: Memory
    outputs: Tensor
    windows: Tensor


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
    scaled: Callable[[Series, Scale | None], ScaledSeries]
    distance: Callable[[Floats], Floats]
    threshold: float
    still: list[int]

    names = fields = ("score", "anomaly")

    def begin(self, series: Series) -> tuple[None, Watched]:
        """Read the first rows, of which none has a score."""
        one = self.scaled(series, None)
        with torch.no_grad():
            outputs, windows, memory = read_steps(self.network, one, slice(0, one.steps), None)
        return None, Watched(one.scale, memory, outputs[-1:], windows[-1:])

    def go_on(self, new: Series, kept: Watched) -> tuple[Detection | None, Watched]:
        """Score a row, and read it."""
        one = self.scaled(new, kept.scale)
        if one.steps != 1:
            raise DataError(f"{named(new, 0)}: the value is missing")
        with torch.no_grad():
            found = self._scored(one, kept) if len(kept.outputs) == self.network.steps else None
            outputs, windows, memory = read_steps(self.network, one, slice(0, 1), kept.memory)
        last = [torch.cat(pair)[: self.network.steps] for pair in ((outputs, kept.outputs), (windows, kept.windows))]
        return found, Watched(kept.scale, memory, *last)

    def _scored(self, one: ScaledSeries, kept: Watched) -> Detection:
        """Hold a step against the forecasts of it: of the place j + 1 steps back that of its step j."""
        network, f = self.network, self.network.steps
        known = torch.from_numpy(one.known).to(kept.windows.device).expand(f, 1, f, -1)
        ahead = network.head_kind.mean(network.forecast(kept.outputs, kept.windows, known))[:, 0]  # [f, K, f]
        forecasts = ahead.diagonal(dim1=0, dim2=2).double().cpu().numpy().T.copy()  # [f, K]
        forecasts[:, self.still] = 0.0
        score = float(self.distance((one.values[0].astype(np.float64) - forecasts).reshape(1, -1))[0])
        if not np.isfinite(score):
            raise InputError(
                f"{named(one.series, 0)}: the score is not a number: a value there or before is far beyond those of "
                "training, or the weights are damaged"
            )
        return Detection(score, score > self.threshold)

    # --- state -----------------------------------------------------------------------------------------------------

    def parts(self, kept: Watched) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what is kept as JSON values and tensors."""
        scale = {f"scale.{name}": torch.from_numpy(values) for name, values in kept.scale._asdict().items()}
        states = {f"state.{name}": tensor for name, tensor in kept.memory.recurrent.items()}
        more = {"recent": kept.memory.recent, "outputs": kept.outputs, "windows": kept.windows}
        tensors = {name: tensor.contiguous().cpu() for name, tensor in {**scale, **states, **more}.items()}
        return {"states": list(kept.memory.recurrent)}, tensors

    def of_parts(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Watched:
        """Return what `parts` gave; ValueError or KeyError for what is another model's."""
        own = self._example()
        scale = Scale(*(tensors[f"scale.{name}"].double().numpy() for name in Scale._fields))
        recurrent = demand_state({name: tensors[f"state.{name}"] for name in facts["states"]}, own.memory.recurrent)
        (recent,) = demand_state({"recent": tensors["recent"]}, State(recent=own.memory.recent)).values()
        count = len(tensors["outputs"])
        like = State(outputs=own.outputs, windows=own.windows)
        last = [demand_state({name: tensors[name][at : at + 1] for name in like}, like) for at in range(count)]
        if not 1 <= count <= self.network.steps or len(tensors["windows"]) != count or not _same(scale, own.scale):
            raise ValueError("its tensors do not fit each other")
        outputs, windows = (torch.cat([one[name] for one in last]) for name in like)
        return Watched(scale, Memory(recent, recurrent), outputs, windows)

    def _example(self) -> Watched:
        """Return the same after one step of zeros."""
        sizes, device = self.network.sizes, device_of(self.network)
        values = torch.zeros(1, 1, sizes.targets, device=device)
        with torch.no_grad():
            covariates = torch.zeros(1, 1, sizes.known + sizes.past, device=device)
            outputs, windows, memory = self.network.read(values, covariates)
        return Watched(Scale(*np.zeros((2, sizes.targets))), memory, outputs, windows)

    # --- results ---------------------------------------------------------------------------------------------------

    def record(self, result: Detection | None) -> dict[str, Any]:
        """Return the score and the alarm; a step without a score is none."""
        return {"anomaly": False} if result is None else result._asdict()

    def flat(self, result: Detection | None) -> list[Any]:
        """Return the score and the alarm as cells."""
        return [None, False] if result is None else list(result)


def _same(scale: Scale, own: Scale) -> bool:
    return all(one.shape == like.shape for one, like in zip(scale, own, strict=True))
