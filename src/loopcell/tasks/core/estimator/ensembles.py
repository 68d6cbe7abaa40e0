"""Ensembles: k networks, each trained without one of k folds, on which its best weights are chosen.

Every example is learned from by k - 1 networks and held out from one, so nothing of a small set is lost to validation,
and the held-out score, the mean of the folds' figures, is of all examples: each is scored by the one network that
never saw it. What a model reads by (vocabulary, labels, scales of numbers) is learned once, of all examples, so that
all members read alike. Breiman: Bagging Predictors, 1996; Krogh, Vedelsby: Neural Network Ensembles, Cross Validation,
and Active Learning, 1995.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from loopcell.errors import UsageError
from loopcell.tasks.core.estimator.examples import Indices, SequenceExamples
from loopcell.tasks.core.estimator.inspected import InspectedEstimator
from loopcell.tasks.core.estimator.members import EnsembleTraining
from loopcell.tasks.core.estimator.parts import Part
from loopcell.tasks.core.inputs import FirstLayer
from loopcell.tasks.core.networks.ensemble import Ensemble
from loopcell.tasks.core.score_table import ScoreTable

Fold = tuple[Indices, Indices]  # numbers of the examples to learn from, and of those held out


def folds_of(strata: Sequence[Any] | npt.NDArray[Any], count: int, seed: int, what: str = "examples") -> list[Fold]:
    """Divide examples into folds with the same share of each stratum, within one example.

    Args:
        strata: of each example, such as its label.
        count: how many folds.
        seed: of the order.
        what: is divided, in words.

    Raises:
        UsageError: there are fewer of them than folds.
    """
    if len(strata) < count:
        raise UsageError(f"ensemble={count} needs at least {count} {what}, one for each fold, not {len(strata)}")
    codes = np.unique([str(one) for one in strata], return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    fold = np.empty(len(codes), np.int64)
    fold[order] = np.arange(len(codes)) % count
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(count)]


def demand_free_of_others(settings: Any, validation: object) -> None:
    """Refuse what an ensemble has no use for; UsageError."""
    if validation is not None:
        raise UsageError(
            f"ensemble={settings.ensemble} holds out each of its folds in turn: leave out the validation part, and "
            "give those examples with the others, or take ensemble=1"
        )
    if settings.warm_start:
        raise UsageError("an ensemble begins anew: its members would be scored on folds that they learned from before")


class EnsembledEstimator(InspectedEstimator, EnsembleTraining):
    """An estimator of sequences whose network may be several."""

    _folds: list[Fold] | None = None  # which examples each network learned from, and which it held out

    @abstractmethod
    def _prepare(self, training: SequenceExamples) -> None:
        """Put what the network keeps of the training part into it, such as counts of labels."""

    def _begin(self, training: SequenceExamples) -> None:
        """Give the network the weights that training begins with, where these are not random ones alone."""

    @abstractmethod
    def _finish(self, held_out: SequenceExamples) -> None:
        """Do what follows training, with the help of the held-out part, such as calibration."""

    @abstractmethod
    def evaluate_within(self, X: Any, y: Any, *, training: Any, seconds: float | None) -> ScoreTable:
        """Return the metrics of (X, y), found in so many seconds."""

    def _strata(self, y: Part) -> Sequence[Any]:
        """Return what each fold of an ensemble has the same share of; nothing where targets are no labels."""
        return [0] * len(y)

    def _train_ensemble(self, examples: SequenceExamples, run: str | PathLike[str] | None, *, resumed: bool) -> None:
        """Train the networks of an ensemble, each on the examples outside its fold."""

        def parts(number: int) -> tuple[SequenceExamples, SequenceExamples]:
            rest, fold = (self._folds or [])[number]
            return examples.take(rest), examples.take(fold)

        self._train_members(examples, parts, run, resumed=resumed)

    def _learn_from(
        self,
        training: SequenceExamples,
        held_out: SequenceExamples | None,
        seed: int,
        run: str | PathLike[str] | None,
        *,
        resumed: bool,
        anew: bool = True,
    ) -> None:
        """Train one network on examples, and do what follows; `anew` unless training goes on from its weights."""
        self._prepare(training)
        if anew:
            self._begin(training)
        self._train(training, held_out, seed, run=run, resumed=resumed)
        if held_out is not None:
            self._finish(held_out)

    def _folds_of(self, y: Part, count: int, seed: int) -> list[Fold]:
        """Divide examples into folds; whole units where several examples are of one, so that none is in both parts."""
        units = y.units
        if units is None or units.count == len(units):
            return folds_of(self._strata(y), count, seed)
        _, firsts, unit = np.unique(units.numbers, return_index=True, return_inverse=True)
        by_unit = folds_of(self._strata(y.take(firsts)), count, seed, "units")
        return [(np.flatnonzero(~held), np.flatnonzero(held)) for _, fold in by_unit for held in [np.isin(unit, fold)]]

    def _score_out_of_fold(self, X: Part, y: Part) -> ScoreTable:
        """Return the metrics of each fold by the network that did not learn from it: their mean over all examples.

        Baselines learn without the fold too.
        """
        tables, sizes = [], []
        for number, (rest, fold) in enumerate((self._folds or [])[: len(self.outcomes_)]):
            member, training = self._member(number), (X.take(rest), y.take(rest))
            parts = X.take(fold), y.take(fold)
            tables.append(member.evaluate_within(*parts, training=training, seconds=self.seconds_left()))
            sizes.append(len(fold))
        return mean_table(tables, sizes)


def first_layers(network: nn.Module) -> Iterator[FirstLayer]:
    """Yield the layer that reads a step, or of an ensemble that of each member."""
    for one in network.members if isinstance(network, Ensemble) else (network,):
        first = one.get_submodule("reader").get_submodule("first")
        assert isinstance(first, FirstLayer)
        yield first


def mean_table(tables: Sequence[ScoreTable], sizes: Sequence[int]) -> ScoreTable:
    """Return the mean of figures by the sizes of the parts that they are of, and the sum of the confusions.

    Of RMSE it is the root of the mean square, as over all examples. R2 and F1 of parts do not add up to those of the
    whole, so the title says that figures are means of the folds'.
    """
    rows = {
        name: {
            metric: _mean([table.rows[name][metric] for table in having], weights, squares=metric == "RMSE")
            for metric in row
            for having, weights in [_having(tables, sizes, name, metric)]
        }
        for name, row in tables[0].rows.items()
    }
    confusion = None if tables[0].confusion is None else sum(table.confusion for table in tables)
    data = f"{sum(sizes):,} sequences, each out of its fold; means of the folds"
    noise = {
        name: {metric: _error_of_mean([table.noise.get(name, {}).get(metric) for table in tables], sizes)}
        for name, row in tables[0].noise.items()
        for metric in row
    }
    known = {name: row for name, row in noise.items() if not np.isnan(list(row.values())).any()}
    return ScoreTable(data, rows, confusion, tables[0].labels, noise=known)


def _error_of_mean(errors: Sequence[float | None], sizes: Sequence[int]) -> float:
    """Return the standard error of a mean over parts, of which each has its own; NaN where one is not known."""
    found = np.array([np.nan if error is None else error for error in errors])
    return float(np.sqrt(((found * sizes) ** 2).sum()) / sum(sizes))


def _mean(figures: Sequence[float], weights: Sequence[int], *, squares: bool) -> float:
    if squares:
        return float(np.sqrt(np.average(np.square(figures), weights=weights)))
    return float(np.average(figures, weights=weights))


def _having(
    tables: Sequence[ScoreTable], sizes: Sequence[int], name: str, metric: str
) -> tuple[list[ScoreTable], list[int]]:
    """Return the tables that have a figure, and their sizes: R2 is not there where all numbers are one."""
    found = [(table, size) for table, size in zip(tables, sizes, strict=True) if metric in table.rows.get(name, {})]
    return [table for table, _ in found], [size for _, size in found]
