"""Encoder-decoder: a sequence in, another one out, of a length of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.layers import State
from loopcell.tasks.core.estimator import IGNORED, Loss, SequenceBatch
from loopcell.tasks.core.estimator.weights import weigh
from loopcell.tasks.core.networks.many_to_one import precise
from loopcell.tasks.core.networks.pooling import LastPooling
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.seq2seq.decoder import Decoded, Decoder, Encoded
from loopcell.tasks.seq2seq.settings import WritingSettings


class Bridge(nn.Module):
    """The decoder's first state: tanh(W s) of the encoder's last one, both directions together, layer by layer.

    Args:
        sizes: the length of each state of the cell, in the cell's order.
        layers: L.
        directions: D of the encoder.
    """

    def __init__(self, sizes: list[int], layers: int, directions: int) -> None:
        super().__init__()
        self._layers, self._directions = layers, directions
        self.maps = nn.ModuleList(
            nn.ModuleList(nn.Linear(directions * size, size) for _ in range(layers)) for size in sizes
        )

    def forward(self, state: State) -> State:
        """Map [L * D, B, n] of each state to [L, B, n]."""
        found: dict[str, Tensor] = {}
        for maps, (name, tensor) in zip(self.maps, state.items(), strict=True):
            # Rows of [L * D, B, n] are layer by layer, each with its directions: [L, D, B, n] to [L, B, D * n].
            both = tensor.view(self._layers, self._directions, *tensor.shape[1:]).transpose(1, 2).flatten(2)
            assert isinstance(maps, nn.ModuleList)
            found[name] = torch.stack([torch.tanh(one(layer)) for one, layer in zip(maps, both, strict=True)])
        return State(**found)


class DecodingNetwork(nn.Module):
    """A network that ends in a decoder; what encodes the input is for a subclass to say.

    Args:
        decoder: writes the targets.
        settings: label smoothing and teacher forcing.

    Attributes:
        updates: int64, batches learned from; teacher forcing falls with them.
        total_updates: after so many teacher forcing has reached its end.
    """

    updates: Tensor

    def __init__(self, decoder: Decoder, settings: WritingSettings) -> None:
        super().__init__()
        self.decoder = decoder
        self.smoothing, self._last_share = settings.label_smoothing, settings.teacher_forcing
        self.total_updates = 1
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def encode(self, inputs: Tensor, lengths: Tensor) -> Encoded:
        """Encode a batch of inputs to what the decoder starts from."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, lengths: Tensor, targets: Tensor) -> Decoded:
        """Decode with the targets' own tokens: targets are [T, B] with the end, `IGNORED` past it."""
        encoded = self.encode(inputs, lengths)
        decoded: Decoded = self.decoder(self._shifted(targets), encoded, (targets != IGNORED).sum(0))
        return decoded

    def loss(self, batch: SequenceBatch) -> Loss:
        """Return the negative log-probability of all tokens of the targets, their ends included."""
        known = batch.targets != IGNORED
        encoded = self.encode(batch.inputs, batch.lengths)
        tokens, lengths = self._shifted(batch.targets), known.sum(0)
        if self.training and self._last_share < 1.0:
            tokens = self._mixed(tokens, encoded, lengths)
        # Padding is left out before the head: its product over V tokens is often the largest of all.
        vectors = self.decoder(tokens, encoded, lengths).vectors[known]
        smoothing = self.smoothing if self.training else 0.0
        scores, true = precise(self.decoder.scores(vectors)), batch.targets[known]
        if batch.weights is None:
            total = functional.cross_entropy(scores, true, reduction="sum", label_smoothing=smoothing)
        else:
            losses = functional.cross_entropy(scores, true, reduction="none", label_smoothing=smoothing)
            total = weigh(losses, batch.weights.expand(known.shape)[known])
        return Loss(total, len(vectors))

    def scored(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return every target token's log-probability and whether it is the likeliest: each [N]."""
        known = batch.targets != IGNORED
        vectors = self(batch.inputs, batch.lengths, batch.targets).vectors[known]
        found = precise(self.decoder.scores(vectors)).log_softmax(-1)
        true = batch.targets[known]
        return found.gather(-1, true.unsqueeze(-1)).squeeze(-1), found.argmax(-1) == true

    def _shifted(self, targets: Tensor) -> Tensor:
        """Return the decoder's inputs: the targets one step later, after the boundary."""
        boundary = self.decoder.boundary
        first = targets.new_full((1, targets.shape[1]), boundary)
        return torch.cat([first, targets[:-1].masked_fill(targets[:-1] == IGNORED, boundary)])

    def _mixed(self, tokens: Tensor, encoded: Encoded, lengths: Tensor) -> Tensor:
        """Put the decoder's own choice in place of some tokens: scheduled sampling (Bengio et al., 2015), in parallel.

        As Duckworth et al. 2019 (arXiv 1906.04331): the choices are those after the true tokens, so two calls over the
        whole target do in place of one call a step.
        """
        self.updates += 1
        share = 1.0 - (1.0 - self._last_share) * min(1.0, float(self.updates) / self.total_updates)
        with torch.no_grad():
            own = self.decoder.scores(self.decoder(tokens, encoded, lengths).vectors).argmax(-1)
        # Position t of `own` follows token t, so it stands in for token t + 1; the boundary in front is never replaced.
        replaced = torch.rand(tokens[1:].shape, device=tokens.device) >= share
        return torch.cat([tokens[:1], torch.where(replaced, own[:-1], tokens[1:])])


class EncoderDecoder(DecodingNetwork):
    """A reader of sequences, a bridge, and a decoder.

    Args:
        reader: reads the sequences.
        decoder: writes the targets.
        settings: label smoothing and teacher forcing.
    """

    def __init__(self, reader: SequenceReader, decoder: Decoder, settings: WritingSettings) -> None:
        super().__init__(decoder, settings)
        self.reader = reader
        recurrent = reader.recurrent
        sizes = [tensor.shape[-1] for tensor in recurrent.initial_state(1).values()]
        self.bridge = Bridge(sizes, recurrent.num_layers, recurrent.num_directions)
        self.last = LastPooling(reader.output_size, recurrent.num_directions)

    def encode(self, inputs: Tensor, lengths: Tensor) -> Encoded:
        """Read [T, B] or [T, B, I] of rows with lengths [B]."""
        outputs, state = self.reader(inputs, lengths)
        return self.decoder.encoded(outputs, lengths, self.last(outputs, lengths), self.bridge(state))
