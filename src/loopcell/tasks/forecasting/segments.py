"""The network of segments: recurrent layers read the last values in pieces of w steps, and answer for all to come.

For target k with the last h values x_1, ..., x_h on the scale of the series, cut into h / w segments s_i:

    z = (x - a) / b            a, b by `normalise`: the last value and 1; mean and deviation of the h values; 0 and 1
    h_i = cell(relu(E [z, covariates] of s_i), h_{i-1})
    y_j = cell([position j, channel k] + K [what is known of the segment j to come], h_{h / w})
    forecast of the segment j: a + b (O y_j)

The segments to come are answered side by side, each one step from the same state: errors do not add up on the way.
Targets are rows with the same weights, told apart by a learned vector each. Lin et al.: SegRNN: Segment Recurrent
Neural Network for Long-Term Time Series Forecasting, 2023 (arXiv 2308.11200), section 3; mean and deviation of the
window as in Kim et al.: Reversible Instance Normalization against Distribution Shift, 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell import cells
from loopcell.errors import UsageError
from loopcell.layers import State, branch
from loopcell.tasks.core.inputs.cell_inputs import inputs_asked
from loopcell.tasks.core.networks.many_to_one import precise
from loopcell.tasks.core.networks.reader import recurrent_layers
from loopcell.tasks.forecasting.heads import Head
from loopcell.tasks.forecasting.holes import NewestValues, begun, logged, windows_of
from loopcell.tasks.forecasting.network import Memory, SingleNetwork
from loopcell.tasks.forecasting.settings import ForecasterSettings, NormaliseName
from loopcell.tasks.forecasting.sizes import Sizes

ROWS = 1 << 14  # segments that are answered at once where nothing is learned
LEAST = 1e-5  # added to the variance of a window: one that stands still is not divided by nothing


def _last(windows: Tensor) -> tuple[Tensor, Tensor]:
    return windows[..., -1:], torch.ones_like(windows[..., -1:])


def _window(windows: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(windows, -1, correction=0, keepdim=True)
    return mean, torch.sqrt(variance + LEAST)


def _levels(windows: Tensor, there: Tensor, how: NormaliseName) -> Tensor:
    """Return what stands for missing values of windows [..., h], which is taken off them later: [..., 1]."""
    if how == "window":
        count = there.sum(-1, keepdim=True)
        mean = (windows * there).sum(-1, keepdim=True) / count.clamp(min=1)
        return torch.where(count > 0, mean, windows[..., -1:])
    return windows[..., -1:] if how == "last" else torch.zeros_like(windows[..., -1:])


def _nothing(windows: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(windows[..., -1:]), torch.ones_like(windows[..., -1:])


NORMALISATIONS: dict[NormaliseName, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "last": _last,
    "window": _window,
    "none": _nothing,
}
"""What is taken off windows [..., h], and by what they are divided then: both [..., 1]."""


class SegmentNetwork(SingleNetwork):
    """Forecasts from the segments of the last h values.

    Args:
        settings: the cell, the sizes and the length of a segment.
        sizes: how many columns there are.
        head: what is said of a value.
        steps: f.

    Attributes:
        segment: w.
        positions: a learned vector for each of the ceil(f / w) segments to come; channels: for each target.
        shift: [f, K, Q], what is added to the quantiles, on the scale of the series.
    """

    shift: Tensor

    def __init__(self, settings: ForecasterSettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__(settings, sizes, head, steps)
        assert settings.segment is not None
        if inputs_asked(settings.cell):
            raise UsageError(
                f"cell `{cells.get(settings.cell).name}` reads what is known of each step, and segments are many steps "
                "at once: leave out segment, or take another cell"
            )
        self.segment, self.origins = settings.segment, 1
        self.normalised: NormaliseName = settings.normalise or "last"
        self.normalise = NORMALISATIONS[self.normalised]
        width = settings.hidden_size
        own = 0 if settings.multivariate else width // 2  # of a vector, the part that tells the target
        numbers = self.columns * (3 if sizes.masked else 1) + self.known_in.width + self.past_in.width
        self.first = nn.Linear(self.segment * numbers, width)
        self.static = nn.Linear(self.static_in.width, width, bias=False) if sizes.static else None
        self.recurrent = recurrent_layers(settings, width)
        self.positions = nn.Parameter(torch.randn(math.ceil(steps / self.segment), width - own))
        self.channels = nn.Parameter(torch.randn(sizes.targets // self.columns, own))
        self.ahead = nn.Linear(self.segment * self.known_in.width, width) if self.known_in.width else None
        self.dropout = nn.Dropout(settings.dropout)
        self.out = nn.Linear(self.recurrent.output_size, self.segment * self.columns * head.numbers)
        self.register_buffer("shift", torch.zeros(settings.horizon, sizes.targets, len(head.levels)))

    # --- reading ---------------------------------------------------------------------------------------------------

    def start(self, first: Tensor) -> Memory:
        """Return the memory of series that begin with the values [B, K]; covariates were zero before.

        The covariates of the last h steps, [h, B, P + Q], are kept as a state, where there are any.
        """
        width = self.known_width + self.past_in.width
        recent, ages, _ = begun(first, self.lags)
        return Memory(recent, _kept(first.new_zeros(self.lags, len(first), width)), ages)

    def read(self, values: Tensor, covariates: Tensor, memory: Memory | None = None) -> tuple[Tensor, Tensor, Memory]:
        """Read values [T, B, K] and covariates [T, B, P + Q]: nothing is computed, since each window is read anew.

        Returns:
            What stands beside the last h values at each step [T, B, C, h]: the covariates, and where the network is
            told which values are missing, which are there and their ages; the values [T, B, K, h]; and the memory.
        """
        memory = self.start(values[0]) if memory is None else memory
        seen, covariates = self.carried(memory, values, covariates), self.encoded(covariates)
        before = memory.recurrent.get("covariates", covariates.new_zeros(self.lags, *covariates.shape[1:]))
        beside = torch.cat([before, covariates])
        (windows, ages), around = self._windows(seen), beside.unfold(0, self.lags, 1)[1:]
        if self.sizes.masked:
            ages = torch.zeros_like(windows) if ages is None else ages
            around = torch.cat([around, (ages == 0).to(around.dtype), logged(ages).to(around.dtype)], 2)
        return around, windows, self.kept(seen, _kept(beside[-self.lags :]))

    def _windows(self, seen: NewestValues) -> tuple[Tensor, Tensor | None]:
        """Return the last h values at each step, filled, and their ages."""
        windows, ages = windows_of(seen, self.lags, self.fill)
        if ages is None or self.fill != "mask":
            return windows, ages
        there = ages == 0
        return torch.where(there, windows, _levels(windows, there, self.normalised)), ages

    # --- forecasts -------------------------------------------------------------------------------------------------

    def forecast(self, outputs: Tensor, windows: Tensor, known: Tensor) -> Tensor:
        """Return the n numbers of each value to come, [N, B, K, f, n].

        Args:
            outputs: [N, B, C, h], what stands beside the last h values.
            windows: [N, B, K, h], the values.
            known: [N, B, f, P], what is known of the steps to come.
        """
        if torch.is_grad_enabled():
            return self._answers(outputs, windows, known)
        rows = windows.shape[1] * len(self.channels) * len(self.positions)  # of a step
        parts = (torch.split(part, max(1, ROWS // rows)) for part in (outputs, windows, known))
        return torch.cat([self._answers(*some) for some in zip(*parts, strict=True)])

    def _answers(self, outputs: Tensor, windows: Tensor, known: Tensor) -> Tensor:
        place, size = self.normalise(windows)
        _, state = self.recurrent(self._segments((windows - place) / size, outputs))
        state = state.map(lambda part: part.unflatten(1, (*windows.shape[:2], len(self.channels))))
        answers = branch(self.recurrent, self._queries(known), state)  # [m, N, B, rows, O]
        found = self.out(self.dropout(answers)).movedim(0, 3)
        # From [N, B, rows, m, w, columns of a row, n] to [N, B, K, f, n]: rows or columns of a row are K, the others 1.
        found = found.reshape(*found.shape[:4], self.segment, self.columns, self.head_kind.numbers)
        found = precise(found.flatten(3, 4)[:, :, :, : self.steps].transpose(3, 4).flatten(2, 3))
        located = self.head_kind.located
        return torch.cat([found[..., :located] * size.unsqueeze(-1) + place.unsqueeze(-1), found[..., located:]], -1)

    def _segments(self, values: Tensor, beside: Tensor) -> Tensor:
        """Return the segments [h / w, rows, H] of values [N, B, K, h] and what stands beside them [N, B, C, h]."""
        # The sizes are named, since of no window at all none could be told: [N, B, rows, columns, h].
        batch, shape = values.shape[:2], (*values.shape[:2], len(self.channels), self.columns, self.history)
        known, static, past = self.known_in.width, self.static_in.width, self.past_in.width
        told = beside.shape[2] - known - static - past
        varying, never, others, masks = torch.split(beside, [known, static, past, told], 2)
        own = [values, *(masks.chunk(2, 2) if self.sizes.masked else ())]
        shared = [part.unsqueeze(2).expand(-1, -1, shape[2], -1, -1) for part in (varying, others)]
        steps = torch.cat([*(part.reshape(shape) for part in own), *shared], 3).flatten(0, 2)
        steps = steps.to(self.first.weight.dtype)
        cut = steps.reshape(*steps.shape[:2], self.history // self.segment, self.segment).permute(2, 0, 1, 3).flatten(2)
        found = self.first(cut)
        if self.static is not None:
            about: Tensor = self.static(never[..., -1].to(found.dtype)).unsqueeze(2)
            found = found + about.expand(*batch, shape[2], -1).flatten(0, 2)
        return functional.relu(found)

    def _queries(self, known: Tensor) -> Tensor:
        """Return what is asked for each segment to come and row, [m, N, B, rows, H], of known [N, B, f, P].

        Where nothing is known, the same is asked of all windows: [m, 1, 1, rows, H].
        """
        count, rows = len(self.positions), len(self.channels)
        positions = self.positions.unsqueeze(1).expand(-1, rows, -1)
        own = torch.cat([positions, self.channels.expand(count, -1, -1)], -1)[:, None, None]
        if self.ahead is None:
            return own
        varying = self.known_in(known[..., : self.sizes.known - self.sizes.static])
        padded = functional.pad(varying.to(own.dtype), (0, 0, 0, count * self.segment - self.steps))
        told: Tensor = self.ahead(padded.reshape(*known.shape[:2], count, self.segment * self.known_in.width))
        return own + told.movedim(2, 0).unsqueeze(3)


def _kept(covariates: Tensor) -> State:
    """Return the covariates of the last steps as a state; nothing where there are none."""
    return State(covariates=covariates) if covariates.shape[-1] else State()
