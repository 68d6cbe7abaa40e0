"""A language model as one step: a token in, the probability of each token to be the next out."""

from __future__ import annotations

from loopcell.export.step_model import Lookup, Output, Quantity, StepModel, layer_stages
from loopcell.export.step_model.of_layers import as_floats
from loopcell.tasks.core.inputs.text import token_labels
from loopcell.tasks.core.step_models.heads import head_stage, probability_stages
from loopcell.tasks.language_model.network import LanguageModelNetwork


def language_model_step(network: LanguageModelNetwork) -> StepModel:
    """Return the step of a language model.

    Args:
        network: trained.
    """
    import numpy as np

    token, table = Quantity("token", 1, "token"), as_floats(network.embedding.weight)
    vector = Quantity("embedding", table.shape[1])
    layers = layer_stages(network.recurrent, vector)
    scores = head_stage("scores", [layers[-1].gives], network.head, network.embedding.weight if network.tied else None)
    probabilities = probability_stages(scores.gives, None, several=False)
    tokens = tuple(token_labels(network.vocabulary, np.arange(len(network.vocabulary))))
    stages = (Lookup(vector, table, token.name), *layers, scores, *probabilities)
    return StepModel("language_model", (token,), stages, (Output("probabilities", tokens),), {"tokens": list(tokens)})
