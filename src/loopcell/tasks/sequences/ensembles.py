"""The networks of ensembles: for each job, how the answers of several networks become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from loopcell.tasks.core.inputs.static import StaticRows
from loopcell.tasks.core.networks.ensemble import Ensemble, mean
from loopcell.tasks.sequences.targets import Classes, StepLabels


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

    def forward(self, inputs: Tensor, lengths: Tensor, static: StaticRows | None = None) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B], and what holds for each; gives scores [B, K]."""
        return self.classes.scores(mean([self._said(member, inputs, lengths, static) for member in self.learned()]))

    def _said(self, member: nn.Module, *batch: Any) -> Tensor:
        return self.classes.probabilities(member(*batch).double() / member.get_buffer("temperature").double())

    @property
    def class_counts(self) -> Tensor:
        """The number of examples that had each label, [K]."""
        return self.summed("class_counts")

    @property
    def examples(self) -> Tensor:
        """The number of examples."""
        return self.summed("examples")


class RegressorEnsemble(Ensemble):
    """Several regressors' networks: the mean of their numbers."""

    def forward(self, inputs: Tensor, lengths: Tensor, static: StaticRows | None = None) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B], and what holds for each; gives [B, K]."""
        return mean([member(inputs, lengths, static) for member in self.learned()])


class TaggerEnsemble(Ensemble):
    """Several taggers' networks: the mean of their probabilities at each step, each at its own temperature.

    Args:
        make: makes a member.
        size: how many there are.
        targets: the labels.

    Attributes:
        label_counts, label_steps: those of all members' training parts together.
        temperature: 1: what comes out are calibrated scores.
    """

    crf = None
    temperature: Tensor

    def __init__(self, make: Callable[[], nn.Module], size: int, targets: StepLabels) -> None:
        super().__init__(make, size)
        self.targets = targets
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, None]:
        """Read [T, B] or [T, B, I]; gives scores [T, B, K] in float64, and no state: each member has its own."""
        found = mean([self._said(member, inputs, lengths) for member in self.learned()])
        return torch.logit(found) if self.targets.several else found.log(), None

    def _said(self, member: nn.Module, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        scores = member(inputs, lengths)[0].double() / member.get_buffer("temperature").double()
        return self.targets.probabilities(scores)

    @property
    def label_counts(self) -> Tensor:
        """The number of steps that had each label, [K]."""
        return self.summed("label_counts")

    @property
    def label_steps(self) -> Tensor:
        """The number of those of which that is known, [K]."""
        return self.summed("label_steps")

    def prior_scores(self) -> Tensor:
        """Return scores [K] by nothing but how frequent each label is in training."""
        counts = self.label_counts.cpu()
        known = self.label_steps.cpu() if self.targets.several else counts.sum().expand_as(counts)
        return self.targets.prior_scores(counts, known)
