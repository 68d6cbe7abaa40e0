"""The network of a tagger: scores for every label at every step, and perhaps a CRF over them."""

from __future__ import annotations

import torch
from torch import Tensor

from loopcell.tasks.core.estimator import IGNORED, Loss, SequenceBatch
from loopcell.tasks.core.estimator.weights import weigh
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.sequences.aligned import Aligned
from loopcell.tasks.sequences.crf import LinearChainCRF
from loopcell.tasks.sequences.targets import StepLabels


class TaggerNetwork(Aligned):
    """Scores for K labels at every step, and a CRF over them if there is to be one.

    Args:
        reader: reads the sequences.
        targets: the labels, and whether a step has one or several.
        crf: whether labels know each other.

    Attributes:
        label_counts: int64 [K], how many training steps had each label.
        label_steps: int64 [K], of how many that is known, where a step may have several labels.
        label_weight: [K], how much each label counts in the loss; a CRF has none.
        temperature: scalar, by which scores are divided before they become probabilities.
    """

    label_counts: Tensor
    label_steps: Tensor
    label_weight: Tensor
    temperature: Tensor

    def __init__(self, reader: SequenceReader, targets: StepLabels, *, crf: bool) -> None:
        labels = len(targets.labels)
        super().__init__(reader, labels)
        self.targets = targets
        self.crf = LinearChainCRF(labels) if crf else None
        self.register_buffer("label_counts", torch.zeros(labels, dtype=torch.int64))
        if targets.several:
            self.register_buffer("label_steps", torch.zeros(labels, dtype=torch.int64))
        self.register_buffer("label_weight", torch.ones(labels))
        self.register_buffer("temperature", torch.ones(()))

    def loss(self, batch: SequenceBatch) -> Loss:
        """Return the negative log-probability of the known labels: of each by itself, or with a CRF of all of a row."""
        scores, _ = self(batch.inputs, batch.lengths)
        known = int((batch.targets != IGNORED).sum())
        if self.crf is not None:
            return Loss(-weigh(self.crf.log_likelihood(scores, batch.targets, batch.lengths), batch.weights), known)
        total = self.targets.loss(scores, batch.targets, self.label_weight.to(scores.dtype), batch.weights)
        return Loss(total, known)

    def best(self, batch: SequenceBatch) -> Tensor:
        """Return the most probable labels, int64 [T, B], or zeros and ones [T, B, K]."""
        scores, _ = self(batch.inputs, batch.lengths)
        best: Tensor = self.targets.best(scores) if self.crf is None else self.crf.best(scores, batch.lengths)
        return best

    def probabilities(self, batch: SequenceBatch) -> Tensor:
        """Return the probability of each label at each step, [T, B, K]; with a CRF given the whole row."""
        scores, _ = self(batch.inputs, batch.lengths)
        if self.crf is None:
            return self.targets.probabilities(scores / self.temperature)
        return self.crf.marginals(scores.double(), batch.lengths)

    def prior_scores(self) -> Tensor:
        """Return scores [K] by nothing but how frequent each label is in training."""
        known = self.label_steps if self.targets.several else self.label_counts.sum().expand_as(self.label_counts)
        return self.targets.prior_scores(self.label_counts.cpu(), known.cpu())
