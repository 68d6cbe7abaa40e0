"""Readings of a step: from the numbers of the user, or the id of a token, to what the recurrent layers read."""

from __future__ import annotations

from loopcell.errors import UsageError
from loopcell.export.step_model import Lookup, Quantity
from loopcell.export.step_model.of_layers import as_floats
from loopcell.tasks.core.inputs.arrays import ArrayInput
from loopcell.tasks.core.inputs.embedding import TokenEmbedding
from loopcell.tasks.core.inputs.features import FeatureInput
from loopcell.tasks.core.inputs.input import FirstLayer, Input
from loopcell.tasks.core.inputs.text import TextInput
from loopcell.tasks.core.inputs.tokens import TokenInput
from loopcell.tasks.core.inputs.words import WordInput
from loopcell.tasks.core.step_models.features import of_features
from loopcell.tasks.core.step_models.numbers import of_numbers
from loopcell.tasks.core.step_models.step_input import StepInput


def reading_of(reads: Input, layer: FirstLayer) -> StepInput:
    """Return what reads a step of an estimator.

    Args:
        reads: the kind of input, with what was learned of it.
        layer: the network's first layer.

    Raises:
        UsageError: a step cannot be read by itself.
    """
    if isinstance(layer, TokenEmbedding):
        return _of_tokens(reads, layer)
    if isinstance(reads, ArrayInput):
        return of_numbers(reads)
    assert isinstance(reads, FeatureInput)  # there is no other kind
    return of_features(reads)


def _of_tokens(reads: Input, layer: TokenEmbedding) -> StepInput:
    if layer.ngrams is not None:
        raise UsageError("this model reads several tokens at once (ngrams): fit one with ngrams=1 for a step model")
    table = as_floats(layer.embedding.weight)
    token, vector = Quantity("token", 1, "token"), Quantity("embedding", table.shape[1])
    return StepInput(
        (token,), (Lookup(vector, table, token.name),), vector, facts={"tokens": _tokens(reads, len(table))}
    )


def _tokens(reads: Input, count: int) -> list[str]:
    """Return what each token stands for; "" for the unknown one."""
    if isinstance(reads, TextInput):
        unknown = reads.vocabulary.unknown_id
        return ["" if token == unknown else reads.vocabulary.decode([token]) for token in range(count)]
    assert isinstance(reads, TokenInput | WordInput)  # all that has an embedding
    return ["", *(reads.tokens if isinstance(reads, TokenInput) else reads.words)]
