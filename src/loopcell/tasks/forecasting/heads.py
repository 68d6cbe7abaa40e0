"""The heads of a forecaster: from n numbers of the network to a loss, a mean, quantiles and draws.

The first `located` of the n numbers are places on the scale of the series; the network gives them relative to the
newest value and adds it. The last axis of every tensor is that of the n numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from loopcell.errors import UsageError
from loopcell.tasks.core.losses import POINT_LOSSES
from loopcell.tasks.forecasting.settings import POINT_HEADS, ForecasterSettings, HeadName, LossName

LEAST = 1e-3  # the smallest spread of a distribution, of a series with deviation 1


class Head(ABC):
    """One way to say what comes.

    Args:
        levels: Q levels between 0 and 1, rising.
        point: the loss of the mean, in heads that have one for it alone.

    Attributes:
        numbers: n, how many numbers the network gives for each value.
        located: how many of them are places.
        counts: whether values are counts, which are divided by a scale but not centred.
    """

    numbers: int
    located: int = 1
    counts: ClassVar[bool] = False

    def __init__(self, levels: Sequence[float], point: LossName = "mse") -> None:
        self.levels, self.point = tuple(levels), POINT_LOSSES[point]

    @abstractmethod
    def loss(self, found: Tensor, true: Tensor, scale: Tensor) -> Tensor:
        """Return the loss of each value, [...].

        Args:
            found: [..., n].
            true: [...].
            scale: [...], what the values were divided by.
        """

    def mean(self, found: Tensor) -> Tensor:
        """Return the expected value, [...]."""
        return found[..., 0]

    @abstractmethod
    def quantiles(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return the values at the levels, [..., Q]; [..., 0] where there are none."""

    @abstractmethod
    def draw(self, found: Tensor, scale: Tensor) -> Tensor:
        """Draw a value of each distribution, [...]."""


