"""A linear model of summaries beside a network: few examples often tell more to it, and often something else.

Its answer is b, the network's n, and the model's b + share (n - b), in the scores of labels or in the numbers that are
predicted: between two models of probabilities this is their weighted geometric mean. The share comes from the
held-out part. What b reads sees no order: mean, deviation, least, largest, first and last value of each column, and the
length. It is the idea of stacking (Wolpert: Stacked Generalization, 1992; Breiman: Stacked Regressions, 1996) with the
two models that a small set calls for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from loopcell.tasks.core.estimator import SequenceExamples
from loopcell.tasks.core.networks.many_to_one import Beside
from loopcell.tasks.core.networks.pooling import within
from loopcell.tasks.sequences.baselines.classes import REGULARISATION
from loopcell.tasks.sequences.baselines.sequences import quietly
from loopcell.tasks.sequences.shrinkage import kept_shares

Table = npt.NDArray[np.float64]

FEW = 2400  # examples from which on all defaults are the usual ones
FARTHEST = 3.0  # deviations from its mean that a figure counts, where numbers are predicted: no line goes on for ever
RIDGE = 1.0  # the penalty of scikit-learn's Ridge
UNSEEN = -10.0  # the score of a label that the training part does not have: a probability of 0.00005 beside one of 0
SHARES = np.linspace(0.0, 1.0, 21)
PRIOR = 2.0  # nats that either model alone has to gain over both in equal parts, on all held-out examples


class LinearOfSummaries(Beside):
    """A linear model of the summaries of sequences, and how far a network's answers are followed from its own.

    Args:
        input_size: I.
        outputs: K.
        farthest: deviations from its mean that a figure of a column counts; what is farther away is as if it were
            there. Infinity for all.

    Attributes:
        columns: I.
        mean, scale: of the summaries in training, [6 I + 1].
        weight: [K, 6 I + 1] and bias: [K].
        share: [K]; with 1 an answer is the network's alone.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    share: Tensor

    def __init__(self, input_size: int, outputs: int, farthest: float = math.inf) -> None:
        super().__init__()
        figures, self.columns, self.farthest = 6 * input_size + 1, input_size, farthest
        self.register_buffer("mean", torch.zeros(figures))
        self.register_buffer("scale", torch.ones(figures))
        self.register_buffer("weight", torch.zeros(outputs, figures))
        self.register_buffer("bias", torch.zeros(outputs))
        self.register_buffer("share", torch.ones(outputs))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read numbers [T, B, I] of rows with lengths [B]; gives [B, K]."""
        return self.of_figures(summaries(inputs[..., : self.columns], lengths))

    def of_figures(self, figures: Tensor) -> Tensor:
        """Return the answers [B, K] to summaries [B, 6 I + 1]."""
        found = (figures - self.mean) / self.scale
        near = found[:, :-1].clamp(-self.farthest, self.farthest)
        return nn.functional.linear(torch.cat([near, found[:, -1:]], 1).to(self.weight), self.weight, self.bias)

    def between(self, beside: Tensor, given: Tensor) -> Tensor:
        """Return the answer between that of the linear model and a network's, [B, K] each."""
        return torch.lerp(beside.to(given), given, self.share.to(given))

    def take(self, figures: Table, weight: Table, bias: Table) -> None:
        """Take a linear model of standardised summaries, of which these [N, 6 I + 1] are those of training."""
        scale = _scale(figures)
        for buffer, values in (
            (self.mean, figures.mean(0)),
            (self.scale, scale),
            (self.weight, weight),
            (self.bias, bias),
        ):
            buffer.copy_(torch.from_numpy(values))
        self.share.fill_(1.0)

    def summaries_of(self, examples: SequenceExamples) -> Table:
        """Return the summaries of examples, [N, 6 I + 1]."""
        figures = np.empty((len(examples), len(self.mean)))
        for indices, batch in examples.in_order_of_length(256):
            figures[indices] = summaries(batch.inputs[..., : self.columns], batch.lengths).numpy()
        return figures


