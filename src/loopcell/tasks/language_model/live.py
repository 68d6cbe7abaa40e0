"""The live page of a language model: what the page needs, gathered from its network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loopcell.insight.live import LiveModel, live_page
from loopcell.tasks.core.inputs.text import token_labels, unknown_among, unknown_notes
from loopcell.tasks.language_model.network import LanguageModelNetwork


def page_of(network: LanguageModelNetwork, title: str, text: str, notes: Sequence[str]) -> str:
    """Return the live page of a network; errors as of `live_page`."""
    vocabulary, counts = network.vocabulary, network.token_counts.cpu().clone()
    if vocabulary.unknown_id is not None:  # nobody wants to read it
        counts[vocabulary.unknown_id] = 0
    drawn = [token for token in counts.argsort(descending=True, stable=True).tolist() if counts[token]]
    unknown = int(unknown_among(vocabulary, vocabulary.encode(text, unknown="replace")).sum())
    return live_page(
        LiveModel(
            title=title,
            layers=network.recurrent,
            embedding=network.embedding.weight,
            head=network.embedding.weight if network.tied else network.head.weight,
            head_bias=network.head.bias,
            vocabulary=vocabulary.to_json(),
            labels=token_labels(vocabulary, np.arange(len(vocabulary))),
            drawn=drawn or list(range(len(vocabulary))),
            text=text,
            notes=(*notes, *(f"in the text that the page begins with, {note}" for note in unknown_notes(unknown))),
        )
    )
