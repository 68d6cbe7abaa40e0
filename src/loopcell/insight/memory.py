"""Memory length: how far back a trained network looks, measured by changing its input k steps back.

Khandelwal, He, Qi, Jurafsky: Sharp Nearby, Fuzzy Far Away: How Neural Language Models Use Context, 2018
(arXiv 1805.04623), perturb the context at a distance and measure what it does to the output; so does this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.plots import BLUE, GREY, RED, axes_on, style

Change = Literal["shuffle", "zero", "repeat"]
RESAMPLES = 1_000
SHARE = 0.1
"""Of the largest effect: what is above it is looked at."""


@dataclass(frozen=True, eq=False)
class MemoryLength:
    """The effect of a change of the input k steps back on the last output.

    Attributes:
        lags: k, [K]; 0 is the last step.
        effect: the mean over the rows of the distance between the outputs, [K].
        low: the lower end of a 95% interval of that mean, by resampling the rows, [K].
        high: the upper end, [K].
        share: of the largest effect, from which on a lag counts.
        skipped: lags of the sequence that were not measured, where some were named; what they matter is not known.
    """

    lags: npt.NDArray[np.int64]
    effect: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    share: float
    skipped: int = 0

    @property
    def horizon(self) -> int:
        """The effective horizon: the largest lag whose effect is surely (`low`) above a share of the largest one.

        Of the lags that were measured: where some were `skipped`, the true one may lie among them. 0 where nothing but
        the last step counts, or nothing at all does.
        """
        above = np.flatnonzero(self.low > self.share * self.effect.max(initial=0.0))
        return int(self.lags[above].max(initial=0))

    def plot(self, ax: Any = None) -> Any:
        """Draw the effect over the lag with its 95% band, the share that counts, and the horizon.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `memory.plot().figure`.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
        """
        with style():
            ax = axes_on(ax)
            ax.fill_between(self.lags, self.low, self.high, color=BLUE, alpha=0.25, linewidth=0, label="95% interval")
            ax.plot(self.lags, self.effect, color=BLUE, marker="." if len(self.lags) < 60 else "", label="effect")
            bar = self.share * float(self.effect.max(initial=0.0))
            few = f" of {len(self.lags)} lags, {self.skipped} skipped" if self.skipped else ""
            ax.axhline(bar, color=GREY, linestyle=":", label=f"{self.share:.0%} of the largest")
            ax.axvline(self.horizon, color=RED, linestyle="--", label=f"horizon: {self.horizon}{few}")
            ax.set_xlabel("steps back")
            ax.set_ylabel("effect on the last output")
            ax.legend(fontsize=8)
        return ax


def memory_length(
    model: Callable[[Tensor], Any],
    x: Tensor,
    *,
    lags: Sequence[int] | None = None,
    change: Change = "shuffle",
    distance: Callable[[Tensor, Tensor], Tensor] | None = None,
    share: float = SHARE,
    batch_axis: int = 1,
    seed: int = 0,
) -> MemoryLength:
    """Return how far back a network looks, in evaluation.

    It reads the input once more for each lag, so by default T + 1 times: a second where one reading takes 10 ms and T
    is 100. Of long sequences name some `lags`, or give the last steps alone.

    Args:
        model: a module or function of the input: a `Recurrent`, or anything that gives outputs [T, B, O] or [B, O].
            A module is read in evaluation, and left as it was.
        x: real inputs, [T, B, I], or token ids [T, B]; some tens of rows make the intervals narrow.
        lags: steps back from the last one; None: every one. A lag that matters between two that are named is missed;
            how many are not measured is in `MemoryLength.skipped`.
        change: what takes the place of the input there: "shuffle", that of another row, which keeps what inputs look
            like; "zero"; or "repeat", the step before, as if the step had been removed (zero at the first step, which
            has none before it).
        distance: between outputs [B, O], [B]; None: Euclidean.
        share: of the largest effect, from which on a lag counts for `horizon`; at least 0, below 1.
        batch_axis: where the rows are: 1, or 0 with batch_first.
        seed: of the shuffle and of the intervals.

    Raises:
        InputError: x does not have rows to shuffle or steps to look back, a lag is beyond them or no whole number, the
            share is none, or an output is not finite.
    """
    if not isinstance(x, Tensor) or x.dim() < 2 or not x.numel() or batch_axis not in (0, 1):
        raise InputError("memory is measured on inputs [T, B, I] or ids [T, B]; with batch_axis=0 on [B, T, ...]")
    steps, rows = x.shape[1 - batch_axis], x.shape[batch_axis]
    if change == "shuffle" and rows < 2:
        raise InputError("a shuffle takes the input of another row: give at least two rows, or change='zero'")
    if not 0 <= share < 1:
        raise InputError(f"share is a part of the largest effect, at least 0 and below 1, not {share}")
    chosen = _lags(range(steps) if lags is None else lags, steps)
    distance = distance or _euclidean
    with in_evaluation(model), torch.no_grad():
        whole = _last(model(x), batch_axis)
        found = [distance(whole, _last(model(_changed(x, int(lag), change, batch_axis)), batch_axis)) for lag in chosen]
    effects = torch.stack(found).double().cpu().numpy()  # [K, B]
    if effects.shape[1:] != (rows,):
        raise InputError(f"a distance is one number a row, [{rows}], not {list(effects.shape[1:])}")
    if not np.isfinite(effects).all():
        raise InputError("the output is not finite, so nothing can be said of its memory: look at x and the weights")
    drawn = np.random.default_rng(seed).integers(0, rows, (RESAMPLES, rows))
    means = np.stack([effect[drawn].mean(-1) for effect in effects])  # [K, RESAMPLES]
    low, high = np.quantile(means, [0.025, 0.975], axis=-1)
    return MemoryLength(chosen, effects.mean(-1), low, high, share, steps - len(np.unique(chosen)))


def _lags(lags: Sequence[int], steps: int) -> npt.NDArray[np.int64]:
    """Return the lags as numbers; InputError where one is not in the sequence."""
    found = np.asarray(list(lags))
    if not len(found) or found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= steps:
        raise InputError(f"lags are whole numbers between 0 and {steps - 1} for sequences of {steps} steps")
    return found.astype(np.int64)


def _changed(x: Tensor, lag: int, change: Change, batch_axis: int) -> Tensor:
    new, time = x.clone(), 1 - batch_axis
    at = x.shape[time] - 1 - lag
    here = x.select(time, at)
    if change == "shuffle":
        other = here.roll(1, 0)
    elif change == "zero":
        other = torch.zeros_like(here)
    elif change == "repeat":
        other = x.select(time, at - 1) if at else torch.zeros_like(here)
    else:
        raise InputError(f"a change is 'shuffle', 'zero' or 'repeat', not {change!r}")
    new.select(time, at).copy_(other)
    return new


def _last(found: Any, batch_axis: int) -> Tensor:
    output: Tensor = found[0] if isinstance(found, tuple) else found
    return output.select(1 - batch_axis, -1) if output.dim() == 3 else output


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm((a - b).flatten(1), dim=-1)
    return found
