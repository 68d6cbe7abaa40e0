"""Labels of steps from the step alone, or from its neighbours: what knows no history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from loopcell.tasks.core.estimator import IGNORED
from loopcell.tasks.sequences.baselines.sequences import quietly

Ids = npt.NDArray[Any]


def tags_without_history(
    training: tuple[Sequence[Ids], Sequence[Ids]], sequences: Sequence[Ids]
) -> tuple[str, list[npt.NDArray[np.int64]]]:
    """Return the tags that a model without memory, of some sequences, gives others.

    Args:
        training: sequences, of token ids [T] or of numbers [T, I], and the numbers of their labels [T].
        sequences: others.

    Returns:
        The baseline's name, and the label numbers of each sequence.
    """
    tokens = sequences[0].ndim == 1
    model: ContextTable | StepLogistic = ContextTable() if tokens else StepLogistic()
    name = "token between its neighbours" if tokens else "step logistic"
    return name, model.fit(*training).predict(sequences)


def sets_without_history(
    training: tuple[Sequence[Ids], Sequence[npt.NDArray[Any]]], sequences: Sequence[Ids]
) -> tuple[str, npt.NDArray[np.float64]]:
    """Return the probabilities that a model without memory gives each label of each step.

    Args:
        training: sequences, of token ids [T] or of numbers [T, I], and zeros and ones [T, K] of their steps.
        sequences: others.

    Returns:
        The baseline's name, and probabilities [S, K] of all steps, one sequence after the other.
    """
    steps, labels = (np.concatenate(list(part)) for part in training)
    tokens = sequences[0].ndim == 1
    model: TokenShares | StepLogits = TokenShares() if tokens else StepLogits()
    name = "token by itself" if tokens else "step logistic"
    return name, model.fit(steps, labels).predict_proba(np.concatenate(list(sequences)))


class TokenShares:
    """The share of a token's steps that have each label, one step with and one without it added."""

    def fit(self, ids: Ids, labels: npt.NDArray[Any]) -> TokenShares:
        """Count labels [S, K] of tokens [S]."""
        tokens, rows = np.unique(ids, return_inverse=True)
        present, known = (np.zeros((len(tokens), labels.shape[1])) for _ in range(2))
        np.add.at(present, rows, labels == 1)
        np.add.at(known, rows, labels != IGNORED)
        self._shares = dict(zip(tokens.tolist(), (present + 1) / (known + 2), strict=True))
        self._others = (present.sum(0) + 1) / (known.sum(0) + 2)
        return self

    def predict_proba(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Return probabilities [S, K]; those of all tokens of a token that was never seen."""
        return np.array([self._shares.get(token, self._others) for token in ids.tolist()]).reshape(len(ids), -1)


class StepLogits:
    """A logistic regression for each label; a label that is never, or always, there has its share."""

    def fit(self, steps: npt.NDArray[Any], labels: npt.NDArray[Any]) -> StepLogits:
        """Learn labels [S, K] of numbers [S, I]."""
        self._scaler = StandardScaler().fit(steps)
        self._models = [self._model(self._scaler.transform(steps), column) for column in labels.T]
        return self

    def _model(self, steps: npt.NDArray[Any], column: npt.NDArray[Any]) -> Any:
        known = column != IGNORED
        present = column[known] == 1
        if present.all() or not present.any():
            return (present.sum() + 1) / (known.sum() + 2)
        with quietly():
            return LogisticRegression(max_iter=300).fit(steps[known], present)

    def predict_proba(self, steps: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return probabilities [S, K]."""
        scaled = self._scaler.transform(steps)
        columns = [
            np.full(len(steps), model) if np.isscalar(model) else model.predict_proba(scaled)[:, 1]
            for model in self._models
        ]
        return np.stack(columns, axis=1)


class ContextTable:
    """The label that a token between its two neighbours most often had; else the token alone; else any."""

    def __init__(self) -> None:
        self._tables: list[dict[Hashable, int]] = []

    def fit(self, sequences: Sequence[Ids], targets: Sequence[Ids]) -> ContextTable:
        """Count labels of tokens [T], sequence by sequence."""
        counts: list[dict[Hashable, Counter[int]]] = [defaultdict(Counter) for _ in range(3)]
        for ids, labels in zip(sequences, targets, strict=True):
            for contexts, label in zip(_contexts(ids), labels.tolist(), strict=True):
                if label != IGNORED:
                    for table, context in zip(counts, contexts, strict=True):
                        table[context][label] += 1
        self._tables = [{context: seen.most_common(1)[0][0] for context, seen in table.items()} for table in counts]
        return self

    def predict(self, sequences: Sequence[Ids]) -> list[npt.NDArray[np.int64]]:
        """Return the label of each step."""
        return [np.array([self._label(contexts) for contexts in _contexts(ids)], dtype=np.int64) for ids in sequences]

    def _label(self, contexts: tuple[Hashable, ...]) -> int:
        return next(table[c] for table, c in zip(self._tables, contexts, strict=True) if c in table)


def _contexts(ids: Ids) -> list[tuple[Hashable, Hashable, Hashable]]:
    listed = [None, *ids.tolist(), None]
    return [(tuple(listed[at : at + 3]), listed[at + 1], "") for at in range(len(ids))]


class StepLogistic:
    """Logistic regression from the numbers of one step to its label."""

    def __init__(self) -> None:
        self._model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))

    def fit(self, sequences: Sequence[Ids], targets: Sequence[Ids]) -> StepLogistic:
        """Learn from numbers [T, I], sequence by sequence."""
        steps, labels = np.concatenate(list(sequences)), np.concatenate(list(targets))
        with quietly():
            self._model.fit(steps[labels != IGNORED], labels[labels != IGNORED])
        return self

    def predict(self, sequences: Sequence[Ids]) -> list[npt.NDArray[np.int64]]:
        """Return the label of each step."""
        return [self._model.predict(s) if len(s) else np.zeros(0, dtype=np.int64) for s in sequences]
