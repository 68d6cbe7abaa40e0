"""The live page: a small language model that runs in the reader's browser, on the reader's own text.

The page has the model's weights as they are and its cell's graph, which `frontend/src/graph.js` runs by the same
equations. So the reader can type, see every gate at every token, change a weight or an equation, and see what becomes
of the prediction, the gradient and the memory.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.equations.gates import gates_of
from loopcell.equations.graph import Graph
from loopcell.equations.mathml import mathml
from loopcell.equations.serialise import graph_to_json
from loopcell.errors import InputError
from loopcell.insight.html_document import document
from loopcell.insight.variants import variants
from loopcell.layers.initialisers import recurrent_matrices
from loopcell.layers.stack import Stack
from loopcell.runtime.programs import known_names

MOST_WEIGHTS = 2_000_000
"""Weights that a page may hold: more are slow to load, and to run at every key."""
LONGEST = 400
"""Characters that the reader may type."""
KINDS = ("char", "byte", "jamo")
"""Vocabularies whose texts the page can read: `frontend/src/tokens.js`."""


@dataclass(frozen=True, eq=False)
class LiveModel:
    """A language model as its live page needs it.

    Attributes:
        title: of the page.
        layers: the recurrent layers, which read the embedding.
        embedding: [V, E].
        head: [V, O], from the output to the scores of the next token.
        head_bias: [V].
        vocabulary: as a model file stores it.
        labels: the text of each token, V of them.
        drawn: ids of the tokens that may be drawn, the most frequent first.
        text: what stands in the page before the reader types.
        notes: what a reader has to know, such as the source of the training text and the score.
    """

    title: str
    layers: Stack
    embedding: Tensor
    head: Tensor
    head_bias: Tensor
    vocabulary: Mapping[str, Any]
    labels: Sequence[str]
    drawn: Sequence[int]
    text: str = ""
    notes: Sequence[str] = ()


def live_page(model: LiveModel) -> str:
    """Return the page of a model: one HTML file, with no request to anywhere.

    Raises:
        InputError: the model has too many weights, tokens that the page cannot read or weights that are not finite, or
            the text is too long.
    """
    if model.vocabulary["kind"] not in KINDS:
        raise InputError(
            f"a live page reads tokens of the kinds {', '.join(KINDS)}, and this model's are {model.vocabulary['kind']}"
        )
    if len(model.text) > LONGEST:
        count = len(model.text)
        raise InputError(f"a live page begins with at most {LONGEST} characters of text, and there are {count:,}")
    graph = model.layers.cell.graph
    arrays = _arrays(model)
    graphs = {"": graph, **variants(model.layers.cell)}
    places = range(model.layers.num_layers)
    facts = {
        "title": model.title,
        "notes": list(model.notes),
        "text": model.text,
        "longest": LONGEST,
        "vocabulary": dict(model.vocabulary),
        "labels": list(model.labels),
        "drawn": list(model.drawn),
        "arrays": [[name, list(array.shape)] for name, array in arrays.items()],
        "sizes": [dict(model.layers.executable(layer).sizes) for layer in places],
        "cell": model.layers.cell.name,
        "graphs": [{"variant": name, **graph_facts(one)} for name, one in graphs.items()],
        "keep": [[gate.bias, gate.sign] for gate in gates_of(graph).keep],
        "recurrent": [_radii(model.layers, layer) for layer in places],
    }
    return document(model.title, "live", facts, [f'<script type="text/plain" id="weights">{_packed(arrays)}</script>'])


def graph_facts(graph: Graph) -> dict[str, Any]:
    """Return a cell's graph as the page runs it: JSON, with the sizes of every node and what has a name."""
    gates = {node.label for node in graph.nodes if node.op == "sigmoid"}
    quantities = [{"name": name, "at": at, "gate": name in gates} for name, at in known_names(graph).items()]
    return {
        **graph_to_json(graph),
        "dims": [list(node.dims) for node in graph.nodes],
        "quantities": quantities,
        "equations": mathml(graph),
    }


def _arrays(model: LiveModel) -> dict[str, Tensor]:
    """Return the weights by name, float32; those of a layer as "0.W.i".

    Raises:
        InputError: they are too many, or not finite.
    """
    found = {"embedding": model.embedding, "head": model.head, "bias": model.head_bias}
    for layer, _ in model.layers.places():
        found |= {f"{layer}.{name}": tensor for name, tensor in model.layers.weights(layer, 0).items()}
    count = sum(tensor.numel() for tensor in found.values())
    if count > MOST_WEIGHTS:
        raise InputError(
            f"a live page holds at most {MOST_WEIGHTS:,} weights, and this model has {count:,}: train a smaller one, "
            "such as LanguageModel(num_layers=1, hidden_size=128, embedding_size=32)"
        )
    if not all(bool(tensor.isfinite().all()) for tensor in found.values()):
        raise InputError("the model's weights are not finite: there is nothing to run")
    return {name: tensor.detach().cpu().float() for name, tensor in found.items()}


def _radii(layers: Stack, layer: int) -> list[list[Any]]:
    """Return the recurrent matrices of a layer by name, each with its spectral radius; None where it is not square."""
    weights = layers.weights(layer, 0)
    return [[name, _radius(weights[name].detach().double().cpu())] for name in recurrent_matrices(layers)]


def _radius(matrix: Tensor) -> float | None:
    square = matrix.shape[0] == matrix.shape[1]
    return float(torch.linalg.eigvals(matrix).abs().amax()) if square else None


def _packed(arrays: Mapping[str, Tensor]) -> str:
    """Return base64 of zlib of all numbers, float32, little-endian: the first byte of each, then the second, ..."""
    flat = np.concatenate([array.numpy().reshape(-1) for array in arrays.values()]).astype("<f4")
    planes = flat.view(np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(zlib.compress(planes, level=9)).decode("ascii")
