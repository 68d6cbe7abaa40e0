"""A language model as one step: a token in, the probability of each token to be the next out."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import torch

from loopcell.errors import DataError
from loopcell.export.step_model import Lookup, Output, OwnRun, Quantity, StepCheck, StepModel, layer_stages
from loopcell.export.step_model.checks import MOST_STEPS
from loopcell.export.step_model.of_layers import as_floats
from loopcell.tasks.core.inputs.text import token_labels
from loopcell.tasks.core.step_models.heads import head_stage, probability_stages
from loopcell.tasks.core.streaming.stream import Stream
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.stream import NextToken


def language_model_step(network: LanguageModelNetwork) -> StepModel:
    """Return the step of a language model.

    Args:
        network: trained.
    """
    token, table = Quantity("token", 1, "token"), as_floats(network.embedding.weight)
    vector = Quantity("embedding", table.shape[1])
    layers = layer_stages(network.recurrent, vector)
    scores = head_stage("scores", [layers[-1].gives], network.head, network.embedding.weight if network.tied else None)
    probabilities = probability_stages(scores.gives, None, several=False)
    tokens = tuple(token_labels(network.vocabulary, np.arange(len(network.vocabulary))))
    stages = (Lookup(vector, table, token.name), *layers, scores, *probabilities)
    return StepModel("language_model", (token,), stages, (Output("probabilities", tokens),), {"tokens": list(tokens)})


def text_check(network: LanguageModelNetwork, stream: Stream[NextToken], text: str | PathLike[str]) -> StepCheck:
    """Return the tokens of a text as steps, with what the model says after each: at once, and from a stream.

    Args:
        network: trained.
        stream: of it, at its beginning.
        text: or the path of one; of which the first 2,000 tokens count.

    Raises:
        DataError: the text is empty, or its file cannot be read.
    """
    if isinstance(text, PathLike):
        text = _beginning(Path(text))
    ids = np.array(network.vocabulary.encode(text, unknown="replace")[:MOST_STEPS], np.int64)
    if not len(ids):
        raise DataError("the text is empty: there is no step to hold the export against")
    every = np.arange(len(ids))
    tokens = torch.from_numpy(ids)[:, None].to(network.embedding.weight.device)
    with torch.no_grad():
        whole = network(tokens)[0][:, 0].double().softmax(-1).cpu().numpy()
    streamed = np.stack([one.probabilities for one in stream.feed(int(token) for token in ids) if one is not None])
    runs = {
        way: OwnRun({"probabilities": found}, every)
        for way, found in (("own offline", whole), ("own streamed", streamed))
    }
    return StepCheck({"token": ids}, runs)


def _beginning(path: Path) -> str:
    """Return as much of a file as a check looks at; what is cut in two at its end is left out."""
    try:
        with path.open("rb") as file:
            return file.read(16 * MOST_STEPS).decode("utf-8-sig", errors="ignore")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
