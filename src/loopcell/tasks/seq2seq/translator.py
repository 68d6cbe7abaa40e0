"""Seq2Seq: many-to-many of different lengths, a sequence in and another one out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from loopcell.errors import UsageError
from loopcell.insight import AttentionMap, Inspection
from loopcell.tasks.core.inputs import TextInput, TokenInput
from loopcell.tasks.seq2seq.decoder import Decoder
from loopcell.tasks.seq2seq.estimator import WritingEstimator
from loopcell.tasks.seq2seq.network import EncoderDecoder
from loopcell.tasks.seq2seq.settings import Seq2SeqSettings
from loopcell.tasks.seq2seq.target import spelled


class Seq2Seq(Seq2SeqSettings, WritingEstimator):
    """A sequence for a sequence: a sentence in another language, a routine for an order, a date in another form.

    Its arguments are those of `NetworkSettings`, `TrainingSettings`, `WritingSettings` and `Seq2SeqSettings`, all of
    them keywords with defaults. X is anything that the other estimators read: texts, lists of tokens, arrays [T, I],
    files. y are texts or lists of tokens, and so are predictions.

    Sutskever, Vinyals, Le 2014 (arXiv 1409.3215) and Cho et al. 2014 (arXiv 1406.1078), with attention as Bahdanau et
    al. 2015 or Luong et al. 2015.

    Attributes:
        network_: the trained network.
        target_: how targets become tokens.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "seq2seq"
    network_: EncoderDecoder

    def attention_map(self, x: Any) -> AttentionMap:
        """Return the decoder's attention while it wrote its best answer to one input.

        Raises:
            UsageError: the model has no attention.
        """
        self._fitted()
        if self.network_.decoder.attention is None:
            raise UsageError("this model has no attention: its decoder starts from the context vector alone")
        found = self._written_part(x)[0].attention
        assert found is not None  # the decoder has attention
        return found

    def inspect(self, x: Any) -> Inspection:
        """Look at what happens inside while the model reads one input, and while it writes its best answer to it.

        Args:
            x: one input, in the form of those that `fit` was given.

        Returns:
            The encoder, with the input's steps; `inspection.parts["decoder"]` is the decoder, whose steps are the
            tokens that it wrote, with their probabilities and with the attention of each to the input's steps. In a
            notebook it shows itself; `inspection.save("page.html")` writes a page that opens anywhere.

        Raises:
            DataError: the input cannot be used.
            InputError: it has no step.
        """
        encoder = super().inspect(x)
        decoder, answers = self._written_part(x)
        return replace(encoder, part="encoder", answer=answers, others=(decoder,))

    def _source(self, sequence: Any) -> list[str]:
        if isinstance(self.input_, TextInput | TokenInput):
            return spelled(self.input_, np.asarray(sequence))
        return [str(step) for step in range(len(sequence))]

    def _target_settings(self, settings: Seq2SeqSettings) -> Seq2SeqSettings:
        size = settings.target_vocabulary_size or settings.vocabulary_size
        kind = settings.target_tokens or settings.tokens
        return replace(settings, tokens=kind, vocabulary_size=size, features=None, embedding=None)

    def _network(self, settings: Seq2SeqSettings) -> EncoderDecoder:
        reader = self._reader(settings)
        decoder = Decoder(self.target_.size, reader.output_size, reader.output_size, settings)
        return EncoderDecoder(reader, decoder, settings)
