"""Metrics of alarms: scikit-learn's, of steps, and how many anomalies are noticed at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from loopcell.tasks.core.spans import segments

Floats = npt.NDArray[np.float64]


def anomaly_metrics(true: Sequence[Floats], scores: Sequence[Floats], threshold: float) -> dict[str, float]:
    """Measure precision, recall and F1 of steps above a threshold, and what needs none.

    Args:
        true: zeros and ones [T] of each series.
        scores: [T] of each series; NaN where a step has none: it does not count.
        threshold: above which a step is an alarm.

    Returns:
        Beside these: "noticed", the share of segments of anomalous steps with an alarm, if there are such segments;
        "alarms", the share of steps with one; average precision and ROC AUC, where there are steps of both kinds.
    """
    there = [np.isfinite(part) for part in scores]
    flat_true = np.concatenate([part[known] for part, known in zip(true, there, strict=True)]) > 0
    flat = np.concatenate([part[known] for part, known in zip(scores, there, strict=True)])
    alarm = flat > threshold
    precision, recall, f1, _ = precision_recall_fscore_support(flat_true, alarm, average="binary", zero_division=0.0)
    found = {"precision": float(precision), "recall": float(recall), "F1": float(f1)}
    spans = [
        bool((part[span.start : span.stop] > threshold).any())
        for part, labels, known in zip(scores, true, there, strict=True)
        for span in segments(np.where(known, labels > 0, 0).astype(int).tolist())
    ]
    if spans:
        found["noticed"] = float(np.mean(spans))
    found["alarms"] = float(alarm.mean())
    if 0 < flat_true.sum() < len(flat_true):
        found["average precision"] = float(average_precision_score(flat_true, flat))
        found["ROC AUC"] = float(roc_auc_score(flat_true, flat))
    return found


def detector_rows(
    rows: Mapping[str, tuple[Sequence[Floats], float]], labels: Sequence[Floats] | None, firsts: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Measure the scores of a model and of what stands beside it.

    Args:
        rows: scores [T] of each series and the threshold, by name, "model" among them.
        labels: zeros and ones [T] of each series; None where nobody knows: then alarms are counted alone.
        firsts: the step of each series before which no score counts.

    Returns:
        The metrics by name; with labels also those of an alarm at every step.
    """
    parts = {
        name: [_scored_from(part, first) for part, first in zip(scores, firsts, strict=True)]
        for name, (scores, _) in rows.items()
    }
    found = {name: _metrics(parts[name], labels, threshold) for name, (_, threshold) in rows.items()}
    if labels is not None:
        every = [np.where(np.isfinite(part), 1.0, np.nan) for part in parts["model"]]
        found["every step"] = _metrics(every, labels, 0.0)
    return found


def _metrics(scores: Sequence[Floats], labels: Sequence[Floats] | None, threshold: float) -> dict[str, float]:
    """Measure scores [T] of each series against labels; without any, count the alarms alone."""
    if labels is not None:
        return anomaly_metrics(labels, scores, threshold)
    flat = np.concatenate(scores)
    flat = flat[np.isfinite(flat)]
    return {"alarms": float((flat > threshold).mean()), "mean score": float(flat.mean())}


def _scored_from(scores: Floats, first: int) -> Floats:
    """Drop the scores before a step."""
    found = scores.copy()
    found[:first] = np.nan
    return found
