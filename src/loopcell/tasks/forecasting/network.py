"""Networks of forecasts: what all have in common, and the one that reads a series step by step.

It sees at every step the last values relative to the newest one, and recurrent layers read these.

For target k at step t, with the last d values on the scale of the series:

    u_t = (x_{t-d+1} - x_t, ..., x_{t-1} - x_t, 0)
    y_t = recurrent layers over [u_t, x_t, covariates of t]
    forecast of t + j: x_t + (A u_t)_j + head_j(y_t, what is known of t + j)

So a series that wanders off is read like one that stays; A is a linear autoregression beside the network (as in Lai et
al.: LSTNet, 2018, arXiv 1703.07015).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from loopcell.layers import State
from loopcell.tasks.core.estimator import Loss
from loopcell.tasks.core.estimator.own_loss import counted
from loopcell.tasks.core.inputs.cell_inputs import inputs_asked
from loopcell.tasks.core.networks.many_to_one import precise
from loopcell.tasks.core.networks.reader import recurrent_layers
from loopcell.tasks.forecasting.asked import Steps, inputs_of
from loopcell.tasks.forecasting.encoding import ColumnEncoder
from loopcell.tasks.forecasting.examples import SeriesBatch
from loopcell.tasks.forecasting.heads import Head
from loopcell.tasks.forecasting.holes import NewestValues, begun, carried_on, told, windows_of
from loopcell.tasks.forecasting.settings import ForecasterSettings, SeriesSettings
from loopcell.tasks.forecasting.sizes import Sizes


class Memory(NamedTuple):
    """The memory of B series, which the network needs to go on.

    Attributes:
        recent: [d, B, K], the last d values; in place of a missing one the newest before it.
        recurrent: the state of the recurrent layers, of B * K rows or of B.
        ages: [d, B, K], how long ago each of them came; None where they all were there.
        passed: [d, B], the time from the step before each; None where it is 1, or where nothing goes by it.
    """

    recent: Tensor
    recurrent: State
    ages: Tensor | None = None
    passed: Tensor | None = None


class SeriesNetwork(nn.Module):
    """Forecasts of the next f steps after every step: what all networks of them have in common.

    Args:
        sizes: how many columns there are.
        head: what is said of a value.
        settings: how much is read.
        steps: f.

    Attributes:
        history: h, steps that are read before the first forecast that counts.
        lags: d, how many of the last values a forecast goes by at once.
        origins: the most forecasts of an example in training.
        multivariate: whether all targets of a series are read at once.
        columns: of a row: K, or 1.
    """

    head_kind: Head
    origins: int

    def __init__(self, settings: SeriesSettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__()
        self.sizes, self.head_kind, self.steps = sizes, head, steps
        self.history, self.lags = settings.history, settings.lags or settings.history
        self.origins, self.multivariate = settings.history, settings.multivariate
        self.columns = sizes.targets if settings.multivariate else 1

    @abstractmethod
    def start(self, first: Tensor) -> Memory:
        """Return the memory of series that begin with the values [B, K]: as if they had always been there."""

    @abstractmethod
    def read(self, values: Tensor, covariates: Tensor, memory: Memory | None = None) -> tuple[Tensor, Tensor, Memory]:
        """Read values [T, B, K], on the scale of each series, and covariates [T, B, P + Q] of the same steps.

        Args:
            values: T is at least 1; NaN where one is missing.
            covariates: those known ahead, then the others.
            memory: of what was read before; None at the beginning.

        Returns:
            What `forecast` is to know of each step beside the last values at it, [T, ...]; these, [T, B, K, d]; and the
            memory after the last step.
        """

    @abstractmethod
    def forecast(self, outputs: Tensor, windows: Tensor, known: Tensor) -> Tensor:
        """Return the n numbers of each value to come, [N, B, K, f, n].

        Args:
            outputs: of N steps, as `read` gives them.
            windows: [N, B, K, d], the last values at these.
            known: [N, B, f, P], what is known of the steps to come.
        """

    def remembers(self, memory: Memory) -> bool:
        """Return whether a memory, of one series, could be this network's."""
        own = self.start(memory.recent.new_zeros(1, self.sizes.targets))
        looks = ({name: (one.shape, one.dtype) for name, one in each.recurrent.items()} for each in (own, memory))
        numbers = [memory.recent] if memory.ages is None else [memory.recent, memory.ages]
        recent = all(one.shape == own.recent.shape and one.dtype == torch.float32 for one in numbers)
        passed = memory.passed is None or (
            memory.passed.shape == own.recent.shape[:2] and memory.passed.dtype == torch.float32
        )
        return recent and passed and next(looks) == next(looks)

    def moved(self, memory: Memory) -> Memory:
        """Return a memory on the device of the network."""
        device = next(self.parameters()).device
        ages, passed = (None if one is None else one.to(device) for one in (memory.ages, memory.passed))
        return Memory(memory.recent.to(device), memory.recurrent.to(device), ages, passed)


