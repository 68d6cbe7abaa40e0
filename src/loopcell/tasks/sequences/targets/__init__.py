"""The targets of an estimator: labels as numbers, sets of labels, numbers."""

from loopcell.tasks.sequences.targets.classes import Classes, OneLabel, classes_from_json, learn_classes
from loopcell.tasks.sequences.targets.label_sequences import label_sequences, label_steps, sequence_labels
from loopcell.tasks.sequences.targets.labels import Labels, demand_all, label_weights
from loopcell.tasks.sequences.targets.numbers import as_number_rows
from loopcell.tasks.sequences.targets.step_labels import StepLabels, learn_step_labels, step_labels_from_json

__all__ = [
    "Classes",
    "Labels",
    "OneLabel",
    "StepLabels",
    "as_number_rows",
    "classes_from_json",
    "demand_all",
    "label_sequences",
    "label_steps",
    "label_weights",
    "learn_classes",
    "learn_step_labels",
    "sequence_labels",
    "step_labels_from_json",
]
