"""The kinds of X that estimators take, and how each becomes sequences: one file per kind."""

from loopcell.tasks.core.inputs.arrays import ArrayInput
from loopcell.tasks.core.inputs.features import FeatureInput
from loopcell.tasks.core.inputs.input import FirstLayer, Input
from loopcell.tasks.core.inputs.kinds import input_from_json, learn_input
from loopcell.tasks.core.inputs.mixed import MixedInput, chosen_steps
from loopcell.tasks.core.inputs.numbers import NumericInput
from loopcell.tasks.core.inputs.text import TextInput
from loopcell.tasks.core.inputs.tokens import TokenInput
from loopcell.tasks.core.inputs.vectors import VectorInput
from loopcell.tasks.core.inputs.words import WordInput

__all__ = [
    "ArrayInput",
    "FeatureInput",
    "FirstLayer",
    "Input",
    "MixedInput",
    "NumericInput",
    "TextInput",
    "TokenInput",
    "VectorInput",
    "WordInput",
    "chosen_steps",
    "input_from_json",
    "learn_input",
]
