"""Look inside a language model while it reads a text: its layers, and what it expects at each token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.data.text import Source
from loopcell.errors import InputError
from loopcell.insight import CorpusPart, GradientFlow, Inspection, LayerView, Prediction, look_inside
from loopcell.insight.corpus_parts import STEPS
from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.treatments import Treatment
from loopcell.layers import State
from loopcell.tasks.core.estimator.gradient_flows import flow_in
from loopcell.tasks.core.inputs.text import token_labels, unknown_among, unknown_notes
from loopcell.tasks.language_model.network import LanguageModelNetwork

SHOWN = 5  # expected tokens of a step


def inspected(network: LanguageModelNetwork, text: str, title: str) -> Inspection:
    """Return what happens inside a network while it reads a text.

    Raises:
        InputError: the text is empty, or the model's weights are not finite.
    """
    ids = network.vocabulary.encode(text, unknown="replace")
    if not len(ids):
        raise InputError("nothing to look at: the text is empty")
    tokens = torch.from_numpy(ids).unsqueeze(1).to(network.device)
    read: list[Tensor] = []
    layers = look_inside(network, lambda: read.append(network(tokens)[0]))
    logits = read[0][:, 0].double().cpu()
    if not bool(logits.isfinite().all()):
        raise InputError("the model's weights are not finite: it expects nothing")
    expected = logits.log_softmax(-1)
    came = expected[:-1].gather(-1, torch.from_numpy(ids[1:]).unsqueeze(-1)).squeeze(-1).numpy()
    first = np.array([np.nan])  # nobody expected the first token
    return Inspection(
        title=title,
        steps=token_labels(network.vocabulary, ids),
        layers=layers,
        traces={
            "surprise (bits)": np.concatenate([first, -came / math.log(2)]),
            "probability": np.concatenate([first, np.exp(came)]),
        },
        predictions=_best(network, expected),
        predicted="next",
        notes=unknown_notes(int(unknown_among(network.vocabulary, ids).sum())),
    )


def flow_of_text(network: LanguageModelNetwork, text: str, treatment: Treatment | None) -> GradientFlow:
    """Return how the gradient of the loss on a text's last token flows back.

    Raises:
        InputError: the text has fewer than two tokens, or the treatment does not fit the cell.
    """
    ids = network.vocabulary.encode(text, unknown="replace")
    if len(ids) < 2:
        raise InputError("there is no gradient to look at: the text has fewer than two tokens")
    tokens = torch.from_numpy(ids).to(network.device)

    def read(model: nn.Module) -> Tensor:
        logits, _ = model(tokens[:-1].unsqueeze(1))
        return functional.cross_entropy(logits[-1].float(), tokens[-1:])

    labels = token_labels(network.vocabulary, ids[:-1])
    return flow_in(network, read, "last token", labels, place="", treatment=treatment)


def corpus_states(
    network: LanguageModelNetwork, sources: Iterable[Source], quantities: Sequence[str] | None
) -> Iterator[CorpusPart]:
    """Yield what the layers compute at every token of some texts; the state goes on from part to part of a text."""
    for number, source in enumerate(sources):
        state = None
        for block in network.vocabulary.encode_source(source, unknown="replace"):
            labels = token_labels(network.vocabulary, block)
            texts = network.vocabulary.decode_steps(block)
            unknown = unknown_among(network.vocabulary, block)
            for start in range(0, len(block), STEPS):
                part = slice(start, start + STEPS)
                layers, state = _recorded(network, block[part], state, quantities)
                yield CorpusPart(number, labels[part], texts[part], unknown[part], layers)


def _recorded(
    network: LanguageModelNetwork, ids: npt.NDArray[np.int64], state: State | None, quantities: Sequence[str] | None
) -> tuple[tuple[LayerView, ...], State]:
    """Return the layers' values [T, n] for some tokens, and the state after them; the head does not run."""
    recurrent = network.recurrent
    tokens = torch.from_numpy(ids).unsqueeze(1).to(network.device)
    with in_evaluation(network), torch.no_grad():
        recorded = recurrent.record(network.embedding(tokens), *(quantities or recurrent.cell.states), state=state)
    layers = tuple(
        LayerView(
            f"recurrent, layer {layer}",
            recurrent.cell,
            {name: values[layer][:, 0].cpu().float().numpy() for name, values in recorded.items()},
        )
        for layer in range(recurrent.num_layers)
    )
    return layers, recorded.state


def _best(network: LanguageModelNetwork, expected: Tensor) -> list[list[Prediction]]:
    """Return the most probable tokens after each token, of log-probabilities [T, V]."""
    found, ids = expected.topk(min(SHOWN, expected.shape[-1]), dim=-1)
    labels = {token: token_labels(network.vocabulary, np.array([token]))[0] for token in set(ids.flatten().tolist())}
    return [
        [Prediction(labels[token], float(probability)) for token, probability in zip(row, shares, strict=True)]
        for row, shares in zip(ids.tolist(), found.exp().tolist(), strict=True)
    ]
