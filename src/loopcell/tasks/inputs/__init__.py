"""What may be given to an estimator as X, and how it becomes sequences: one file a kind."""

from loopcell.tasks.inputs.arrays import ArrayInput
from loopcell.tasks.inputs.features import FeatureInput
from loopcell.tasks.inputs.input import FirstLayer, Input
from loopcell.tasks.inputs.kinds import input_from_json, learn_input
from loopcell.tasks.inputs.numbers import NumericInput
from loopcell.tasks.inputs.text import TextInput
from loopcell.tasks.inputs.tokens import TokenInput
from loopcell.tasks.inputs.vectors import VectorInput
from loopcell.tasks.inputs.words import WordInput

__all__ = [
    "ArrayInput",
    "FeatureInput",
    "FirstLayer",
    "Input",
    "NumericInput",
    "TextInput",
    "TokenInput",
    "VectorInput",
    "WordInput",
    "input_from_json",
    "learn_input",
]
