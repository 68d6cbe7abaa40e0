"""ForecasterTraining: the network of a forecaster, or the several of an ensemble, made and trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from os import PathLike
from typing import Any

from torch import nn

from loopcell.tasks.core.estimator.members import EnsembleTraining
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.backtests import BacktestedEstimator
from loopcell.tasks.forecasting.ensembles import AnyNetwork, ForecasterEnsemble, OneNetwork
from loopcell.tasks.forecasting.examples import SeriesExamples


class ForecasterTraining(BacktestedEstimator, EnsembleTraining):
    """A forecaster, as far as its networks are made and trained.

    Each member of an ensemble is the forecaster that its seed would give alone, to the last bit.
    """

    _anew = True  # whether the training under way begins with weights of its own

    @abstractmethod
    def _one_network(self, settings: Any) -> OneNetwork:
        """Make one network from the settings and from what was learned."""

    @abstractmethod
    def _finish(self, held_out: SeriesExamples | None) -> None: ...

    def _network(self, settings: Any) -> AnyNetwork:
        if settings.ensemble == 1:
            return self._one_network(settings)
        return ForecasterEnsemble(
            partial(self._one_network, settings),
            settings,
            self._sizes(settings),
            self._head(settings),
            self._steps(settings),
        )

    def _make_network(self, settings: Any, before: nn.Module | None) -> None:
        super()._make_network(settings, before)
        self._anew = before is None

    def _train(
        self,
        training: Any,
        held_out: Any,
        seed: int,
        *,
        run: str | PathLike[str] | None = None,
        resumed: bool = False,
    ) -> None:
        if self.ensemble == 1:
            super()._train(training, held_out, seed, run=run, resumed=resumed)
        else:
            self._train_members(training, lambda _: (training, held_out), run, resumed=resumed, anew=self._anew)

    def _learn_from(
        self,
        training: Any,
        held_out: Any,
        seed: int,
        run: str | PathLike[str] | None,
        *,
        resumed: bool,
        anew: bool = True,
    ) -> None:
        if anew:  # the weights that a forecaster of this seed begins with, drawn as it draws them
            first: Mapping[str, Any] = self._one_network(checked(self)).state_dict()
            self.network_.load_state_dict(first)
        self._train(training, held_out, seed, run=run, resumed=resumed)
        self._finish(held_out)
