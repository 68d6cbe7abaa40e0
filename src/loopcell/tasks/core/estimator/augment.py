"""Augmentation: each training batch of numbers is changed a little at random, so that no example is seen twice alike.

Jitter, scaling, cropping and warping as Um and others: Data Augmentation of Wearable Sensor Data for Parkinson's
Disease Monitoring using Convolutional Neural Networks, 2017 (arXiv 1706.00527), section 3; which of them helps depends
on what an answer goes by (Iwana, Uchida: An Empirical Survey of Data Augmentation for Time Series Classification with
Neural Networks, 2021, arXiv 2007.15951): scaling hurts where the size tells, warping where the speed does. Nothing is
changed where a model is scored. What is drawn goes by the seed, the pass and the batch alone, so that a run which goes
on draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Ragged
from loopcell.errors import UsageError
from loopcell.tasks.core.augmentations import strengths_of
from loopcell.tasks.core.estimator.examples import IGNORED, SequenceBatch, SequenceExamples
from loopcell.tasks.core.inputs import MixedInput, NumericInput

Places = npt.NDArray[np.float64]
Lengths = npt.NDArray[np.int64]
SLOWEST = 0.1  # speed: time never stands still or goes back
KNOTS = 6  # places of a sequence where its speed is drawn; between them it goes over from one to the other


class Augmentation:
    """The changes of training batches.

    Args:
        strengths: of each change, in order (`strengths_of`).
        seed: of what is drawn.
        columns: I, the numbers of a step: what stands behind them (which are there, the time since the last one) is not
            scaled, and has no noise.
        per_step: whether targets are one a step: they go where their steps go.
    """

    def __init__(self, strengths: Mapping[str, float], seed: int, columns: int, *, per_step: bool) -> None:
        self._strengths, self._seed, self._columns, self._per_step = strengths, seed, columns, per_step

    def __call__(self, batch: SequenceBatch, epoch: int, index: int) -> SequenceBatch:
        """Return the batch `index` of pass `epoch` as it is learned from."""
        drawn = np.random.default_rng([self._seed, epoch, index])
        for name, strength in self._strengths.items():
            if name in MOVES:
                lengths, places = MOVES[name](batch.lengths.numpy(), strength, drawn)
                batch = _at(batch, lengths, places, per_step=self._per_step)
            else:
                values, behind = batch.inputs[..., : self._columns], batch.inputs[..., self._columns :]
                values = CHANGES[name](values, strength, drawn)
                batch = batch._replace(inputs=torch.cat([values, behind], dim=-1))
        return batch


def augmentation_of(
    settings: Any, reads: object, training: SequenceExamples, seed: int
) -> Callable[[SequenceBatch, int, int], SequenceBatch] | None:
    """Return what changes the batches of a training part; None for nothing.

    Args:
        settings: with `augment`, if they have it.
        reads: the input.
        training: the examples.
        seed: of what is drawn.

    Raises:
        UsageError: the input is no numbers, or warping would read between a number and one that is missing.
    """
    strengths = strengths_of(getattr(settings, "augment", ()))
    if not strengths:
        return None
    if not isinstance(reads, NumericInput):
        raise UsageError("augment changes numbers, and X is text or tokens; token_dropout is for these")
    if isinstance(reads, MixedInput) and set(strengths) - {"crop"}:
        raise UsageError("augment changes numbers, and some columns of X are categories: crop alone leaves these whole")
    columns, width = reads.step_size, training.inputs.values.shape[-1]
    if "warp" in strengths and width > columns:
        raise UsageError("warp reads between two steps, and of some of these a number is missing: leave out warp")
    return Augmentation(strengths, seed, columns, per_step=isinstance(training.targets, Ragged))


def jitter(values: Tensor, strength: float, drawn: np.random.Generator) -> Tensor:
    """Add normal noise of a deviation to each number [T, B, I]; 0 is what is not there, and stays."""
    return values + _normal(drawn, values.shape, values) * strength * (values != 0)


def scale(values: Tensor, strength: float, drawn: np.random.Generator) -> Tensor:
    """Multiply each column of each sequence by a normal number around 1; 0 is the mean of training."""
    return values * (1 + strength * _normal(drawn, (1, *values.shape[1:]), values))


def crop(lengths: Lengths, strength: float, drawn: np.random.Generator) -> tuple[Lengths, Places]:
    """Keep a segment of each sequence, of at least this share of its steps."""
    kept = np.ceil(lengths * drawn.uniform(strength, 1.0, len(lengths))).astype(np.int64)
    starts = np.floor(drawn.random(len(lengths)) * (lengths - kept + 1))
    steps = np.minimum(np.arange(kept.max(initial=0))[:, None], np.maximum(kept - 1, 0))
    return kept, starts + steps


def warp(lengths: Lengths, strength: float, drawn: np.random.Generator) -> tuple[Lengths, Places]:
    """Let time run faster here and slower there; a sequence keeps its length, its first and its last step."""
    places = np.zeros((lengths.max(initial=0), len(lengths)))
    for row, length in enumerate(lengths):
        speeds = np.clip(1 + strength * drawn.standard_normal(KNOTS), SLOWEST, None)
        if length > 1:
            speed = np.interp(np.linspace(0, KNOTS - 1, length - 1), np.arange(KNOTS), speeds)
            times = np.concatenate([[0.0], np.cumsum(speed)])
            places[:length, row] = times / times[-1] * (length - 1)
    return lengths, places


CHANGES = {"scale": scale, "jitter": jitter}
MOVES = {"warp": warp, "crop": crop}
"""Those that read a sequence at other places: from its length to the new one and the places, [T', B]."""


def _at(batch: SequenceBatch, lengths: Lengths, places: Places, *, per_step: bool) -> SequenceBatch:
    """Return the rows read at other places [T', B], between steps in proportion; of a target the nearest step's."""
    low = np.floor(places).astype(np.int64)
    high = np.ceil(places).astype(np.int64)
    share = torch.from_numpy(places - low).to(batch.inputs)[..., None]
    inputs = torch.lerp(_rows_at(batch.inputs, low), _rows_at(batch.inputs, high), share)
    moved = batch._replace(inputs=inputs, lengths=torch.from_numpy(lengths).to(batch.lengths))
    there = _within(moved)
    moved = moved._replace(inputs=torch.where(there, inputs, 0.0))
    if not per_step:
        return moved
    nearest = _rows_at(batch.targets, np.rint(places).astype(np.int64))
    return moved._replace(targets=torch.where(there if nearest.ndim == 3 else there[..., 0], nearest, IGNORED))


def _rows_at(values: Tensor, places: npt.NDArray[np.int64]) -> Tensor:
    return values[torch.from_numpy(places), torch.arange(places.shape[1])]


def _within(batch: SequenceBatch) -> Tensor:
    """Return where a step belongs to its row: bool [T, B, 1]."""
    return (torch.arange(len(batch.inputs))[:, None] < batch.lengths)[..., None]


def _normal(drawn: np.random.Generator, shape: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.from_numpy(drawn.standard_normal(shape)).to(like)
