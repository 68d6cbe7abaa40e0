"""Look inside a decoder while it writes its best answer to one input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from loopcell.insight import AttentionMap, Inspection, Prediction, look_inside
from loopcell.tasks.core.networks.many_to_one import precise
from loopcell.tasks.seq2seq.decoder import Decoded, Encoded
from loopcell.tasks.seq2seq.network import DecodingNetwork
from loopcell.tasks.seq2seq.target import TargetText

END = "■"
SHOWN = 5  # likeliest tokens of a step
NOTE = "a step of the decoder is a token that it writes, after it has read the one before; ■ is the end"


def decoder_part(
    network: DecodingNetwork, target: TargetText, tokens: Sequence[int], encoded: Encoded, source: list[str]
) -> Inspection:
    """Return what happens inside a decoder while it writes some tokens and the end after them.

    Args:
        network: encoder and decoder.
        target: how tokens are spelled.
        tokens: an answer, without the end.
        encoded: what the encoder made of one input.
        source: what attention may look at, in words.

    Returns:
        One step for each token written: its probability is the trace "probability", and the likeliest tokens there,
        which beam search does not always take, are the predictions.
    """
    read = torch.tensor([target.size, *tokens], device=encoded.context.device)
    found: list[Decoded] = []
    layers = look_inside(network, lambda: found.append(network.decoder(read.unsqueeze(1), encoded)))
    with torch.no_grad():
        shares = precise(network.decoder.scores(found[0].vectors[:, 0])).softmax(-1).double().cpu().numpy()
    written = np.array([*tokens, target.size])
    weights = found[0].weights
    steps = [*target.pieces(tokens), END]
    looked = None if weights is None else AttentionMap(source, steps, weights[:, 0].double().cpu().numpy())
    return Inspection(
        title="decoder",
        steps=steps,
        layers=layers,
        traces={"probability": shares[np.arange(len(written)), written]},
        predictions=[_likeliest(row, target) for row in shares],
        predicted="here",
        notes=(NOTE,),
        part="decoder",
        attention=looked,
    )


def _likeliest(shares: np.ndarray[tuple[int], np.dtype[np.float64]], target: TargetText) -> list[Prediction]:
    """Return the likeliest tokens of a step with their probabilities [V + 1], the first first."""
    order = np.argsort(-shares, kind="stable")[:SHOWN].tolist()
    names = [END if token == target.size else target.pieces([token])[0] for token in order]
    return [Prediction(name, float(shares[token])) for name, token in zip(names, order, strict=True)]