class SingleNetwork(SeriesNetwork):
    """Forecasts by weights of its own: a network that encodes covariates, fills holes and learns.

    Args:
        settings: how much is read.
        sizes: how many columns there are.
        head: what is said of a value.
        steps: f.
    """

    def __init__(self, settings: SeriesSettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__(settings, sizes, head, steps)
        self.fill = settings.fill
        varying = sizes.known - sizes.static
        codes = sizes.known_codes.items()
        self.known_in = ColumnEncoder(varying, {at: count for at, count in codes if at < varying})
        self.static_in = ColumnEncoder(sizes.static, {at - varying: count for at, count in codes if at >= varying})
        self.past_in = ColumnEncoder(sizes.past, sizes.past_codes)
        self.known_width = self.known_in.width + self.static_in.width

    def encoded(self, covariates: Tensor) -> Tensor:
        """Return covariates [..., P + Q] with the vectors of their categories; what is static before what is past."""
        known, past = torch.split(covariates, [self.sizes.known, self.sizes.past], -1)
        return torch.cat([self.encoded_known(known), self.past_in(past)], -1)

    def encoded_known(self, known: Tensor) -> Tensor:
        """Return covariates known ahead [..., P] likewise; what is static is last."""
        varying, static = torch.split(known, [self.sizes.known - self.sizes.static, self.sizes.static], -1)
        return torch.cat([self.known_in(varying), self.static_in(static)], -1)

    def carried(self, memory: Memory, values: Tensor, covariates: Tensor) -> NewestValues:
        """Return the values in `memory` and after them [T, B, K] without holes, and their ages."""
        passed = None if self.sizes.passed is None else self.passed(covariates)
        return carried_on(NewestValues(memory.recent, memory.ages, memory.passed), values, passed)

    def kept(self, seen: NewestValues, recurrent: State) -> Memory:
        """Return the memory after the last of some values; straight lines in time go by the times between them."""
        passed = seen.last_passed(self.lags) if self.fill == "interpolate" else None
        return Memory(seen.values[-self.lags :], recurrent, seen.last_ages(self.lags), passed)

    def passed(self, covariates: Tensor) -> Tensor:
        """Return the time from the step before, [T, B], from covariates [T, B, P + Q]; 1 where times are even."""
        column = self.sizes.passed
        return covariates.new_ones(covariates.shape[:-1]) if column is None else covariates[..., column].exp()

    # --- training --------------------------------------------------------------------------------------------------

    def loss(self, batch: SeriesBatch, own: Callable[[Tensor, Tensor], Any] | None = None) -> Loss:
        """Return the head's loss, summed over every value that every forecast of the batch was to say.

        Args:
            batch: segments of series.
            own: a function of means [M] and values [M], in place of the head's loss.
        """
        first, f = self.history, self.steps
        read = len(batch.values) - f
        covariates = torch.cat([batch.known, batch.past], -1)
        outputs, windows, _ = self.read(batch.values[:read], covariates[:read])
        known = batch.known[first:].unfold(0, f, 1).transpose(2, 3)  # [m, B, f, P]
        true = batch.values[first:].unfold(0, f, 1)  # [m, B, K, f]
        found = self.forecast(outputs[first - 1 :], windows[first - 1 :], known)
        counts = torch.arange(len(true), device=true.device).unsqueeze(1) < batch.origins
        there = counts[..., None, None] & ~true.isnan()
        if own is not None:
            return counted(own(self.head_kind.mean(found)[there], true[there]), int(there.sum()))
        losses = self.head_kind.loss(found, true.nan_to_num(0.0), batch.scale.unsqueeze(-1))
        return Loss((losses * there).sum(), int(there.sum()))


class ForecastNetwork(SingleNetwork):
    """Forecasts by recurrent layers that read a series step by step.

    Args:
        settings: the cell and the sizes.
        sizes: how many columns there are.
        head: what is said of a value.
        steps: f.
    """

    def __init__(self, settings: SeriesSettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__(settings, sizes, head, steps)
        self.dropout = nn.Dropout(settings.dropout)
        self.asked = inputs_asked(settings.cell)
        self.told = self.lags + 1 if sizes.masked and "mask" not in self.asked else 0
        input_size = self.columns * (self.lags + 1 + self.told) + self.known_width + self.past_in.width
        self.recurrent = recurrent_layers(settings, input_size)
        self.straight = nn.Linear(self.lags, steps)
        nn.init.zeros_(self.straight.weight)  # it begins as the naive forecast
        nn.init.zeros_(self.straight.bias)
        self.context = nn.Linear(self.recurrent.output_size, steps * self._context_size(settings))
        self.ahead = self._ahead(settings) if sizes.known else None

    def _context_size(self, settings: SeriesSettings) -> int:
        return settings.hidden_size if self.sizes.known else self.columns * self.head_kind.numbers

    def _ahead(self, settings: SeriesSettings) -> nn.Module:
        """Return the n numbers, from what is known of a step to come and the context of its place in the horizon."""
        return nn.Sequential(
            _RectifiedContext(settings.hidden_size) if self.sizes.signed else nn.ReLU(),
            nn.Linear(settings.hidden_size + self.known_width, settings.hidden_size),
            nn.ReLU(),
            nn.Linear(settings.hidden_size, self.columns * self.head_kind.numbers),
        )

    # --- reading ---------------------------------------------------------------------------------------------------

    def start(self, first: Tensor) -> Memory:
        """Return the memory of series that begin with the values [B, K]: as if they had always been there."""
        rows = first.shape[0] * (1 if self.multivariate else first.shape[1])
        recent, ages, _ = begun(first, self.lags)
        return Memory(recent, self.recurrent.initial_state(rows), ages)

    def read(self, values: Tensor, covariates: Tensor, memory: Memory | None = None) -> tuple[Tensor, Tensor, Memory]:
        """Read values [T, B, K], on the scale of each series, and covariates [T, B, P + Q] of the same steps.

        Args:
            values: T is at least 1; NaN where one is missing.
            covariates: those known ahead, then the others.
            memory: of what was read before; None at the beginning.

        Returns:
            Outputs [T, R, O] with R rows (B * K, or B where targets are read together), the last values at each step
            [T, B, K, d], and the memory after the last step.
        """
        memory = self.start(values[0]) if memory is None else memory
        seen = self.carried(memory, values, covariates)
        windows, ages = windows_of(seen, self.lags, self.fill)
        inputs = self.dropout(self._inputs(windows, ages, self.encoded(covariates))).to(self.straight.weight.dtype)
        beside = self._beside(seen, inputs, covariates) if self.asked else {}
        outputs, recurrent = self.recurrent(inputs, memory.recurrent, **beside)
        return self.dropout(outputs), windows, self.kept(seen, recurrent)

    def _inputs(self, windows: Tensor, ages: Tensor | None, covariates: Tensor) -> Tensor:
        """Return [T, R, I] of windows [T, B, K, d], the ages of their values, and covariates [T, B, C]."""
        newest = windows[..., -1:]
        found = torch.cat([windows - newest, newest, *([told(ages, windows)] if self.told else [])], -1)
        if self.multivariate:
            return torch.cat([found.flatten(2), covariates], -1)
        spread = covariates.unsqueeze(2).expand(-1, -1, windows.shape[2], -1)
        return torch.cat([found, spread], -1).flatten(1, 2)

    def _beside(self, seen: NewestValues, inputs: Tensor, covariates: Tensor) -> dict[str, Tensor]:
        """Return the further inputs of the cell, for inputs [T, R, I]."""
        steps = Steps(seen, self.lags, self.passed(covariates), self.columns, self.told, inputs.shape[-1])
        return inputs_of(self.asked, steps, inputs)

    def forecast(self, outputs: Tensor, windows: Tensor, known: Tensor) -> Tensor:
        """Return the n numbers of each value to come, [N, B, K, f, n].

        Args:
            outputs: [N, R, O], of N steps.
            windows: [N, B, K, d], the last values at these.
            known: [N, B, f, P], what is known of the steps to come.
        """
        steps, batch, targets, _ = windows.shape
        context = self.context(outputs).unflatten(-1, (self.steps, -1))  # [N, R, f, C]
        if self.ahead is not None:
            ahead = (
                self.encoded_known(known).repeat_interleave(1 if self.multivariate else targets, 1).to(context.dtype)
            )
            context = self.ahead(torch.cat([context, ahead], -1))
        rows = targets // self.columns  # of a series
        found = context.reshape(steps, batch, rows, self.steps, self.columns, self.head_kind.numbers)
        # [N, B, rows, f, columns of a row, n]: one of the two is K, and the other 1.
        found = precise(found.transpose(3, 4).flatten(2, 3))
        newest = windows[..., -1:]
        place = newest + precise(self.straight((windows - newest).to(self.straight.weight.dtype)))
        located = self.head_kind.located
        return torch.cat([found[..., :located] + place.unsqueeze(-1), found[..., located:]], -1)


class _RectifiedContext(nn.Module):
    """ReLU of the first numbers [..., :size], the context; what is known of a step to come keeps its sign."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, numbers: Tensor) -> Tensor:
        """Rectify the context."""
        return torch.cat([numbers[..., : self.size].relu(), numbers[..., self.size :]], -1)


class ForecasterNetwork(ForecastNetwork):
    """A network of forecasts whose quantiles are moved.

    Args:
        settings: the cell and the sizes.
        sizes: how many columns and series there are.
        head: what is said of a value.
        steps: how many steps the network looks ahead at once.

    Attributes:
        shift: [f, K, Q], what is added to the quantiles, on the scale of the series.
    """

    shift: Tensor

    def __init__(self, settings: ForecasterSettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__(settings, sizes, head, steps)
        self.register_buffer("shift", torch.zeros(settings.horizon, sizes.targets, len(head.levels)))
