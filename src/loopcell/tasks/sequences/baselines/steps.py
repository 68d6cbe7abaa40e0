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