def summaries(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Return mean, deviation, least, largest, first and last value of each column, and the length, [B, 6 I + 1].

    A row of length 0 has zeros.
    """
    if not len(inputs):
        inputs = inputs.new_zeros(1, *inputs.shape[1:])
    inputs = inputs.float() if inputs.device.type == "mps" else inputs.double()  # MPS has no float64
    there, count = within(inputs, lengths), lengths.clamp(min=1).unsqueeze(-1)
    mean = inputs.masked_fill(~there, 0.0).sum(0) / count
    deviation = ((inputs - mean).masked_fill(~there, 0.0).square().sum(0) / count).sqrt()
    least = inputs.masked_fill(~there, torch.inf).amin(0)
    most = inputs.masked_fill(~there, -torch.inf).amax(0)
    last = inputs.gather(0, (count - 1).unsqueeze(0).expand(1, *inputs.shape[1:])).squeeze(0)
    empty = (lengths == 0).unsqueeze(-1)
    figures = [one.masked_fill(empty, 0.0) for one in (mean, deviation, least, most, inputs[0], last)]
    return torch.cat([*figures, lengths.unsqueeze(-1).to(mean)], dim=-1)


def wants_linear(given: bool | None, *, examples: int, numbers: bool) -> bool:
    """Return whether a linear model stands beside the network: as given, or of None for few sequences of numbers."""
    return numbers and (examples < FEW if given is None else given)


def learn_labels(model: LinearOfSummaries, training: SequenceExamples) -> None:
    """Fit a logistic regression to the numbers of labels, [N]."""
    figures, labels = model.summaries_of(training), np.asarray(training.targets)
    count = len(model.bias)
    present = np.unique(labels)
    if len(present) < 2:
        return
    with quietly():
        found = LogisticRegression(C=REGULARISATION, max_iter=300)
        found.fit(_standard(figures), labels, sample_weight=training.weights)
    weight, bias = np.zeros((count, figures.shape[1])), np.full(count, UNSEEN)
    two = len(present) == 2  # one row of coefficients, of the second label
    weight[present] = np.concatenate([-found.coef_ / 2, found.coef_ / 2]) if two else found.coef_
    bias[present] = np.concatenate([-found.intercept_ / 2, found.intercept_ / 2]) if two else found.intercept_
    model.take(figures, weight, bias)


def learn_numbers(model: LinearOfSummaries, training: SequenceExamples) -> None:
    """Fit a ridge regression to numbers [N, K] of mean 0, drawn to the mean as far as left-out examples ask for it.

    Figures such as a largest value have long tails, and one example far out there would turn the line.
    """
    figures, true = model.summaries_of(training), np.asarray(training.targets, np.float64)
    weights = np.ones(len(true)) if training.weights is None else training.weights.astype(np.float64)
    x, root = _near(_standard(figures), model.farthest), np.sqrt(weights)[:, None]
    middle_x, middle = (np.average(part, axis=0, weights=weights) for part in (x, true))
    centred, rest = (x - middle_x) * root, (true - middle) * root
    solved = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(x.shape[1]), centred.T)
    weight = (solved @ rest).T
    leverage = (centred * solved.T).sum(1) + weights / weights.sum()
    given = (x - middle_x) @ weight.T
    residual = (true - middle - given) / np.clip(1 - leverage, 1e-6, None)[:, None]
    shares = kept_shares(true - middle - residual, true - middle, enough=len(true) + 1)
    bias = middle - shares * (weight @ middle_x)
    model.take(figures, weight * shares[:, None], bias)


def share_of_labels(linear: Tensor, given: Tensor, true: Tensor, losses: Callable[[Tensor], Tensor]) -> float:
    """Return the share of a network's scores by the losses of held-out examples, a half where these say nothing.

    The held-out part has chosen the network's weights, so it flatters the network, and not the linear model: a few
    examples that are all right ask for a network that is as sure as can be. By the rule of succession (Laplace, 1774)
    the network is therefore taken to err once more than it does there, with as much certainty as it is right.

    Args:
        linear: scores [N, K] of the linear model.
        given: scores [N, K] of the network.
        true: int64 [N], the number of each label.
        losses: the loss of each example [N], given scores.
    """
    wrong, count = mistaken(given, true), max(1, len(true))

    def loss(share: float) -> float:
        seen, once_more = (losses(torch.lerp(linear, scores, share)).sum() for scores in (given, wrong))
        return float(seen + once_more / count)

    found = np.array([loss(float(share)) for share in SHARES])
    return float(SHARES[np.argmin(found + PRIOR * (2 * SHARES - 1) ** 2)])


def mistaken(scores: Tensor, true: Tensor) -> Tensor:
    """Return scores [N, K] of which none is right: where it was, the label changes places with the next best one.

    Args:
        scores: [N, K].
        true: int64 [N], the number of each label.
    """
    labels = true.unsqueeze(1)
    own = scores.gather(1, labels)
    best, at = scores.scatter(1, labels, -torch.inf).max(1, keepdim=True)
    return torch.where(own > best, scores.scatter(1, labels, best).scatter(1, at, own), scores)


def shared_notes(share: Tensor, shared: str = "answers") -> list[str]:
    """Return a sentence about answers, or scores, that are not the network's alone; none where they are."""
    network = float(share.mean())
    if network == 1:
        return []
    said = (
        f"{shared} are {1 - network:.0%} those of a linear model of summaries (mean, deviation, least, largest, first, "
        "last, length), as few held-out examples speak for it; summaries=False leaves it out"
    )
    return [said]


def _scale(figures: Table) -> Table:
    deviation = figures.std(0)
    found: Table = np.where(deviation > 1e-6 * (1 + np.abs(figures.mean(0))), deviation, 1.0)
    return found


def _near(figures: Table, farthest: float) -> Table:
    """Return standardised figures [N, 6 I + 1] of columns within some deviations, and the length."""
    return np.concatenate([np.clip(figures[:, :-1], -farthest, farthest), figures[:, -1:]], axis=1)


def _standard(figures: Table) -> Table:
    found: Table = (figures - figures.mean(0)) / _scale(figures)
    return found
