"""A language model as one step: a token in, the probability of each token to be the next out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from loopcell.errors import DataError
from loopcell.export.step_model import Lookup, Output, OwnRun, Quantity, StepCheck, StepModel, layer_stages
from loopcell.export.step_model.checks import MOST_SEQUENCES, MOST_STEPS, RANGE_STEPS
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


def text_check(
    network: LanguageModelNetwork, stream: Stream[NextToken], text: str | PathLike[str], most: int = MOST_STEPS
) -> StepCheck:
    """Return the tokens of a text as steps, with what the model says after each: at once, and from a stream.

    Args:
        network: trained.
        stream: of it, at its beginning.
        text: or the path of one.
        most: so many of its first tokens count.

    Raises:
        DataError: the text is empty, or its file cannot be read.
    """
    ids = _tokens(network, text)[:most]
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


def texts_check(
    network: LanguageModelNetwork, stream: Callable[[], Stream[NextToken]], texts: Sequence[str | PathLike[str]]
) -> StepCheck:
    """Return the check of several texts: of the first ones, 2,000 tokens in all; arguments and errors as `text_check`.

    Args:
        network: trained.
        stream: gives one of it, at its beginning.
        texts: or their paths.
    """
    if not len(texts):
        raise DataError("there is no text to hold the export against")
    first, *further = _checks(network, stream, texts)
    every = [{"token": _tokens(network, text)} for text in texts]
    return replace(first, further=tuple(further), every=tuple(one for one in every if len(one["token"])))


def _checks(
    network: LanguageModelNetwork, stream: Callable[[], Stream[NextToken]], texts: Sequence[str | PathLike[str]]
) -> Iterator[StepCheck]:
    left = MOST_STEPS
    for number, text in enumerate(texts[:MOST_SEQUENCES]):
        if number and not len(_tokens(network, text)):
            continue
        check = text_check(network, stream(), text, left)
        left -= len(check.inputs["token"])
        yield check
        if not left:
            return


def _tokens(network: LanguageModelNetwork, text: str | PathLike[str]) -> npt.NDArray[np.int64]:
    """Return as many tokens of a text as a range is looked for in."""
    if isinstance(text, PathLike):
        text = _beginning(Path(text))
    return np.array(network.vocabulary.encode(text, unknown="replace")[:RANGE_STEPS], np.int64)


def _beginning(path: Path) -> str:
    """Return as much of a file as a check looks at; what is cut in two at its end is left out."""
    try:
        with path.open("rb") as file:
            return file.read(16 * RANGE_STEPS).decode("utf-8-sig", errors="ignore")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
