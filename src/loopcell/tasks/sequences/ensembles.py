"""The networks of ensembles: for each job, how the answers of several networks become one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from loopcell.tasks.core.networks.ensemble import Ensemble, mean
from loopcell.tasks.sequences.targets import Classes


class ClassifierEnsemble(Ensemble):
    """Several classifiers' networks: the mean of their probabilities, each at its own temperature.

    Args:
        make: makes a member.
        size: how many there are.
        classes: the labels.

    Attributes:
        class_counts, examples: those of all members' training parts together.
        temperature: 1: what comes out are calibrated scores.
    """

    temperature: Tensor

    def __init__(self, make: Callable[[], nn.Module], size: int, classes: Classes) -> None:
        super().__init__(make, size)
        self.classes = classes
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B]; gives scores [B, K] in float64."""
        return self.classes.scores(mean([self._said(member, inputs, lengths) for member in self.learned()]))

    def _said(self, member: nn.Module, inputs: Tensor, lengths: Tensor) -> Tensor:
        return self.classes.probabilities(member(inputs, lengths).double() / member.get_buffer("temperature").double())

    @property
    def class_counts(self) -> Tensor:
        """How many examples had each label, [K]."""
        return self.summed("class_counts")

    @property
    def examples(self) -> Tensor:
        """How many there were."""
        return self.summed("examples")


class RegressorEnsemble(Ensemble):
    """Several regressors' networks: the mean of their numbers."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B]; gives [B, K]."""
        return mean([member(inputs, lengths) for member in self.learned()])


class TaggerEnsemble(Ensemble):
    """Several taggers' networks: the mean of their probabilities at each step, each at its own temperature.

    Attributes:
        label_counts: those of all members' training parts together.
        temperature: 1: what comes out are calibrated scores.
    """

    crf = None
    temperature: Tensor

    def __init__(self, make: Callable[[], nn.Module], size: int) -> None:
        super().__init__(make, size)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, None]:
        """Read [T, B] or [T, B, I]; gives scores [T, B, K] in float64, and no state: each member has its own."""
        return mean([_said(member, inputs, lengths) for member in self.learned()]).log(), None

    @property
    def label_counts(self) -> Tensor:
        """How many steps had each label, [K]."""
        return self.summed("label_counts")


def _said(member: nn.Module, inputs: Tensor, lengths: Tensor | None) -> Tensor:
    scores: Tensor = member(inputs, lengths)[0].double() / member.get_buffer("temperature").double()
    return scores.softmax(-1)
