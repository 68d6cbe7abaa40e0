"""The part of a language model that is looked into: `inspect`, `gradient_flow`, `corpus_states`, `unknown`."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loopcell.errors import InputError
from loopcell.insight import CorpusPart, GradientFlow, Inspection
from loopcell.insight.treatments import Treatment
from loopcell.tasks.core.inputs.text import unknown_among
from loopcell.tasks.language_model.inspecting import corpus_states, flow_of_text, inspected
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.texts import as_sources


class InspectedModel:
    """A model into which one can look while it reads, once it is fitted."""

    @abstractmethod
    def _fitted_network(self) -> LanguageModelNetwork:
        """Return the trained network.

        Raises:
            NotFittedError: there is none yet.
        """

    def inspect(self, x: str) -> Inspection:
        """Look at what happens inside while the model reads a text.

        Args:
            x: a text; characters that training never saw are the unknown token.

        Returns:
            Every named quantity of every layer at every token, with the tokens that are expected next, and as traces
            the probability and the surprise (in bits) of the token that came.

        Raises:
            InputError: x is no text, or empty.
        """
        network = self._fitted_network()
        if not isinstance(x, str):
            raise InputError(f"x is one text to look at, not a {type(x).__name__}")
        return inspected(network, x, type(self).__name__)

    def gradient_flow(self, x: str, *, treatment: Treatment | None = None) -> GradientFlow:
        """Look at how the gradient of the loss on the last token of a text flows back to all that came before it.

        Of the last token alone: in training each token has a loss, and so much gradient enters at each step that what
        flows from one to the next is hidden.

        Args:
            x: a text of at least two tokens.
            treatment: try "orthogonal", "chrono" or "clip" on a copy, whose flow is returned with this one beside it.

        Raises:
            InputError: x is no text, or too short, or the treatment does not fit the cell.
        """
        network = self._fitted_network()
        if not isinstance(x, str):
            raise InputError(f"x is one text to look at, not a {type(x).__name__}")
        return flow_of_text(network, x, treatment)

    def unknown(self, X: Sequence[str]) -> int:
        """Return how many tokens of some texts were never seen in training.

        Raises:
            InputError: one is no text.
        """
        vocabulary = self._fitted_network().vocabulary
        for x in X:
            if not isinstance(x, str):
                raise InputError(f"x is one text to look at, not a {type(x).__name__}")
        return sum(int(unknown_among(vocabulary, vocabulary.encode(x, unknown="replace")).sum()) for x in X)

    def corpus_states(self, corpus: Any, quantities: Sequence[str] | None = None) -> Iterator[CorpusPart]:
        """Yield what the layers compute at every token of a text, a path or a list of these; see `CorpusReader`."""
        network = self._fitted_network()
        with tempfile.TemporaryDirectory() as folder:
            yield from corpus_states(network, as_sources(corpus, "corpus", Path(folder)), quantities)