class Mean(Head):
    """The mean alone, by the squared error or another loss of it; a draw is the mean."""

    numbers = 1

    def loss(self, found: Tensor, true: Tensor, scale: Tensor) -> Tensor:
        """Return the squared error, or the loss that was chosen."""
        return self.point(found[..., 0], true)

    def quantiles(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return none."""
        return found[..., :0]

    def draw(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return the mean."""
        return found[..., 0]


class Quantiles(Head):
    """The mean by squared error or another loss of it, and quantiles by the pinball loss (Koenker and Bassett, 1978).

    Quantiles that cross are sorted, which never makes them worse (Chernozhukov, Fernandez-Val, Galichon, 2010).
    """

    def __init__(self, levels: Sequence[float], point: LossName = "mse") -> None:
        super().__init__(levels, point)
        self.numbers = self.located = 1 + len(self.levels)

    def loss(self, found: Tensor, true: Tensor, scale: Tensor) -> Tensor:
        """Return half the squared error (or other loss) of the mean, and the mean pinball loss of the levels, twice."""
        over = true.unsqueeze(-1) - found[..., 1:]
        level = over.new_tensor(self.levels)
        pinball = torch.maximum(level * over, (level - 1) * over).mean(-1)
        return 0.5 * self.point(found[..., 0], true) + 2 * pinball

    def quantiles(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return the levels' values, sorted."""
        return found[..., 1:].sort(-1).values

    def draw(self, found: Tensor, scale: Tensor) -> Tensor:
        """Draw by the inverse of the distribution: straight lines between levels, and none beyond the outer ones."""
        places = self.quantiles(found, scale)
        uniform = torch.rand_like(found[..., 0])
        levels = found.new_tensor(self.levels)
        after = torch.searchsorted(levels, uniform).clamp(1, max(len(levels) - 1, 1))
        if len(levels) == 1:
            return places[..., 0]
        low, high = (places.gather(-1, index.unsqueeze(-1)).squeeze(-1) for index in (after - 1, after))
        share = ((uniform - levels[after - 1]) / (levels[after] - levels[after - 1])).clamp(0, 1)
        return low + share * (high - low)


class StudentT(Head):
    """Student's t with place, spread and degrees of freedom of its own for each value: heavy tails."""

    numbers = 3

    def _parts(self, found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        place, spread, freedom = found.unbind(-1)
        return place, functional.softplus(spread) + LEAST, 2 + LEAST + functional.softplus(freedom)

    def loss(self, found: Tensor, true: Tensor, scale: Tensor) -> Tensor:
        """Return the negative log-density.

        The density is Gamma((v + 1) / 2) / (Gamma(v / 2) sqrt(pi v) s) (1 + z^2 / v)^(-(v + 1) / 2).
        """
        place, spread, freedom = self._parts(found)
        both, half = (freedom + 1) / 2, freedom / 2
        size = torch.lgamma(half) - torch.lgamma(both) + 0.5 * torch.log(torch.pi * freedom) + torch.log(spread)
        return size + both * torch.log1p(((true - place) / spread) ** 2 / freedom)

    def quantiles(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return the values by SciPy's inverse of the distribution."""
        from scipy.stats import t

        place, spread, freedom = (part.double().cpu().numpy()[..., None] for part in self._parts(found))
        return torch.from_numpy(place + spread * t.ppf(np.array(self.levels), freedom)).to(found)

    def draw(self, found: Tensor, scale: Tensor) -> Tensor:
        """Draw from the distribution."""
        place, spread, freedom = self._parts(found)
        drawn: Tensor = torch.distributions.StudentT(freedom, place, spread, validate_args=False).sample()
        return drawn


class NegativeBinomial(Head):
    """Counts: mean m and variance m + a m^2, in the form of Salinas, Flunkert, Gasthaus: DeepAR, 2017 (1704.04110)."""

    numbers = 2
    counts: ClassVar[bool] = True

    def _parts(self, found: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and a, of the counts themselves."""
        return (functional.softplus(found[..., 0]) + 1e-6) * scale, functional.softplus(found[..., 1]) + 1e-6

    def mean(self, found: Tensor) -> Tensor:
        """Return the mean, on the scale of the series."""
        return functional.softplus(found[..., 0]) + 1e-6

    def loss(self, found: Tensor, true: Tensor, scale: Tensor) -> Tensor:
        """Return the negative log-probability of the count, 1704.04110 eq. in section 3.1."""
        mean, spread = self._parts(found, scale)
        # In logarithms throughout: the gamma function of a count above 35 is no float32.
        count, each = true * scale, 1 / spread
        ways = torch.lgamma(count + each) - torch.lgamma(count + 1) - torch.lgamma(each)
        return -(
            ways - each * torch.log1p(spread * mean) + count * (torch.log(spread * mean) - torch.log1p(spread * mean))
        )

    def quantiles(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return values by SciPy's inverse of the distribution, in double precision: counts are whole numbers."""
        from scipy.stats import nbinom

        mean, spread = (part.double().cpu().numpy()[..., None] for part in self._parts(found, scale))
        counts = nbinom.ppf(np.array(self.levels), 1 / spread, 1 / (1 + spread * mean))
        return torch.from_numpy(counts) / scale.double().cpu().unsqueeze(-1)

    def draw(self, found: Tensor, scale: Tensor) -> Tensor:
        """Draw a Poisson count whose rate is drawn from a gamma distribution."""
        mean, spread = self._parts(found, scale)
        return torch.poisson(torch.distributions.Gamma(1 / spread, 1 / (spread * mean)).sample()) / scale


HEADS: dict[HeadName, type[Head]] = {
    "mean": Mean,
    "quantiles": Quantiles,
    "student-t": StudentT,
    "negative-binomial": NegativeBinomial,
}


def head_of(settings: ForecasterSettings) -> Head:
    """Return the head that settings ask for, with the loss of its mean.

    Raises:
        UsageError: a loss is named, and the head has one of its own.
    """
    levels = () if settings.head == "mean" else settings.quantiles
    if not isinstance(settings.loss, str):
        return HEADS[settings.head](levels)
    if settings.head not in POINT_HEADS:
        raise UsageError(
            f"loss={settings.loss!r} is for head='mean' and 'quantiles', and the head is {settings.head!r}, which has "
            "a loss of its own"
        )
    return HEADS[settings.head](levels, cast(LossName, settings.loss))
