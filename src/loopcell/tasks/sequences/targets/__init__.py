"""The targets of an estimator: labels as numbers, sets of labels, numbers."""

from loopcell.tasks.sequences.targets.classes import Classes, OneLabel, classes_from_json, learn_classes
from loopcell.tasks.sequences.targets.label_sequences import label_sequences, label_steps, sequence_labels
from loopcell.tasks.sequences.targets.labels import Labels, label_weights
from loopcell.tasks.sequences.targets.numbers import as_number_rows

__all__ = [
    "Classes",
    "Labels",
    "OneLabel",
    "as_number_rows",
    "classes_from_json",
    "label_sequences",
    "label_steps",
    "label_weights",
    "learn_classes",
    "sequence_labels",
]
