"""LanguageModel.stream: the distribution of the next token, and how surprising each was that came."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.errors import InputError, quoted
from loopcell.layers import State
from loopcell.layers.streaming.base import Owner, Start, demand_state
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.sampling import probabilities
from loopcell.tasks.core.streaming.stream import ROW, Stream, as_record
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.sampling import predict_after

SHOWN = 3  # of the next tokens


class NextToken(NamedTuple):
    """The answer of a language model to a piece of text.

    Attributes:
        probabilities: float64 [V], of each token to be the next.
        bits: how surprising the piece was: minus the logarithm to base 2 of its probability after what came before. The
            very first token of a stream is not counted: nothing came before it.
        tokens: how many the piece has.
    """

    probabilities: npt.NDArray[np.float64]
    bits: float
    tokens: int


class TextStream(Stream[NextToken]):
    """A stream of text; see `Stream`.

    A row is the number of a token, or a text, which is cut into tokens.

    Args:
        owner: the model.
        network: trained.
    """

    names, fields = ("tokens", "bits", "next"), ("tokens", "bits", "next", "probability")
    line_end = "\n"  # a line of a text has it

    def __init__(self, owner: Owner, network: LanguageModelNetwork) -> None:
        super().__init__(owner)
        self._network, self._all = network, torch.ones(len(network.vocabulary), dtype=torch.bool)
        self._state: State | None = None
        self._logits: Tensor | None = None

    def step(self, row: Any) -> NextToken:
        """Read a token or a text; see `Stream.step`."""
        state, logits, bits = self._state, self._logits, 0.0
        tokens = self._tokens(row)
        for token in tokens:
            if logits is not None:
                bits -= float(logits.double().log_softmax(0)[token]) / math.log(2)
            logits, state = predict_after(self._network, [token], state)
        if logits is None:
            raise InputError("the stream begins with an empty text: there is nothing to go by yet")
        found = probabilities(logits, SamplingConfig(), self._all).numpy()
        self._state, self._logits = state, logits
        self.rows += 1
        return NextToken(found, bits, len(tokens))

    def _tokens(self, row: Any) -> list[int]:
        record = as_record(row, self.rows + 1)
        given = record.values.get(ROW)
        if isinstance(given, str):
            return [int(token) for token in self._network.vocabulary.encode(given, unknown="replace")]
        number = given if isinstance(given, int | np.integer) and not isinstance(given, bool) else -1
        if not 0 <= number < len(self._all):
            expected = f"a text was expected, or the number of a token from 0 to {len(self._all) - 1}"
            raise InputError(f"{record.origin}: {expected}, got {quoted(row)}")
        return [int(number)]

    # --- results ---------------------------------------------------------------------------------------------------

    def record(self, result: NextToken | None) -> dict[str, Any]:
        """Return tokens, bits, and the most probable next tokens with their probabilities."""
        assert result is not None  # each row has one
        best = np.argsort(-result.probabilities, kind="stable")[:SHOWN]
        shown = {self._text(token): float(result.probabilities[token]) for token in best}
        return {"tokens": result.tokens, "bits": result.bits, "next": shown}

    def flat(self, result: NextToken | None) -> list[Any]:
        """Return tokens, bits, and the most probable next token with its probability."""
        assert result is not None
        best = int(result.probabilities.argmax())
        return [result.tokens, result.bits, self._text(best), float(result.probabilities[best])]

    def _text(self, token: int) -> str:
        """Return the text of a token; its number where it is none alone."""
        return self._network.vocabulary.decode([int(token)]) or f"#{token}"

    # --- state -----------------------------------------------------------------------------------------------------

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        if self._state is None or self._logits is None:
            return {}, {}
        states = {f"state.{name}": tensor.contiguous().cpu() for name, tensor in self._state.items()}
        return {}, {**states, "logits": self._logits.contiguous().cpu()}

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        if not tensors:
            self._state = self._logits = None
            return
        start = self._network.recurrent.initial_state(1)
        state = demand_state({name: tensors[f"state.{name}"] for name in start}, start)
        bias = self._network.head.bias
        (logits,) = demand_state({"logits": tensors["logits"]}, State(logits=bias)).values()
        self._state, self._logits = state, logits


class StreamedModel:
    """A model that reads on, once it is fitted."""

    @abstractmethod
    def _fitted_network(self) -> LanguageModelNetwork:
        """Return the trained network; NotFittedError where there is none yet."""

    @abstractmethod
    def _owner(self) -> Owner:
        """Return what tells this model from others."""

    def stream(self, state: Start = None) -> Stream[NextToken]:
        """Read a text as it comes: `with model.stream() as stream: stream.step("a")`.

        Args:
            state: where another stream stood: its `state`, or a file. The file need not be there yet, and is written
                when the block ends. None begins anew.

        Returns:
            A `Stream`. Its `step` takes the number of a token or a piece of text, and returns how probable each token
            is to be the next, and how surprising the piece was. Tokens that training never saw are the unknown token.

        Raises:
            FileFormatError: the file is damaged, or no state of a stream.
            UsageError: it is the state of another model.
        """
        network = self._fitted_network()
        return TextStream(self._owner(), network).begin(state)
